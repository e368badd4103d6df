"""Small rasters for the tests, written by GDAL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio

from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.raster.mosaic import Tile
from thalweg.raster.stack import SourceBand, stack

NODATA, WATER = -32768, -32767
SIZE = 1 / 3600
RULES = PixelRules("int16", "cm", NODATA, 0, 10_000, (SpecialValue(WATER, "permanent_water"),))

Pixels = npt.NDArray[Any]


def depths(height: int, width: int, seed: int = 0) -> Pixels:
    """Depths in centimetres: mostly dry, a wet valley, some water, some nodata."""
    random = np.random.default_rng(seed)
    pixels = np.zeros((height, width), np.int16)
    valley = slice(height // 3, height // 2 + 1)
    pixels[valley] = random.integers(0, 900, pixels[valley].shape)
    pixels[height // 2 : height // 2 + 7, : width // 2] = WATER
    pixels[:, : width // 9] = NODATA
    return pixels


def write(
    path: Path,
    pixels: Pixels,
    *,
    origin: tuple[float, float] = (29.0, -1.0),
    crs: str | None = "EPSG:4326",
    nodata: float | None = NODATA,
    pixel_size: float = SIZE,
    transform: rasterio.Affine | None = None,
    unit: str | None = None,
    **options: Any,
) -> Path:
    """A GeoTIFF of (height, width) or (bands, height, width) whose upper left is `origin`."""
    bands = pixels if pixels.ndim == 3 else pixels[None]
    x, y = origin
    placed = transform or rasterio.Affine(pixel_size, 0, x, 0, -pixel_size, y)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=bands.shape[0],
        height=bands.shape[1],
        width=bands.shape[2],
        dtype=bands.dtype,
        crs=crs,
        transform=placed,
        nodata=nodata,
        **{"compress": "deflate", **options},
    ) as dataset:
        dataset.write(bands)
        if unit:
            dataset.set_band_unit(1, unit)
    return path


def source(path: Path, description: str = "1in100", **tags: str) -> SourceBand:
    return SourceBand(str(path), path.name, description, tags)


def make_tile(
    folder: Path,
    name: str,
    bands: Sequence[Pixels],
    *,
    row: int = 0,
    col: int = 0,
    rules: PixelRules = RULES,
    **options: Any,
) -> Tile:
    """A stacked tile whose upper left pixel is (row, col) of the common grid."""
    sources = [
        source(
            write(
                folder / f"{name}-{index}.tif",
                pixels,
                origin=(29 + col * SIZE, -1 - row * SIZE),
                nodata=rules.nodata,
            ),
            f"1in{index + 5}",
            return_period=str(index + 5),
        )
        for index, pixels in enumerate(bands)
    ]
    path = folder / f"{name}.tif"
    made = stack(sources, path, rules=rules, **options)
    return Tile(str(path), name, made.bands)


def read_levels(path: Path) -> list[Pixels]:
    """(bands, height, width) of each level, as GDAL decodes it."""
    with rasterio.open(path) as dataset:
        levels = [dataset.read()]
        count = len(dataset.overviews(1))
    for index in range(count):
        with rasterio.open(path, overview_level=index) as dataset:
            levels.append(dataset.read())
    return levels
