"""Windows of a grid, and where on each face's plane their hexagons can lie."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from thalweg.errors import WrongGrid
from thalweg.hexagons.faces import FACES, face_bases, face_centres, spacings
from thalweg.hexagons.locating import STRETCH
from thalweg.hexagons.positions import Floats, Integers, Locator, Positions, positions_of
from thalweg.raster.grid import Grid

MOST_SLOTS = 1 << 26
# A row of blocks of a one-degree tile of one arc-second, so that where a tile is missing from a
# mosaic whole parts are empty.
PART_ROWS, PART_COLS = 400, 3600

# Where pixels are much larger than cells, asking for each pixel beats a table of all cells.
_MOST_LOOKED_UP = 1 << 22
# In radians: places farther apart than this say little of what lies between.
_WIDE = 0.2
_FAR = 1.0
# Of a side of a window, however small: all of a parallel around the globe ends where it begins, and
# pixels are widest at the equator in its middle.
_FEWEST_STEPS = 8
# On a face's plane no axial coordinate exceeds this, in hexagons to the radian.
_FARTHEST = 0.89
_COSINE_OF_CIRCUMRADIUS = 0.79


@dataclass(frozen=True)
class Window:
    """A rectangle of a grid's pixels."""

    rows: range
    cols: range

    @classmethod
    def of(cls, grid: Grid) -> Window:
        return cls(range(grid.height), range(grid.width))

    def parts(self) -> Iterator[Window]:
        """Windows of `PART_ROWS` x `PART_COLS` from its corner on, smaller at its far edges."""
        for top in range(0, len(self.rows), PART_ROWS):
            for left in range(0, len(self.cols), PART_COLS):
                yield Window(self.rows[top : top + PART_ROWS], self.cols[left : left + PART_COLS])

    def halves(self) -> tuple[Window, Window]:
        """The two halves of the longer side."""
        if len(self.rows) >= len(self.cols):
            half = len(self.rows) // 2
            return Window(self.rows[:half], self.cols), Window(self.rows[half:], self.cols)
        half = len(self.cols) // 2
        return Window(self.rows, self.cols[:half]), Window(self.rows, self.cols[half:])


def slot_count(grid: Grid, resolution: int, window: Window) -> int:
    """How many slots an index of this window has: what its memory grows with."""
    return slots_in(locator_of(positions_of(grid), window, resolution, 0.0).boxes)


def locator_of(positions: Positions, window: Window, resolution: int, reach: float) -> Locator:
    """Where hexagons of the window can lie, face by face.

    Places are taken on a lattice; whatever lies between is no farther than `spacing` from one. That
    is as much as the kernel's stretches are wide, so that these lie well within the boxes.
    """
    rows, cols = _lattice(window)
    places = positions.unit_vectors(rows[:, None], cols)
    spacing = _spacing(places, window) + reach
    scale = spacings(resolution)
    cosines = places.reshape(-1, 3) @ face_centres().T
    best = cosines.max(axis=1)
    bases = face_bases(resolution)
    boxes = np.zeros((FACES, 5), np.int64)
    farthest = _FARTHEST * scale
    for face in range(FACES):
        near = cosines[:, face] >= best - 2 * spacing
        if not near.any():
            continue
        low, high = np.full(2, -farthest), np.full(2, farthest)
        if spacing < _WIDE:
            cosine = cosines[near, face]
            axial = places.reshape(-1, 3)[near] @ bases[face, :2].T / cosine[:, None]
            flattest = min(cosine.min(), _COSINE_OF_CIRCUMRADIUS) - spacing
            margin = 1.2 * scale * spacing / flattest**2
            low = np.maximum(low, axial.min(axis=0) - margin)
            high = np.minimum(high, axial.max(axis=0) + margin)
        first = np.floor(low).astype(np.int64) - 1
        count = np.ceil(high).astype(np.int64) + 2 - first
        boxes[face] = (*first, *count, slots_in(boxes))
    if slots_in(boxes) > MOST_SLOTS:
        if reach == 0 and len(window.rows) * len(window.cols) <= _MOST_LOOKED_UP:
            return Locator(bases, np.zeros_like(boxes), scale, reach)
        pixels = f"{len(window.rows)} x {len(window.cols)} pixels"
        raise WrongGrid(
            f"{pixels} lie over {slots_in(boxes):,} cells of resolution {resolution}, more than "
            "are indexed at once",
            hint="index it in smaller windows",
        )
    return Locator(bases, boxes, scale, reach)


def slots_in(boxes: Integers) -> int:
    return int((boxes[:, 2] * boxes[:, 3]).sum())


def _steps_a_stretch(side: range) -> int:
    return -(-_FEWEST_STEPS // (len(side) // STRETCH + 1))


def _lattice(window: Window, inset: int = 0) -> tuple[Floats, Floats]:
    """Rows and columns of places over the window, up to so many pixels before its far edges."""
    rows, cols = (
        np.linspace(
            side.start,
            side.stop - inset,
            (len(side) // STRETCH + 1) * _steps_a_stretch(side) + 1,
        )
        for side in (window.rows, window.cols)
    )
    return rows, cols


def _spacing(places: Floats, window: Window) -> float:
    """How far apart stretches are on a window's lattice, in radians, with some to spare."""
    down, right = _steps_a_stretch(window.rows), _steps_a_stretch(window.cols)
    step_by_step = _diagonal(places) * max(down, right)
    # What goes far around the globe may end near where it began.
    return step_by_step if step_by_step > _FAR else _diagonal(places[::down, ::right])


def _diagonal(places: Floats) -> float:
    """The longest diagonal between neighbours of a lattice, in radians, with some to spare."""
    diagonals = places[1:, 1:] - places[:-1, :-1], places[1:, :-1] - places[:-1, 1:]
    longest = max(float(np.linalg.norm(diagonal, axis=-1).max()) for diagonal in diagonals)
    return 1.05 * 2 * math.asin(min(1.0, longest / 2))


def pixel_reach(positions: Positions, window: Window) -> float:
    """Half the longest diagonal of a pixel, in radians, with some to spare."""
    rows, cols = _lattice(window, inset=1)
    corners = np.stack(
        [
            positions.unit_vectors((rows + down)[:, None], cols + right)
            for down, right in ((0, 0), (1, 1), (0, 1), (1, 0))
        ]
    )
    diagonals = np.linalg.norm(corners[0::2] - corners[1::2], axis=-1)
    return 0.55 * float(diagonals.max())
