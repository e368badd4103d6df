"""Small floods for the tests, and what is measured of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio

from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.hexagons.boxes import Window
from thalweg.hexagons.measures import Measures
from thalweg.hexagons.statistics import CellStatistics
from thalweg.hexagons.zonal import Pass
from thalweg.raster.grid import Grid

NODATA, WATER = -32768, -32767
SIZE = 1 / 1200
RULES = PixelRules("int16", "cm", NODATA, 0, 10_000, (SpecialValue(WATER, "permanent_water"),))

type Numbers = npt.NDArray[Any]


def grid_of(pixels: Numbers, west: float = 29.3, north: float = -1.2, size: float = SIZE) -> Grid:
    return Grid("EPSG:4326", (size, 0, west, 0, -size, north), pixels.shape[2], pixels.shape[1])


def floods(bands: int = 3, height: int = 60, width: int = 70, seed: int = 1) -> Numbers:
    """Depths in centimetres, with both special values; every band another one."""
    random = np.random.default_rng(seed)
    pixels = np.zeros((bands, height, width), np.int16)
    wet = random.random(pixels.shape) < 0.3
    pixels[wet] = random.integers(1, 900, wet.sum())
    pixels[:, : height // 4, : width // 3] = NODATA
    pixels[random.random(pixels.shape) < 0.05] = WATER
    pixels[random.random(pixels.shape) < 0.02] = NODATA
    return pixels


def valleys(bands: int, height: int, width: int) -> Numbers:
    """Winding, branching strips of water of several pixels' width, deepest in the middle."""
    row, col = np.mgrid[:height, :width]
    course = np.sin(col / 97) * 40 + np.sin(col / 31 + 1) * 12
    distance = np.abs((row + course) % 210 - 105)
    depth = np.maximum(0, 30 - distance) * (20 + 15 * np.sin(col / 53))
    return np.stack([depth * (1 + band / 4) for band in range(bands)]).astype(np.int16)


def measured(
    pixels: Numbers,
    resolution: int = 8,
    *,
    rules: PixelRules = RULES,
    grid: Grid | None = None,
    window: Window | None = None,
    **measures: Any,
) -> CellStatistics:
    grid = grid or grid_of(pixels)
    window = window or Window.of(grid)
    names = tuple(f"1in{index}" for index in range(len(pixels)))
    one = Pass(grid, window, [resolution], Measures(names, rules, **measures))
    rows, cols = window.rows, window.cols
    one.add(window, pixels[:, rows.start : rows.stop, cols.start : cols.stop])
    return one.statistics()[resolution]


def write(path: Path, pixels: Numbers, grid: Grid, nodata: float = NODATA, **options: Any) -> str:
    with rasterio.open(
        path, "w", driver="GTiff", count=len(pixels), height=grid.height, width=grid.width,
        dtype=pixels.dtype, crs=grid.crs, transform=grid.affine, nodata=nodata, **options,
    ) as dataset:  # fmt: skip
        dataset.write(pixels)
        dataset.descriptions = tuple(f"1in{index}" for index in range(len(pixels)))
    return str(path)


def same_answers(one: CellStatistics, other: CellStatistics) -> bool:
    """All that can be asked: voids may be counted by band in one and by cell in the other."""
    names = ["valid", "nodata", "wet", "total", "mean", "std", "minimum", "maximum", "wet_area_km2"]
    return np.array_equal(one.cells, other.cells) and all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in names
    )
