"""Tables of features with everything in them that could be answered differently."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from thalweg.features.tables import Column, FeatureStore, FeatureTable

NAMES = ["Kigali", "Côte d'Ivoire", "kigali", "50 % \\ flat", "Ærø", '"quoted"', "Łódź", "", None]
COLUMNS = (
    Column("name", "text"),
    Column("people", "integer"),
    Column("height", "number"),
    Column("capital", "boolean"),
    Column("founded", "date"),
    Column("seen", "timestamp"),
)
PLACES = FeatureTable("places", COLUMNS, "Places", "Points, lines and areas")
EMPTY = FeatureTable("nothing", (Column("name", "text"),), "Nothing at all")
COUNT = 90


def add_to(store: FeatureStore) -> None:
    """Puts the tables into a store."""
    store.put(PLACES, [places()])
    store.put(EMPTY, [])


def places() -> pa.RecordBatch:
    rows: list[list[Any]] = [[] for _ in PLACES.schema]
    random = np.random.default_rng(7)
    for number in range(COUNT):
        values = [
            number * 3 + 1,
            NAMES[number % len(NAMES)],
            _people(number),
            None if number % 13 == 2 else round(float(random.normal(0, 100)), 3),
            None if number % 17 == 3 else number % 3 == 0,
            None if number % 8 == 1 else date(1990, 1, 1) + timedelta(days=37 * number),
            None if number % 9 == 4 else _seen(number),
            shapely.to_wkb(_shape(number, random)),
        ]
        for column, value in zip(rows, values, strict=True):
            column.append(value)
    return pa.record_batch(rows, schema=PLACES.schema)


def _people(number: int) -> int | None:
    if number == 20:
        return 1 << 40  # more than GDAL's plain integers hold
    return None if number % 11 == 5 else (number % 7) * 1_000_003 - 2_000_000


def _seen(number: int) -> datetime:
    return datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=number * 7, milliseconds=number % 5)


def _shape(number: int, random: np.random.Generator) -> Any:
    x, y = random.uniform(-170, 160), random.uniform(-80, 75)
    if number == 10:
        return shapely.box(179, -17, 180, -16).union(shapely.box(-180, -17, -179, -16))
    if number == 11:
        return shapely.box(-180, -90, 180, -60)
    if number % 3 == 0:
        return shapely.Point(x, y)
    if number % 3 == 1:
        return shapely.LineString([(x, y), (x + 9, y + 3), (x + 4, y + 8)])
    return shapely.Point(x, y).buffer(4).difference(shapely.Point(x, y).buffer(1))
