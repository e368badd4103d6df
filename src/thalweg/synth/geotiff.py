"""Encodes a tile as the vendor does: one int16 band in DEFLATE blocks, EPSG:4326."""

from __future__ import annotations

import io
from collections.abc import Iterator

import imagecodecs
import numpy as np
import tifffile

from thalweg.synth.flood import NODATA, Centimetres

BLOCK = 256
LEVEL = 1  # of DEFLATE: thousands of files are written, and read only once

# (code, type, count, value, once) of the GeoTIFF and GDAL tags; the keys say EPSG:4326, pixel is
# area (OGC 19-008r4, section 7.1).
_GEO_KEYS = (1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326)
_GEO_KEY_TAG = (34735, "H", len(_GEO_KEYS), _GEO_KEYS, True)
_NODATA_TAG = (42113, "s", 0, str(NODATA), True)


def encode_tile(depth: Centimetres, west: float, north: float) -> bytes:
    """The file of a one-degree tile whose pixels begin at (`west`, `north`) degrees."""
    size = depth.shape[0]
    block = min(BLOCK, size)
    tiepoint = (0.0, 0.0, 0.0, west, north, 0.0)
    out = io.BytesIO()
    with tifffile.TiffWriter(out, byteorder="<") as writer:
        writer.write(
            _encoded_blocks(depth, block),
            shape=depth.shape,
            dtype=depth.dtype,
            tile=(block, block),
            compression="zlib",
            predictor=True,
            photometric="minisblack",
            metadata=None,
            software=False,
            extratags=[
                (33550, "d", 3, (1 / size, 1 / size, 0.0), True),
                (33922, "d", 6, tiepoint, True),
                _GEO_KEY_TAG,
                _NODATA_TAG,
            ],
        )
    return out.getvalue()


def _encoded_blocks(depth: Centimetres, block: int) -> Iterator[bytes]:
    dry = _deflate(np.zeros((block, block), np.int16))
    for top in range(0, depth.shape[0], block):
        for left in range(0, depth.shape[1], block):
            pixels = depth[top : top + block, left : left + block]
            yield _deflate(_padded(pixels, block)) if pixels.any() else dry


def _padded(pixels: Centimetres, block: int) -> Centimetres:
    if pixels.shape == (block, block):
        return np.ascontiguousarray(pixels)
    out = np.zeros((block, block), np.int16)
    out[: pixels.shape[0], : pixels.shape[1]] = pixels
    return out


def _deflate(pixels: Centimetres) -> bytes:
    differences = imagecodecs.delta_encode(pixels, axis=-1)
    return bytes(imagecodecs.deflate_encode(differences, level=LEVEL))
