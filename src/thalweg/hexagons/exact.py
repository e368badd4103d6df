"""Statistics of rasters in any polygons, with pixels weighted by their covered share.

By exactextract, which is exact in the plane of the raster's CRS. It comes with `thalweg[exact]`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from thalweg.domain.pixels import PixelRules
from thalweg.errors import PackageMissing
from thalweg.raster.grid import Grid, grid_of
from thalweg.raster.reading import environment, opened, unreadable

# What is reported, and what exactextract calls it.
STATISTICS = {"valid": "count", "total": "sum", "mean": "mean", "minimum": "min", "maximum": "max"}


def polygon_statistics(
    path: str, polygons: Sequence[BaseGeometry], *, rules: PixelRules, where: str | None = None
) -> dict[str, NDArray[np.float64]]:
    """`valid`, `total`, `mean`, `minimum`, `maximum` and `wet_share`, each [polygons, bands].

    `polygons` are in the raster's CRS. `valid` is in pixels, of which parts count; nodata and
    special values are in none, and where nothing is valid all but `valid` and `total` are NaN.
    Memory grows with the largest polygon. Raises `PackageMissing` without exactextract.
    """
    where = where or path
    with environment(), opened(path, where=where) as dataset:
        grid = grid_of(dataset, where=where)
        rows = [
            list(_bands(dataset, grid, polygon, rules, where)) if _meets(grid, polygon)
            else [_nothing()] * dataset.count
            for polygon in polygons
        ]  # fmt: skip
        shape = len(polygons), dataset.count
    return {
        name: np.array([band[name] for row in rows for band in row], float).reshape(shape)
        for name in (*STATISTICS, "wet_share")
    }


def _bands(
    dataset: rasterio.DatasetReader,
    grid: Grid,
    polygon: BaseGeometry,
    rules: PixelRules,
    where: str,
) -> Iterator[dict[str, float]]:
    window, bounds = _window_around(grid, polygon)
    feature = {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(polygon)}
    with unreadable(where):
        planes = dataset.read(window=window)
    for plane in planes:
        valid = (plane >= rules.minimum) & (plane <= rules.maximum)
        for value, _ in rules.meanings():
            valid &= plane != value
        values = np.where(valid, plane, np.nan)
        found = _extracted(values, bounds, feature, list(STATISTICS.values()))
        statistics = {name: _number(found[key]) for name, key in STATISTICS.items()}
        wet = _extracted(np.where(valid, plane > 0, np.nan), bounds, feature, ["mean"])
        yield {**statistics, "wet_share": _number(wet["mean"])}


def _extracted(
    values: NDArray[np.float64],
    bounds: tuple[float, float, float, float],
    feature: dict[str, Any],
    operations: list[str],
) -> dict[str, Any]:
    try:
        from exactextract import exact_extract
        from exactextract.raster import NumPyRasterSource
    except ImportError as error:
        raise PackageMissing(
            "statistics of polygons need exactextract", hint="pip install 'thalweg[exact]'"
        ) from error
    (found,) = exact_extract(NumPyRasterSource(values, *bounds), [feature], operations)
    return dict(found["properties"])


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _nothing() -> dict[str, float]:
    counted = {"valid": 0.0, "total": 0.0}
    return {name: counted.get(name, math.nan) for name in (*STATISTICS, "wet_share")}


def _meets(grid: Grid, polygon: BaseGeometry) -> bool:
    return bool(shapely.box(*grid.bounds).intersection(polygon).area > 0)


def _window_around(
    grid: Grid, polygon: BaseGeometry
) -> tuple[Window, tuple[float, float, float, float]]:
    """The pixels that a polygon's box touches, and their bounds."""
    a, _, c, _, e, f = grid.transform
    west, south, east, north = polygon.bounds
    left, right = max(0, math.floor((west - c) / a)), min(grid.width, math.ceil((east - c) / a))
    top, bottom = max(0, math.floor((north - f) / e)), min(grid.height, math.ceil((south - f) / e))
    bounds = (c + a * left, f + e * bottom, c + a * right, f + e * top)
    return Window(left, top, right - left, bottom - top), bounds
