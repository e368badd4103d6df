"""The H3 cell of every pixel of a grid.

The hexagon of a pixel is found by arithmetic (see `faces`), its id by the official library, asked
once for each hexagon at a pixel that surely lies in it. Pixels whose hexagon floating point leaves
open are looked up one by one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import h3.api.numpy_int as h3
import numba
import numpy as np
from numpy.typing import NDArray

from thalweg.errors import UnexpectedError, WrongGrid
from thalweg.hexagons.faces import FACES, face_bases, face_centres, spacings
from thalweg.hexagons.locating import FLAGGED, STRETCH, split_pixels
from thalweg.hexagons.positions import (
    Floats,
    Locator,
    Positions,
    Slots,
    positions_of,
)
from thalweg.raster.grid import Grid

type Cells = NDArray[np.uint64]
type Integers = NDArray[np.int64]

MOST_SLOTS = 1 << 26
SURVEYED_PIXELS = 1 << 20

# Where pixels are much larger than cells, asking for each pixel beats a table of all cells.
_MOST_LOOKED_UP = 1 << 22
_SPLIT_AT_ONCE = 1 << 15
_WIDE = 0.2
# On a face's plane no axial coordinate exceeds this, in hexagons to the radian.
_FARTHEST = 0.89
_COSINE_OF_CIRCUMRADIUS = 0.79


@dataclass(frozen=True)
class Labels:
    """`cells` uint64 [n], sorted and unique; `labels` int32 [height, width] are indices into it."""

    cells: Cells
    labels: NDArray[np.int32]


@dataclass(frozen=True)
class Window:
    """A rectangle of a grid's pixels."""

    rows: range
    cols: range

    @classmethod
    def of(cls, grid: Grid) -> Window:
        return cls(range(grid.height), range(grid.width))

    def halves(self) -> tuple[Window, Window]:
        """The two halves of the longer side."""
        if len(self.rows) >= len(self.cols):
            half = len(self.rows) // 2
            return Window(self.rows[:half], self.cols), Window(self.rows[half:], self.cols)
        half = len(self.cols) // 2
        return Window(self.rows, self.cols[:half]), Window(self.rows, self.cols[half:])


@dataclass(frozen=True)
class Split:
    """The pixels that an edge between cells cuts.

    Pixel k, which stands as `-1 - k` among the slots, has its samples in the slots
    `slots[first[k]:first[k + 1]]`, of each as many as `weights` says; `examples` names one.
    """

    first: NDArray[np.int64]
    slots: Slots
    weights: NDArray[np.uint8]
    examples: NDArray[np.uint8]


_NONE = np.zeros(0, np.uint8)
NOT_SPLIT = Split(np.zeros(1, np.int64), np.zeros(0, np.int32), _NONE, _NONE)


def label(
    grid: Grid,
    resolution: int,
    rows: range | None = None,
    cols: range | None = None,
    *,
    out: NDArray[np.int32] | None = None,
) -> Labels:
    """The cell that each pixel's centre lies in, of a window of the grid.

    `out`, int32 of the window's shape, is filled instead of a new array. Raises `WrongGrid` for a
    window of more than some 60 million cells and more than 4 million pixels.
    """
    whole = Window.of(grid)
    window = Window(whole.rows if rows is None else rows, whole.cols if cols is None else cols)
    index = CellIndex(grid, resolution, window)
    if out is None:
        out = np.empty((len(window.rows), len(window.cols)), np.int32)
    index.slots(window.rows, window.cols, out)
    _relabel(out, index.label_of_slot)
    return Labels(index.cells, out)


