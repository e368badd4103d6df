"""Encodes a tile as the vendor does: one int16 band in DEFLATE blocks, EPSG:4326."""

from __future__ import annotations

from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from thalweg.synth.flood import NODATA, Centimetres

BLOCK = 256
WGS84 = CRS.from_epsg(4326)


def encode_tile(depth: Centimetres, west: float, north: float) -> bytes:
    """The file of a one-degree tile whose pixels begin at (`west`, `north`) degrees."""
    size = depth.shape[0]
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=size,
            height=size,
            count=1,
            dtype="int16",
            crs=WGS84,
            transform=Affine(1 / size, 0, west, 0, -1 / size, north),
            nodata=NODATA,
            tiled=True,
            blockxsize=min(BLOCK, size),
            blockysize=min(BLOCK, size),
            compress="deflate",
            predictor=2,
            zlevel=1,
        ) as dataset:
            dataset.write(depth, 1)
        return bytes(memory.getbuffer())
