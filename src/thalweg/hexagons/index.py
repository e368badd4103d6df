"""The H3 cell of every pixel of a grid.

The hexagon of a pixel is found by arithmetic (see `faces`), its id by the official library, asked
once for each hexagon at a pixel that surely lies in it. Pixels whose hexagon floating point leaves
open are looked up one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import h3.api.numpy_int as h3
import numba
import numpy as np
from numpy.typing import NDArray

from thalweg.errors import UnexpectedError
from thalweg.hexagons.boxes import Window, locator_of, pixel_reach, slots_in
from thalweg.hexagons.cells import Cells
from thalweg.hexagons.locating import FLAGGED, split_pixels
from thalweg.hexagons.positions import Floats, Integers, Slots, positions_of
from thalweg.raster.grid import Grid

SURVEYED_PIXELS = 1 << 20
# Finding runs takes longer than counting what mostly dry layers hold.
RUNS_KEPT_BYTES = 32 << 20

_SPLIT_AT_ONCE = 1 << 14
_UNMET = -1
_GENERATOR = 5
_CORNERS = np.array([(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)])


@dataclass(frozen=True)
class Labels:
    """`cells` uint64 [n], sorted and unique; `labels` int32 [height, width] are indices into it."""

    cells: Cells
    labels: NDArray[np.int32]


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


class Runs(NamedTuple):
    """Runs of pixels of one row in one cell: the flat position where each stops, and its cell.

    Cells are indices into `CellIndex.cells`. A split pixel k is a run of its own, -1 - k in the
    place of the cell: it lies in `split_cells[split_first[k] : split_first[k + 1]]`, with
    `split_weights` samples in each.
    """

    stops: Slots
    cells: Slots
    split_first: Integers
    split_cells: Slots
    split_weights: NDArray[np.uint8]


class Scratch:
    """Room for the slots and runs of one part, made once."""

    def __init__(self, pixels: int) -> None:
        self.slots, self.stops, self.cells = (np.empty(pixels, np.int32) for _ in range(3))


class CellIndex:
    """The cells of one resolution that the pixels of a window lie in.

    With `per_pixel` of 1 a pixel lies in the cell of its centre. With more, a pixel that is cut by
    an edge is sampled as often, and each sample lies in a cell.

    `cells` uint64 [n] are sorted. A *slot* stands for a cell while pixels are worked on; several
    may stand for the same one, and `label_of_slot` says which, -1 for none. `samples` and
    `areas_mm2`, int64 [n], are the number of samples in each cell and the area they stand for.
    """

    def __init__(self, grid: Grid, resolution: int, window: Window, per_pixel: int = 1) -> None:
        self.window = window
        self.resolution = resolution
        self.per_pixel = per_pixel
        self._offsets = sample_offsets(per_pixel)
        self._positions = positions_of(grid)
        reach = 0.0 if per_pixel == 1 else pixel_reach(self._positions, window)
        self._locator = locator_of(self._positions, window, resolution, reach)
        self._within_parts: dict[tuple[range, range], tuple[Integers, Integers]] = {}
        self._runs: dict[tuple[range, range], Runs] = {}
        self._room_for_runs = RUNS_KEPT_BYTES
        self._flagged: Integers = np.zeros(0, np.int64)
        self._flagged_slots: Slots = np.zeros(0, np.int32)
        self._survey()

    def sample_areas_mm2(self, rows: range) -> Integers:
        """The area of one sample, by row."""
        return self._positions.areas_mm2(rows, self.per_pixel)

    def slots(self, rows: range, cols: range, out: Slots) -> Split:
        """Fill `out` (rows, columns) with slots, and `-1 - k` for split pixel k."""
        self._positions.slots(rows, cols, self._locator, out)
        if self.per_pixel > 1:
            return self._split(rows, cols, out)
        width = len(self.window.cols)
        begin = (rows.start - self.window.rows.start) * width
        first, last = np.searchsorted(self._flagged, (begin, begin + len(rows) * width))
        row, col = np.divmod(self._flagged[first:last] - begin, width)
        col += self.window.cols.start - cols.start
        here = (col >= 0) & (col < len(cols))
        out[row[here], col[here]] = self._flagged_slots[first:last][here]
        return NOT_SPLIT

    def runs(self, part: Window, scratch: Scratch) -> Runs:
        """The runs of a part of the window; kept, as far as there is room, for the next raster."""
        key = (part.rows, part.cols)
        if key in self._runs:
            return self._runs[key]
        runs = self._find_runs(part, scratch)
        size = sum(array.nbytes for array in runs)
        if size <= self._room_for_runs:
            self._room_for_runs -= size
            self._runs[key] = runs
        return runs

    def samples_within(self, part: Window, scratch: Scratch) -> tuple[Integers, Integers]:
        """The cells (indices into `cells`) of a part of the window, and their samples in it.

        Kept, for the next raster that has nothing there.
        """
        key = (part.rows, part.cols)
        if key not in self._within_parts:
            runs = self._find_runs(part, scratch)
            lengths = np.diff(runs.stops, prepend=0)
            whole = runs.cells >= 0
            labels, which = np.unique(
                np.concatenate([runs.cells[whole], runs.split_cells]), return_inverse=True
            )
            samples = np.concatenate([lengths[whole] * self.per_pixel, runs.split_weights])
            self._within_parts[key] = labels, np.bincount(which, samples).astype(np.int64)
        return self._within_parts[key]

    def _find_runs(self, part: Window, scratch: Scratch) -> Runs:
        shape = len(part.rows), len(part.cols)
        slots = scratch.slots[: shape[0] * shape[1]].reshape(shape)
        split = self.slots(part.rows, part.cols, slots)
        found = _find_runs(slots, self.label_of_slot, scratch.stops, scratch.cells)
        return Runs(
            scratch.stops[:found].copy(),
            scratch.cells[:found].copy(),
            split.first,
            self.label_of_slot[split.slots],
            split.weights,
        )

    def _survey(self) -> None:
        """Find each slot's cell and samples, and settle the pixels that are not certain."""
        window, width = self.window, len(self.window.cols)
        room = slots_in(self._locator.boxes)
        example = np.full(room, _UNMET, np.int64)
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
                self.per_pixel,
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
        found = np.flatnonzero(example != _UNMET)
        sample = example[found]
        ids = self._looked_up(np.where(sample >= 0, sample, -2 - sample))
        if flagged:
            pixels = np.concatenate([start * width + positions for start, positions in flagged])
            cells, own, own_areas = self._settle(pixels, room)
            found = np.concatenate([found, room + np.arange(len(cells))])
            ids = np.concatenate([ids, cells])
            samples, areas = np.concatenate([samples, own]), np.concatenate([areas, own_areas])
        self._keep(found, ids, samples, areas)

    def _settle(self, pixels: Integers, first: int) -> tuple[Cells, Integers, Integers]:
        """Give uncertain pixels slots of their own, one for each cell that the library names.

        (cells, their samples, their areas).
        """
        cells, which = np.unique(self._looked_up(pixels), return_inverse=True)
        self._flagged = pixels
        self._flagged_slots = (first + which).astype(np.int32)
        areas = np.zeros(len(cells), np.int64)
        by_row = self.sample_areas_mm2(self.window.rows)
        np.add.at(areas, which, by_row[pixels // len(self.window.cols)])
        return cells, np.bincount(which), areas

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
        pixel, sample = np.divmod(samples, self.per_pixel)
        row, col = np.divmod(pixel, len(self.window.cols))
        lon, lat = self._positions.degrees(
            self.window.rows.start + row + self._offsets[sample, 0],
            self.window.cols.start + col + self._offsets[sample, 1],
        )
        return np.fromiter(
            map(h3.latlng_to_cell, lat.tolist(), lon.tolist(), [self.resolution] * len(lat)),
            np.uint64,
            len(lat),
        )

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
        row, col = rows.start + row, cols.start + col
        corners = self._positions.samples(row, col, _CORNERS)
        places = self._positions.samples(row, col, self._offsets)
        shape = places.shape[:2]
        slots, weights = np.empty(shape, np.int32), np.empty(shape, np.uint8)
        examples = np.empty(shape, np.uint8)
        locator = self._locator
        counts = split_pixels(
            corners, places, locator.bases, locator.boxes, slots, weights, examples
        )
        whole = counts == 1
        flat[pixels[whole]] = slots[whole, 0]
        taken = (np.arange(shape[1]) < counts[:, None]) & ~whole[:, None]
        return counts[~whole], slots[taken], weights[taken], examples[taken]


def sample_offsets(per_pixel: int) -> Floats:
    """(samples, 2): (row, column) of each sample within a pixel, a lattice of one generator.

    No two samples share a row or column, so that edges of any direction are told apart finely.
    """
    step = np.arange(per_pixel)
    return (np.stack([step, step * _GENERATOR % per_pixel], axis=1) + 0.5) / per_pixel


@numba.njit(nogil=True, cache=True)
def _find_runs(slots: Any, label_of_slot: Any, stops: Any, cells: Any) -> int:
    """Runs of pixels of one row in one cell: where each ends, its cell; how many there are.

    A split pixel is a run of its own, its number from -1 downwards instead of the cell.
    """
    height, width = slots.shape
    runs = 0
    for row in range(height):
        line = slots[row]
        col = 0
        while col < width:
            slot = line[col]
            col += 1
            if slot >= 0:
                while col < width and line[col] == slot:
                    col += 1
                cells[runs] = label_of_slot[slot]
            else:
                cells[runs] = slot
            stops[runs] = row * width + col
            runs += 1
    return runs


@numba.njit(nogil=True, cache=True)
def _meet(
    slots: Any,
    start: int,
    sample_areas: Any,
    each: int,
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
                    example[slot] = (start + row * width + begin) * each
                samples[slot] += count
                areas[slot] += count * area
            elif first.size == 1:
                uncertain = True
            else:
                for part in range(first[-1 - slot], first[-slot]):
                    slot_of_part = split_slots[part]
                    if example[slot_of_part] == _UNMET:
                        # A whole pixel, met later, is the better example.
                        pixel = start + row * width + begin
                        example[slot_of_part] = -2 - (pixel * each + split_examples[part])
                    samples[slot_of_part] += split_weights[part]
                    areas[slot_of_part] += split_weights[part] * area
    return uncertain


@numba.njit(nogil=True, cache=True)
def _relabel(slots: Any, label_of_slot: Any) -> None:
    for row in range(slots.shape[0]):
        for col in range(slots.shape[1]):
            slots[row, col] = label_of_slot[slots[row, col]]
