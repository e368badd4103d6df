"""What zonal statistics become in a table: the columns, and their units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from thalweg.errors import WrongShape
from thalweg.hexagons.expected import Integration
from thalweg.hexagons.layers import Series
from thalweg.hexagons.statistics import CellStatistics
from thalweg.hexagons.tables import series_table

type Column = tuple[str, NDArray[Any], str]

PERCENTILES = (50, 90)


def measured_table(
    series: Series,
    measured: CellStatistics,
    *,
    countries: Sequence[str | None] | None = None,
    integration: Integration | None = None,
    percentiles: Sequence[int] = PERCENTILES,
) -> pa.Table:
    """The table of a series, whose layers are the measured bands, in their order.

    What was measured, with the sampling rule, goes into the metadata. Percentiles are there where a
    histogram was measured. Raises `WrongShape` where layers and bands are not as many.
    """
    bands = len(measured.measures.bands)
    if bands != len(series.labels):
        raise WrongShape(f"{bands} bands for {len(series.labels)} layers", where=series.id)
    columns = [*_counts(measured), *_values(measured, percentiles), *_depths(measured)]
    return series_table(
        series,
        measured.cells,
        {name: values for name, values, _ in columns},
        per_cell={"pixels": measured.pixels, "area_km2": measured.area_km2},
        countries=countries,
        units={name: unit for name, _, unit in columns} | {"pixels": "pixel", "area_km2": "km2"},
        integration=integration,
        notes={"measures": measured.measures.to_json()},
    )


def _counts(measured: CellStatistics) -> Iterator[Column]:
    yield "valid", measured.valid, "pixel"
    yield "nodata", measured.nodata, "pixel"
    for meaning in measured.measures.special:
        yield meaning, measured.special(meaning), "pixel"
    yield "wet", measured.wet, "pixel"


def _values(measured: CellStatistics, percentiles: Sequence[int]) -> Iterator[Column]:
    unit = measured.measures.rules.unit
    yield "mean", measured.mean, unit
    yield "wet_mean", measured.wet_mean, unit
    yield "std", measured.std, unit
    yield "min", measured.minimum, unit
    yield "max", measured.maximum, unit
    yield "sum", measured.total, unit
    if measured.measures.histogram:
        for percentile in percentiles:
            yield f"p{percentile}", measured.percentile(percentile), unit


def _depths(measured: CellStatistics) -> Iterator[Column]:
    yield "wet_share", measured.wet_share, "1"
    yield "wet_area_km2", measured.wet_area_km2, "km2"
    for depth in measured.measures.depths_m:
        name = f"above_{depth * 100:g}cm".replace(".", "_")
        yield f"share_{name}", measured.share_above(depth), "1"
        yield f"area_{name}_km2", measured.area_above_km2(depth), "km2"
