"""The bounding box of many H3 cells."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import h3.api.numpy_int as h3
import numpy as np
from numpy.typing import NDArray

from thalweg.domain.tiles import BoundingBox
from thalweg.hexagons.cells import Cells

type Degrees = NDArray[np.float64]

MOST_CELLS = 10_000
# All descendants of a cell lie within 1.053 of its radius, by h3's construction in the plane; its
# box reaches 0.866 of it at least. The rest is for the distortion on the sphere.
_MARGIN = 0.25
_DIGITS = 9
_RESOLUTION_AT, _DIGIT_BITS = 52, 3


def cell_bounds(cells: Cells) -> BoundingBox | None:
    """The box around cells of one resolution, with `west > east` over the antimeridian.

    It is the smallest one for up to `MOST_CELLS` cells. More are looked at by so many of their
    ancestors, and the box may be larger by the size of one of these. It is as wide as the globe
    where the cells leave no gap between meridians, or hold a pole. None without cells.
    """
    return _kept_bounds(cells.tobytes()) if len(cells) else None


# Most tables of a run are of the same cells.
@lru_cache(maxsize=16)
def _kept_bounds(cells: bytes) -> BoundingBox:
    west, south, east, north = ancestor_boxes(np.frombuffer(cells, np.uint64)).boxes
    span = _span(west, east)
    lowest, highest = max(south.min(), -90.0), min(north.max(), 90.0)
    return BoundingBox(*(round(float(v), _DIGITS) for v in (span[0], lowest, span[1], highest)))


class Ancestors(NamedTuple):
    """Boxes that hold cells: west, south, east and north in degrees, each [boxes].

    Longitudes go beyond 180 where one needs them. `box_of_cell` [cells] says which holds a cell.
    """

    boxes: tuple[Degrees, Degrees, Degrees, Degrees]
    box_of_cell: NDArray[np.intp]


def ancestor_boxes(cells: Cells) -> Ancestors:
    """Boxes around cells of one resolution: their own, or where these are more than `MOST_CELLS`
    those of their ancestors of the finest resolution at which they are not, with all descendants.
    """
    resolution = h3.get_resolution(int(cells[0]))
    found, which = cells, np.arange(len(cells))
    while len(found) > MOST_CELLS:
        resolution -= 1
        found, inverse = np.unique(_parents(found, resolution), return_inverse=True)
        which = inverse[which]
    west, south, east, north = _boxes(found)
    if found is not cells:
        wide, high = (east - west) * _MARGIN, (north - south) * _MARGIN
        west, south, east, north = west - wide, south - high, east + wide, north + high
    return Ancestors((west, south, east, north), which)


def _parents(cells: Cells, resolution: int) -> Cells:
    """The ancestors one resolution up, which is `resolution`: their last digit is no more used."""
    unused = np.uint64(7 << (_DIGIT_BITS * (14 - resolution)))
    finer = np.uint64(1 << _RESOLUTION_AT)
    return (cells | unused) - finer


def _boxes(cells: Cells) -> tuple[Degrees, Degrees, Degrees, Degrees]:
    """West, south, east and north of each cell; longitudes go beyond 180 where one needs them."""
    boundaries = [h3.cell_to_boundary(cell) for cell in cells.tolist()]
    counts = np.array([len(boundary) for boundary in boundaries])
    first = np.cumsum(counts) - counts
    points = np.array([point for boundary in boundaries for point in boundary], np.float64)
    begin = np.repeat(points[first, 1], counts)
    longitudes = begin + (points[:, 1] - begin + 180) % 360 - 180
    west = np.minimum.reduceat(longitudes, first)
    east = np.maximum.reduceat(longitudes, first)
    south = np.minimum.reduceat(points[:, 0], first)
    north = np.maximum.reduceat(points[:, 0], first)
    resolution = h3.get_resolution(int(cells[0]))
    for pole, limit in ((-90.0, south), (90.0, north)):
        holds = cells == h3.latlng_to_cell(pole, 0, resolution)
        limit[holds], west[holds], east[holds] = pole, -180.0, 180.0
    return west, south, east, north


def _span(west: Degrees, east: Degrees) -> tuple[float, float]:
    """The shortest way from west to east around all spans, each end in -180..180."""
    start = (west + 180) % 360 - 180
    order = np.argsort(start)
    start, end = start[order], (start + east - west)[order]
    reached = np.maximum.accumulate(end)
    reached = np.maximum(reached, reached[-1] - 360)
    gaps = np.append(start[1:], start[0] + 360) - reached
    widest = int(np.argmax(gaps))
    if gaps[widest] <= 0:
        return -180.0, 180.0
    first, last = float(start[(widest + 1) % len(start)]), float(reached[widest])
    return first, last - 360 if last > 180 else last
