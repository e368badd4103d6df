"""What zonal statistics become in a table: the columns, their units, and what they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from thalweg.errors import WrongShape
from thalweg.hexagons.expected import Integration
from thalweg.hexagons.layers import Series
from thalweg.hexagons.statistics import CellStatistics
from thalweg.hexagons.tables import ROW_GROUP_ROWS, series_table

type Column = tuple[str, NDArray[Any], str, str]
"""Name, values, unit, and what it is in words."""

PERCENTILES = (50, 90)
# What there is none of is 0; only means and shares of nothing are null.
_NEVER_NULL = ("pixel", "km2")


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
    measured = replace(measured, narrow=True)
    columns = [
        *_counts(measured),
        ("sum", measured.total, measured.measures.rules.unit, "Sum of the valid pixels"),
        *_values(measured, percentiles),
        *_depths(measured),
    ]
    per_cell = list(_per_cell(measured))
    return series_table(
        series,
        measured.cells,
        {name: values for name, values, *_ in columns},
        per_cell={name: values for name, values, *_ in per_cell},
        countries=countries,
        units={name: unit for name, _, unit, _ in [*per_cell, *columns]},
        descriptions={name: words for name, *_, words in [*per_cell, *columns]},
        complete=[name for name, _, unit, _ in columns if name == "sum" or unit in _NEVER_NULL],
        integration=integration,
        notes={"measures": measured.measures.to_json()},
    )


def measured_batches(
    series: Series, measured: CellStatistics, countries: Sequence[str | None] | None = None
) -> Iterator[pa.Table]:
    """`measured_table` in pieces, as row groups: tables of fine resolutions are large."""
    start = 0
    for batch in measured.batches(ROW_GROUP_ROWS):
        stop = start + len(batch.cells)
        yield measured_table(series, batch, countries=countries and countries[start:stop])
        start = stop


def _per_cell(measured: CellStatistics) -> Iterator[Column]:
    yield "pixels", measured.pixels, "pixel", "Pixels of any kind"
    yield "area_km2", measured.area_km2, "km2", "Area of the pixels of any kind"


def _counts(measured: CellStatistics) -> Iterator[Column]:
    yield "valid", measured.valid, "pixel", "Pixels that hold a measurement"
    yield "nodata", measured.nodata, "pixel", "Pixels without data"
    for meaning in measured.measures.special:
        words = f"Pixels of {meaning.replace('_', ' ')}"
        yield meaning, measured.special(meaning), "pixel", words
    yield "wet", measured.wet, "pixel", "Valid pixels above 0"


def _values(measured: CellStatistics, percentiles: Sequence[int]) -> Iterator[Column]:
    unit = measured.measures.rules.unit
    yield "mean", measured.mean, unit, "Mean of the valid pixels"
    yield "wet_mean", measured.wet_mean, unit, "Mean of the wet pixels"
    yield "std", measured.std, unit, "Standard deviation of the valid pixels"
    yield "min", measured.minimum, unit, "Least of the valid pixels"
    yield "max", measured.maximum, unit, "Greatest of the valid pixels"
    if measured.measures.histogram:
        for percentile in percentiles:
            words = f"Percentile {percentile} of the valid pixels"
            yield f"p{percentile}", measured.percentile(percentile), unit, words


def _depths(measured: CellStatistics) -> Iterator[Column]:
    yield "wet_share", measured.wet_share, "1", "Wet share of the valid pixels"
    yield "wet_area_km2", measured.wet_area_km2, "km2", "Area of the wet pixels"
    for depth in measured.measures.depths_m:
        name = f"above_{depth * 100:g}cm".replace(".", "_")
        share = f"Share of the valid pixels above {depth:g} m"
        yield f"share_{name}", measured.share_above(depth), "1", share
        area = f"Area of the pixels above {depth:g} m"
        yield f"area_{name}_km2", measured.area_above_km2(depth), "km2", area
