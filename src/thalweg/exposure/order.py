"""An order in space: by one-degree tile, and along a Hilbert curve within each.

A key is a uint64: the tile in its upper 16 bits (counted from the south-west corner of the world,
row by row) and below them the place along the curve, in steps of 1 / 2**24 of a degree. The places
of a square of 1 / 2**n of a degree have the same upper 16 + 2n bits. The curve is that of J. K.
Lawder, Calculation of Mappings Between One and n-dimensional Values Using the Hilbert Space-filling
Curve (2000), in its form for the plane.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from thalweg.domain.tiles import corner_name

type Keys = NDArray[np.uint64]
type Floats = NDArray[np.float64]

LEVELS = 24
TILE_SHIFT = 2 * LEVELS
BLOCK_LEVELS = 4
BLOCK_SHIFT = TILE_SHIFT - 2 * BLOCK_LEVELS
BLOCK_DEGREES = 1 / 2**BLOCK_LEVELS


def keys(longitude: Floats, latitude: Floats) -> Keys:
    """The key of each place in degrees; longitude 180 is -180, and the poles lie in a tile."""
    out = np.empty(len(longitude), np.uint64)
    _fill(longitude, latitude, out)
    return out


def tiles_of(places: Keys) -> NDArray[np.int64]:
    """The tile of each key, as a number."""
    return (places >> np.uint64(TILE_SHIFT)).astype(np.int64)


def tile_name(tile: int) -> str:
    """The name of a tile by its number: its south-west corner."""
    return corner_name(tile // 360 - 90, tile % 360 - 180)


def blocks_of(places: Keys) -> Keys:
    """The least key of the block, a square of `BLOCK_DEGREES`, that each key lies in."""
    return places >> np.uint64(BLOCK_SHIFT) << np.uint64(BLOCK_SHIFT)


@numba.njit(nogil=True, cache=True)
def _fill(longitude: Any, latitude: Any, out: Any) -> None:
    steps = 2**LEVELS
    for index in range(out.size):
        # Whole degrees first: adding to a coordinate would round it over an edge.
        west = math.floor(longitude[index])
        south = min(math.floor(latitude[index]), 89)
        column, row = (west + 180) % 360, south + 90
        x = min(int((longitude[index] - west) * steps), steps - 1)
        y = min(int((latitude[index] - south) * steps), steps - 1)
        along = np.uint64(row * 360 + column)
        side = steps // 2
        while side > 0:
            right, upper = (x & side) > 0, (y & side) > 0
            along = (along << np.uint64(2)) | np.uint64((3 if right else 0) ^ (1 if upper else 0))
            if not upper:
                if right:
                    x, y = steps - 1 - x, steps - 1 - y
                x, y = y, x
            side //= 2
        out[index] = along
