"""The H3 cells of very many places near each other: the library is asked once for each cell."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from thalweg.hexagons.boxes import Window, locator_of, slots_in
from thalweg.hexagons.cells import Cells
from thalweg.hexagons.locating import FLAGGED, slots_of_places
from thalweg.hexagons.parts import cells_at
from thalweg.hexagons.positions import LonLatPositions
from thalweg.raster.grid import Grid

type Floats = NDArray[np.float64]

_STEPS_A_DEGREE = 128
_WIDEST_DEGREES = 8.0
_MOST_SLOTS = 2**31 - 1


def cells_of_places(longitude: Floats, latitude: Floats, resolution: int) -> Cells:
    """The cell of each place [n] in degrees, as the library says.

    Hexagons are told apart by arithmetic, as those of pixels are, and places that it leaves open
    are looked up one by one.
    """
    points = np.column_stack([longitude, latitude])
    grid = _grid_around(longitude, latitude)
    if grid is None:
        return cells_at(points, resolution)
    window = Window.of(grid)
    locator = locator_of(LonLatPositions(grid), window, resolution, 0.0)
    if slots_in(locator.boxes) > _MOST_SLOTS:
        return cells_at(points, resolution)
    slots = np.empty(len(points), np.int32)
    lat, lon = np.radians(latitude), np.radians(longitude)
    slots_of_places(lat, lon, locator.bases, locator.boxes, locator.scale, locator.reach, slots)
    # Places near each other mostly follow upon each other: fewer are to be sorted.
    starts = np.flatnonzero(np.append(True, slots[1:] != slots[:-1]))
    _, example, which = np.unique(slots[starts], return_index=True, return_inverse=True)
    lengths = np.diff(starts, append=len(slots))
    cells = np.repeat(cells_at(points[starts[example]], resolution)[which], lengths)
    open_ones = np.flatnonzero(slots == FLAGGED)
    cells[open_ones] = cells_at(points[open_ones], resolution)
    return cells


def _grid_around(longitude: Floats, latitude: Floats) -> Grid | None:
    """A grid of degrees that holds all places; None where they lie too far apart, or at a pole."""
    if not len(longitude):
        return None
    west, south = (math.floor(one.min()) for one in (longitude, latitude))
    east, north = (math.floor(one.max()) + 1 for one in (longitude, latitude))
    if max(east - west, north - south) > _WIDEST_DEGREES or south < -90 or north > 90:
        return None
    step = 1 / _STEPS_A_DEGREE
    width, height = (east - west) * _STEPS_A_DEGREE, (north - south) * _STEPS_A_DEGREE
    return Grid("EPSG:4326", (step, 0.0, float(west), 0.0, -step, float(north)), width, height)
