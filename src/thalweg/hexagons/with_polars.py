"""The rule `centre` by polars instead of compiled sums: a second opinion.

It comes with `thalweg[polars]`. Which cell a pixel lies in is told by compiled code here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import PackageMissing, UsageError
from thalweg.hexagons.accumulating import (
    FIRST_AREA_ABOVE,
    FIRST_SPECIAL,
    HIGHEST,
    LOWEST,
    NODATA,
    OTHER_THAN_ZERO,
    POSITIVE,
    POSITIVE_AREA,
    SQUARES,
    TOTAL,
)
from thalweg.hexagons.boxes import Window
from thalweg.hexagons.index import CellIndex
from thalweg.hexagons.measures import Measures, Rule
from thalweg.hexagons.statistics import CellStatistics, counts_dtype, empty_sums
from thalweg.raster.codec import Pixels
from thalweg.raster.grid import Grid

if TYPE_CHECKING:
    import polars as pl


def statistics_by_polars(
    grid: Grid, window: Window, resolution: int, measures: Measures, pixels: Pixels
) -> CellStatistics:
    """The statistics of a window's pixels (bands, rows, columns), as `zonal.Pass` gives them.

    Pixels that are not declared are not looked for, and histograms not made: `UsageError` where
    one is asked for, or another rule. Raises `PackageMissing` without polars.
    """
    if measures.rule is not Rule.CENTRE or measures.histogram:
        raise UsageError("polars is used for the rule 'centre' without a histogram only")
    index = CellIndex(grid, resolution, window)
    labels = np.empty((len(window.rows), len(window.cols)), np.int32)
    index.fill_labels(labels)
    sample_areas = np.repeat(index.sample_areas_mm2(window.rows), len(window.cols))
    shape, thresholds = (len(index.cells), len(measures.bands)), len(measures.depths_m)
    columns = FIRST_SPECIAL + len(measures.special) + thresholds
    counts = np.zeros((*shape, columns), counts_dtype(index.samples))
    areas = np.zeros((*shape, FIRST_AREA_ABOVE + thresholds), np.int64)
    sums = empty_sums(len(index.cells), measures)
    for band, plane in enumerate(pixels):
        found = _Band(counts[:, band], areas[:, band], sums[:, band])
        _add_band(labels.ravel(), sample_areas, plane.ravel(), measures, found)
    return CellStatistics(
        resolution=resolution,
        measures=measures,
        cells=index.cells,
        samples=index.samples,
        areas_mm2=index.areas_mm2,
        voids=np.zeros(len(index.cells), np.int64),
        occupied=np.arange(len(index.cells)),
        counts=counts,
        areas=areas,
        sums=sums,
        histogram=np.zeros((len(index.cells), len(measures.bands), 0), np.uint32),
    )


class _Band(NamedTuple):
    """What is counted of one band, as in `CellStatistics`."""

    counts: NDArray[Any]
    areas: NDArray[np.int64]
    sums: NDArray[Any]


def _add_band(
    labels: NDArray[np.int32],
    sample_areas: NDArray[np.int64],
    plane: NDArray[Any],
    measures: Measures,
    band: _Band,
) -> None:
    nodata, kinds = _kinds(plane, measures)
    for column, chosen in ((NODATA, nodata), *enumerate(kinds, start=FIRST_SPECIAL)):
        band.counts[:, column] = np.bincount(labels[chosen], minlength=len(band.counts))
    value = (plane != 0) & ~np.any([nodata, *kinds], axis=0)
    found = _grouped(
        labels[value], plane[value].astype(band.sums.dtype), sample_areas[value], measures
    )
    cell = found["cell"].to_numpy()
    counted = {OTHER_THAN_ZERO: "other", POSITIVE: "positive"}
    measured = {POSITIVE_AREA: "positive_area"}
    for step in range(len(measures.depths_m)):
        counted[FIRST_SPECIAL + len(measures.special) + step] = f"above{step}"
        measured[FIRST_AREA_ABOVE + step] = f"area{step}"
    summed = {TOTAL: "total", SQUARES: "squares", LOWEST: "low", HIGHEST: "high"}
    for array, names in ((band.counts, counted), (band.areas, measured), (band.sums, summed)):
        for column, name in names.items():
            array[cell, column] = found[name].to_numpy()


def _kinds(
    plane: NDArray[Any], measures: Measures
) -> tuple[NDArray[np.bool_], list[NDArray[np.bool_]]]:
    """Where nodata is, and each kept special value; never where a pixel is zero."""
    rules = measures.rules
    nodata = np.isnan(plane) if np.isnan(rules.nodata) else plane == rules.nodata
    for special in rules.special:
        if special.as_nodata:
            nodata |= plane == special.value
    return nodata & (plane != 0), [
        (plane == special.value) & (plane != 0) for special in rules.kept_special()
    ]


def _grouped(
    cells: NDArray[np.int32], values: NDArray[Any], areas: NDArray[np.int64], measures: Measures
) -> pl.DataFrame:
    try:
        import polars as pl
    except ImportError as error:
        raise PackageMissing(
            "polars is not installed", hint="pip install 'thalweg[polars]'"
        ) from error
    value, area = pl.col("value"), pl.col("area")
    above = [
        expression
        for step, threshold in enumerate(measures.thresholds.tolist())
        for expression in (
            (value > threshold).sum().cast(pl.Int64).alias(f"above{step}"),
            area.filter(value > threshold).sum().alias(f"area{step}"),
        )
    ]
    frame = pl.DataFrame({"cell": cells, "value": values, "area": areas})
    return frame.group_by("cell").agg(
        pl.len().alias("other"),
        (value > 0).sum().alias("positive"),
        area.filter(value > 0).sum().alias("positive_area"),
        value.sum().alias("total"),
        (value * value).sum().alias("squares"),
        value.min().alias("low"),
        value.max().alias("high"),
        *above,
    )
