"""A workspace with hexagons of two floods and a terrain, and buildings in the water, by numbers
that are known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h3.api.numpy_int as h3
import numpy as np
import pyarrow as pa

from thalweg.catalog.ledger import PARQUET_MEDIA_TYPE, Artifact
from thalweg.domain.coordinates import Coordinates
from thalweg.domain.pixels import PixelRules
from thalweg.domain.tables import TableFacts
from thalweg.exposure.aggregate import Exposure, Question
from thalweg.exposure.exposed import areas_exposure, cells_exposure
from thalweg.hexagons.layers import Series, above
from thalweg.hexagons.tables import (
    partition,
    series_table,
    table_columns,
    table_facts,
    write_table,
)
from thalweg.pipelines.workspace import Workspace

PERIODS = (5.0, 100.0)
LABELS = ("1in5", "1in100")
RESOLUTIONS = (5, 6)
QUESTION = Question(PixelRules("int16", "cm", -2, 0, 3000, ()), thresholds_m=(0.15, 0.5))


def cells_of(resolution: int) -> np.ndarray:
    """Those around 30 E, 2 S, sorted."""
    return np.sort(h3.grid_disk(h3.latlng_to_cell(-2, 30, resolution), 4))


def codes_of(cells: np.ndarray) -> list[str]:
    return ["RWA" if index % 2 else "COD" for index in range(len(cells))]


def means_of(count: int, factor: float) -> np.ndarray:
    """Depth [cells, layers]; every tenth cell has none."""
    number = np.arange(count)[:, None]
    return np.where(number % 10 == 9, np.nan, number * factor * np.array([[1.0, 2.0]]))


def flood(year: str) -> Series:
    pairs = (("peril", "fluvial"), ("defence", "none"), ("year", year))
    return Series("flood_risk", "flood", "cm", Coordinates(pairs), LABELS, PERIODS)


def terrain() -> Series:
    return Series("flood_risk", "terrain", "m", Coordinates((("peril", "none"),)))


def homes(year: str) -> Series:
    return Series("exposure", "homes", "cm", Coordinates((("year", year),)), LABELS, PERIODS)


def exposure(keys: np.ndarray, factor: float) -> Exposure:
    number = factor * np.outer(np.arange(len(keys)), [1.0, 2.0])
    layers = {"unknown": number * 0, "known_exposed": number, "depth_sum": number}
    for threshold in QUESTION.thresholds_m:
        layers[f"exposed_{above(threshold)}"] = number
        layers[f"exposed_area_{above(threshold)}_m2"] = number * 50
    fixed = dict.fromkeys(("without_area", "outside"), np.zeros(len(keys)))
    fixed |= {"buildings": np.full(len(keys), 1000.0), "area_m2": np.full(len(keys), 5e4)}
    return Exposure(keys, fixed, layers, np.where(number > 0, 2.5, 0))


def make(folder: Path) -> Workspace:
    """The workspace, with its tables published and recorded."""
    workspace, _ = Workspace.open(folder)
    for resolution in RESOLUTIONS:
        cells = cells_of(resolution)
        for factor, year in enumerate(("2020", "2050"), start=1):
            valid = np.where(
                np.isnan(means_of(len(cells), 1)), 0, 10 + np.arange(len(cells))[:, None]
            )
            add_cells(
                workspace,
                flood(year),
                cells,
                {"valid": valid, "mean": means_of(len(cells), factor)},
            )
            sums = exposure(cells, factor)
            table = cells_exposure(homes(year), sums, QUESTION, codes_of(cells))
            told = {"year": year, "h3_resolution": str(resolution)}
            key = f"t/{partition(homes(year), resolution)}/{year}.aaaaaaaa.parquet"
            publish(workspace, table, key, "exposure", told, table_facts(table))
        add_cells(
            workspace, terrain(), cells, {"mean": np.arange(len(cells), dtype=float)[:, None]}
        )
    for factor, year in enumerate(("2020", "2050"), start=1):
        for name, keys in (("countries", ["COD", "RWA"]), ("districts", ["<b>", "a:b"])):
            table = areas_exposure(
                homes(year), exposure(np.array(keys, object), 100 * factor), QUESTION, name
            )
            facts = TableFacts(table.num_rows, table_columns(table.schema))
            key = f"t/exposure/areas={name}/{year}.aaaaaaaa.parquet"
            publish(workspace, table, key, "exposure", {"year": year, "table": name}, facts)
    return workspace


def add_cells(
    workspace: Workspace, series: Series, cells: np.ndarray, statistics: Mapping[str, Any]
) -> None:
    """Publishes and records the table of a series."""
    units = {"valid": "pixel"}
    table = series_table(series, cells, statistics, countries=codes_of(cells), units=units)
    resolution = h3.get_resolution(int(cells[0]))
    told = {**series.coordinates.to_json(), "h3_resolution": str(resolution)}
    key = f"t/{partition(series, resolution)}/{series.id}.bbbbbbbb.parquet"
    publish(workspace, table, key, "hexagons", told, table_facts(table), series.dataset)


def publish(
    workspace: Workspace,
    table: pa.Table,
    key: str,
    operator: str,
    coordinates: dict[str, str],
    facts: TableFacts,
    kind: str = "",
) -> None:
    zone = workspace.zone("silver")
    with zone.staging() as area:
        write_table(table, area / "table")
        zone.publish(area / "table", key)
    artifact = Artifact(
        zone="silver",
        key=key,
        kind=kind or operator,
        pipeline="tried",
        operator=operator,
        operator_version=1,
        fingerprint=f"{abs(hash(key)):064x}"[:64],
        checksum="0" * 64,
        size=1,
        media_type=PARQUET_MEDIA_TYPE,
        coordinates=coordinates,
        facts={"table": facts.to_json()},
        run_id="run",
        made_at="2026-01-01T00:00:00+00:00",
        inputs=(),
    )
    with workspace.catalog() as catalog:
        catalog.record(artifact)
