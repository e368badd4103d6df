"""Small real COGs, and the items that describe them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.shutil import copy

from thalweg.catalog.ledger import Document
from thalweg.catalog.stac import Band, RasterAsset, build_item
from thalweg.domain.pixels import SpecialValue
from thalweg.raster.grid import Grid

NODATA = -32768
RETURN_PERIODS = (5, 10, 100)
# Half a pixel off the degree, as the real tiles are.
GEOGRAPHIC = Grid("EPSG:4326", (1 / 3600, 0, 30 - 1 / 7200, 0, -1 / 3600, -1 + 1 / 7200), 64, 48)
UTM = Grid("EPSG:32735", (30, 0, 700_000, 0, -30, 9_890_000), 64, 48)

BANDS = tuple(
    Band(
        name=f"1in{years}",
        description=f"Depth at 1 in {years} years",
        dtype="int16",
        nodata=NODATA,
        unit="cm",
        statistics={"minimum": 0, "maximum": 9, "mean": 1.5, "stddev": 0.5, "valid_percent": 99.0},
        percentiles={"2": 0, "98": 8},
        properties={"return_period": years},
    )
    for years in RETURN_PERIODS
)
WATER = SpecialValue(-32767, "permanent_water")
ASSET = RasterAsset(
    "/data/a.tif", 1234, "ab" * 32, GEOGRAPHIC, BANDS, special=(WATER,), title="Flood depth"
)
PROVIDERS: list[Document] = [{"name": "A hydrologist", "roles": ["producer", "licensor"]}]


def make_cog(path: Path, grid: Grid) -> np.ndarray[Any, np.dtype[np.int16]]:
    """A COG of three bands at `path`; gives its pixels."""
    pixels = np.arange(3 * grid.height * grid.width, dtype=np.int16)
    pixels = pixels.reshape(3, grid.height, grid.width)
    with rasterio.MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=grid.width,
            height=grid.height,
            count=3,
            dtype="int16",
            crs=grid.crs,
            transform=grid.affine,
            nodata=NODATA,
        ) as dataset:
            dataset.write(pixels)
            dataset.descriptions = [band.name for band in BANDS]
        with memory.open() as dataset:
            copy(dataset, path, driver="COG")
    return pixels


def asset_of(path: Path, grid: Grid) -> RasterAsset:
    content = path.read_bytes()
    checksum = hashlib.sha256(content).hexdigest()
    return replace(ASSET, href=str(path), size=len(content), checksum=checksum, grid=grid)


def item_of(asset: RasterAsset = ASSET, item_id: str = "a", **changed: Any) -> Document:
    given: dict[str, Any] = {
        "start": "2050-01-01T00:00:00Z",
        "end": "2050-12-31T23:59:59Z",
        "properties": {"peril": "fluvial", "year": 2050},
        "lineage": "Three return periods stacked into one file.",
        "via": ["/bronze/1in5.tif"],
    }
    return build_item(item_id, "flood", asset, **{**given, **changed})