class CellIndex:
    """The cells of one resolution that the pixels of a window lie in.

    With `per_side` of 1 a pixel lies in the cell of its centre. With more, a pixel that is cut by
    an edge is sampled `per_side` times along each side, and each sample lies in a cell.

    `cells` uint64 [n] are sorted. A *slot* stands for a cell while pixels are worked on; several
    may stand for the same one, and `label_of_slot` says which, -1 for none. `samples` and
    `areas_mm2`, int64 [n], are the number of samples in each cell and the area they stand for.
    """

    def __init__(self, grid: Grid, resolution: int, window: Window, per_side: int = 1) -> None:
        self.window = window
        self.resolution = resolution
        self.per_side = per_side
        self._positions = positions_of(grid)
        reach = 0.0 if per_side == 1 else _pixel_reach(self._positions, window)
        self._locator = locator_of(self._positions, window, resolution, reach)
        self._within_parts: dict[tuple[range, range], tuple[Integers, Integers]] = {}
        self._flagged: Integers = np.zeros(0, np.int64)
        self._flagged_slots: Slots = np.zeros(0, np.int32)
        self._survey()

    @property
    def samples_per_pixel(self) -> int:
        return self.per_side**2

    def sample_areas_mm2(self, rows: range) -> Integers:
        """The area of one sample, by row."""
        return self._positions.areas_mm2(rows, self.samples_per_pixel)

    def slots(self, rows: range, cols: range, out: Slots) -> Split:
        """Fill `out` (rows, columns) with slots, and `-1 - k` for split pixel k."""
        self._positions.slots(rows, cols, self._locator, out)
        if self.per_side > 1:
            return self._split(rows, cols, out)
        width = len(self.window.cols)
        begin = (rows.start - self.window.rows.start) * width
        first, last = np.searchsorted(self._flagged, (begin, begin + len(rows) * width))
        row, col = np.divmod(self._flagged[first:last] - begin, width)
        col += self.window.cols.start - cols.start
        here = (col >= 0) & (col < len(cols))
        out[row[here], col[here]] = self._flagged_slots[first:last][here]
        return NOT_SPLIT

    def samples_within(self, part: Window) -> tuple[Integers, Integers]:
        """The cells (indices into `cells`) of a part of the window, and their samples in it.

        Kept, for the next raster that has nothing there.
        """
        key = (part.rows, part.cols)
        if key not in self._within_parts:
            slots = np.empty((len(part.rows), len(part.cols)), np.int32)
            split = self.slots(part.rows, part.cols, slots)
            counts = np.zeros(len(self.cells), np.int64)
            whole = self.label_of_slot[slots[slots >= 0]]
            counts += self.samples_per_pixel * np.bincount(whole, minlength=len(counts))
            np.add.at(counts, self.label_of_slot[split.slots], split.weights)
            labels = np.flatnonzero(counts)
            self._within_parts[key] = labels, counts[labels]
        return self._within_parts[key]

    def _survey(self) -> None:
        """Find each slot's cell and samples, and settle the pixels that are not certain."""
        window, width = self.window, len(self.window.cols)
        room = _slots_in(self._locator.boxes)
        example = np.full(room, -1, np.int64)
        samples, areas = np.zeros(room, np.int64), np.zeros(room, np.int64)
        at_once = max(1, SURVEYED_PIXELS // width)
        buffer = np.empty((min(at_once, len(window.rows)), width), np.int32)
        flagged: list[tuple[int, Integers]] = []
        for start in range(0, len(window.rows), at_once):
            rows = window.rows[start : start + at_once]
            slots = buffer[: len(rows)]
            split = self.slots(rows, window.cols, slots)
            uncertain = _meet(
                slots,
                start * width,
                self.sample_areas_mm2(rows),
                self.per_side,
                split.first,
                split.slots,
                split.weights,
                split.examples,
                example,
                samples,
                areas,
            )
            if uncertain:
                flagged.append((start, np.flatnonzero(slots.reshape(-1) == FLAGGED)))
        found = np.flatnonzero(example >= 0)
        ids = self._looked_up(example[found])
        if flagged:
            pixels = np.concatenate([start * width + positions for start, positions in flagged])
            cells = self._settle(pixels, room)
            found = np.concatenate([found, room + np.arange(len(cells))])
            ids = np.concatenate([ids, cells])
            own = self._flagged_slots - room
            rows_area = self.sample_areas_mm2(window.rows)[pixels // width]
            samples = np.concatenate([samples, np.bincount(own)])
            areas = np.concatenate([areas, np.zeros(len(cells), np.int64)])
            np.add.at(areas, self._flagged_slots, rows_area)
        self._keep(found, ids, samples, areas)

    def _settle(self, pixels: Integers, first: int) -> Cells:
        """Give uncertain pixels slots of their own, one for each cell that the library names."""
        cells, which = np.unique(self._looked_up(pixels), return_inverse=True)
        self._flagged = pixels
        self._flagged_slots = (first + which).astype(np.int32)
        return cells

    def _keep(self, found: Integers, ids: Cells, samples: Integers, areas: Integers) -> None:
        self.cells, label = np.unique(ids, return_inverse=True)
        self.label_of_slot = np.full(len(samples), -1, np.int32)
        self.label_of_slot[found] = label
        self.samples = np.zeros(len(self.cells), np.int64)
        self.areas_mm2 = np.zeros(len(self.cells), np.int64)
        np.add.at(self.samples, label, samples[found])
        np.add.at(self.areas_mm2, label, areas[found])

    def _looked_up(self, samples: Integers) -> Cells:
        """The library's cells of samples, counted pixel by pixel along the window's rows."""
        pixel, sample = np.divmod(samples, self.samples_per_pixel)
        row, col = np.divmod(pixel, len(self.window.cols))
        lon, lat = self._positions.degrees(
            self.window.rows.start + row + self._within(sample // self.per_side),
            self.window.cols.start + col + self._within(sample % self.per_side),
        )
        return np.fromiter(
            map(h3.latlng_to_cell, lat.tolist(), lon.tolist(), [self.resolution] * len(lat)),
            np.uint64,
            len(lat),
        )

    def _within(self, step: Integers) -> Floats:
        return (step + 0.5) / self.per_side

    def _split(self, rows: range, cols: range, out: Slots) -> Split:
        """Sample the flagged pixels; those that turn out to lie in one slot get it."""
        flat = out.reshape(-1)
        flagged = np.flatnonzero(flat == FLAGGED)
        parts = [
            self._split_some(rows, cols, flat, flagged[start : start + _SPLIT_AT_ONCE])
            for start in range(0, len(flagged), _SPLIT_AT_ONCE)
        ]
        if not parts:
            return NOT_SPLIT
        counts, slots, weights, examples = (
            np.concatenate(part) for part in zip(*parts, strict=True)
        )
        if len(slots) and slots.min() < 0:
            raise UnexpectedError(
                f"a sample lies outside the planes of resolution {self.resolution}"
            )
        cut = flagged[flat[flagged] < 0]
        flat[cut] = -1 - np.arange(len(cut))
        return Split(np.concatenate([[0], np.cumsum(counts)]), slots, weights, examples)

    def _split_some(
        self, rows: range, cols: range, flat: Slots, pixels: Integers
    ) -> tuple[Integers, Slots, NDArray[np.uint8], NDArray[np.uint8]]:
        """(slots of each cut pixel, and all of them: slots, weights, examples)."""
        row, col = np.divmod(pixels, len(cols))
        step = self._within(np.arange(self.per_side))
        places = self._positions.unit_vectors(
            (rows.start + row)[:, None, None] + step[:, None],
            (cols.start + col)[:, None, None] + step,
        ).reshape(len(pixels), self.samples_per_pixel, 3)
        shape = places.shape[:2]
        slots, weights = np.empty(shape, np.int32), np.empty(shape, np.uint8)
        examples = np.empty(shape, np.uint8)
        locator = self._locator
        counts = split_pixels(
            places, self.per_side, locator.bases, locator.boxes, slots, weights, examples
        )
        whole = counts == 1
        flat[pixels[whole]] = slots[whole, 0]
        taken = (np.arange(shape[1]) < counts[:, None]) & ~whole[:, None]
        return counts[~whole], slots[taken], weights[taken], examples[taken]


def slot_count(grid: Grid, resolution: int, window: Window) -> int:
    """How many slots an index of this window has: what its memory grows with."""
    return _slots_in(locator_of(positions_of(grid), window, resolution, 0.0).boxes)


def locator_of(positions: Positions, window: Window, resolution: int, reach: float) -> Locator:
    """Where hexagons of the window can lie, face by face.

    Places are taken on a lattice; whatever lies between is no farther than `spacing` from one. It
    is as wide as the kernel's stretches, so that these lie well within the boxes.
    """
    places = _lattice(positions, window)
    spacing = _spacing(places) + reach
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
        boxes[face] = (*first, *count, _slots_in(boxes))
    if _slots_in(boxes) > MOST_SLOTS:
        if reach == 0 and len(window.rows) * len(window.cols) <= _MOST_LOOKED_UP:
            return Locator(bases, np.zeros_like(boxes), scale, reach)
        pixels = f"{len(window.rows)} x {len(window.cols)} pixels"
        raise WrongGrid(
            f"{pixels} lie over {_slots_in(boxes):,} cells of resolution {resolution}, more than "
            "are indexed at once",
            hint="index it in smaller windows",
        )
    return Locator(bases, boxes, scale, reach)


def _slots_in(boxes: Integers) -> int:
    return int((boxes[:, 2] * boxes[:, 3]).sum())


def _lattice(positions: Positions, window: Window) -> Floats:
    """The unit vectors (rows, columns, 3) of places over the window, its outer edges included."""
    rows, cols = (
        np.linspace(side.start, side.stop, len(side) // STRETCH + 2)
        for side in (window.rows, window.cols)
    )
    return positions.unit_vectors(rows[:, None], cols)


def _spacing(places: Floats) -> float:
    """The longest diagonal between neighbours of a lattice, in radians, with some to spare."""
    diagonals = places[1:, 1:] - places[:-1, :-1], places[1:, :-1] - places[:-1, 1:]
    longest = max(float(np.linalg.norm(diagonal, axis=-1).max()) for diagonal in diagonals)
    return 1.05 * 2 * math.asin(min(1.0, longest / 2))


def _pixel_reach(positions: Positions, window: Window) -> float:
    """Half the longest diagonal of a pixel, in radians, with some to spare."""
    rows, cols = (
        np.linspace(side.start, side.stop - 1, len(side) // STRETCH + 2)
        for side in (window.rows, window.cols)
    )
    corners = np.stack(
        [
            positions.unit_vectors((rows + down)[:, None], cols + right)
            for down, right in ((0, 0), (1, 1), (0, 1), (1, 0))
        ]
    )
    diagonals = np.linalg.norm(corners[0::2] - corners[1::2], axis=-1)
    return 0.55 * float(diagonals.max())


@numba.njit(nogil=True, cache=True)
def _meet(
    slots: Any,
    start: int,
    sample_areas: Any,
    per_side: int,
    first: Any,
    split_slots: Any,
    split_weights: Any,
    split_examples: Any,
    example: Any,
    samples: Any,
    areas: Any,
) -> bool:
    """Count the samples and areas of slots and note one sample of each; is any pixel FLAGGED?"""
    height, width = slots.shape
    each = per_side * per_side
    middle = (per_side // 2) * per_side + per_side // 2
    uncertain = False
    for row in range(height):
        area = sample_areas[row]
        col = 0
        while col < width:
            slot = slots[row, col]
            begin = col
            col += 1
            if slot >= 0:
                while col < width and slots[row, col] == slot:
                    col += 1
                count = (col - begin) * each
                if example[slot] < 0:
                    example[slot] = (start + row * width + begin) * each + middle
                samples[slot] += count
                areas[slot] += count * area
            elif first.size == 1:
                uncertain = True
            else:
                for part in range(first[-1 - slot], first[-slot]):
                    slot_of_part = split_slots[part]
                    if example[slot_of_part] < 0:
                        pixel = start + row * width + begin
                        example[slot_of_part] = pixel * each + split_examples[part]
                    samples[slot_of_part] += split_weights[part]
                    areas[slot_of_part] += split_weights[part] * area
    return uncertain


@numba.njit(nogil=True, cache=True)
def _relabel(slots: Any, label_of_slot: Any) -> None:
    for row in range(slots.shape[0]):
        for col in range(slots.shape[1]):
            slots[row, col] = label_of_slot[slots[row, col]]
