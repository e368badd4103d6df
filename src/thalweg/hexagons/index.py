"""The H3 cell of every pixel of a grid.

The hexagon of a pixel is found by arithmetic (see `faces`), its id by the official library, asked
once for each hexagon at a pixel that surely lies in it. Pixels whose hexagon floating point leaves
open are looked up one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import Any

import h3.api.numpy_int as h3
import numba
import numpy as np
from numpy.typing import NDArray

from thalweg.errors import UnexpectedError
from thalweg.hexagons.boxes import (
    PART_COLS,
    PART_ROWS,
    Window,
    locator_of,
    pixel_reach,
    slots_in,
)
from thalweg.hexagons.cells import Cells
from thalweg.hexagons.locating import FLAGGED, split_pixels
from thalweg.hexagons.positions import Floats, Integers, Slots, positions_of
from thalweg.hexagons.runs import PackedRuns, SplitCells, packed, unpack
from thalweg.hexagons.walking import join_runs
from thalweg.raster.grid import Grid

# Finding runs takes longer than counting what mostly dry layers hold.
RUNS_KEPT_BYTES = 24 << 20

_SPLIT_AT_ONCE = 1 << 14
_LOOKED_UP_AT_ONCE = 1 << 16
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

    def of_slots(self) -> SplitCells:
        """The same with slots for cells."""
        return SplitCells(self.first, self.slots, self.weights)


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
    index.fill_labels(out)
    return Labels(index.cells, out)


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
        self._runs: dict[tuple[range, range], tuple[PackedRuns, SplitCells]] = {}
        self._room_for_runs = RUNS_KEPT_BYTES
        self._flagged: Integers = np.zeros(0, np.int64)
        self._flagged_slots: Slots = np.zeros(0, np.int32)
        self._survey()

    def sample_areas_mm2(self, rows: range) -> Integers:
        """The area of one sample, by row."""
        return self._positions.areas_mm2(rows, self.per_pixel)

    def fill_labels(self, out: Slots) -> None:
        """Fill `out` (rows, columns of the window) with the cells of pixel centres, as indices into
        `cells`; `per_pixel` must be 1."""
        stops, cells = np.empty((2, PART_ROWS * PART_COLS), np.int32)
        top, left = self.window.rows.start, self.window.cols.start
        for part in self.window.parts():
            found, _ = self.fill_runs(part, stops, cells)
            rows = slice(part.rows.start - top, part.rows.stop - top)
            cols = slice(part.cols.start - left, part.cols.stop - left)
            labels = np.repeat(cells[:found], np.diff(stops[:found], prepend=0))
            out[rows, cols] = labels.reshape(len(part.rows), len(part.cols))

    def fill_runs(self, part: Window, stops: Slots, cells: Slots) -> tuple[int, SplitCells]:
        """Fill in the runs of a part of the window: how many there are, and the split pixels.

        Of each the flat position in the part that it ends before, and its cell, or `-1 - k` for
        split pixel k, a run of its own. Runs are kept, as far as there is room, for the next
        raster.
        """
        kept = self._runs.get((part.rows, part.cols))
        if kept:
            runs, split = kept
            return unpack(*runs, len(part.cols), self.label_of_slot, stops, cells), split
        found, sampled = self._find_runs(part, stops, cells)
        split = self._labelled(sampled.of_slots())
        self._keep_runs(part, stops[:found], cells[:found], split)
        _relabel(cells[:found], self.label_of_slot)
        return found, split

    def samples_within(self, part: Window) -> tuple[Integers, Integers]:
        """The cells (indices into `cells`) of a part of the window, and their samples in it.

        Kept, for the next raster that has nothing there.
        """
        key = (part.rows, part.cols)
        if key not in self._within_parts:
            stops, cells = np.empty((2, len(part.rows) * len(part.cols)), np.int32)
            found, split = self.fill_runs(part, stops, cells)
            lengths, cells = np.diff(stops[:found], prepend=0), cells[:found]
            whole = cells >= 0
            labels = np.concatenate([cells[whole], split.cells])
            counted = np.concatenate([lengths[whole] * self.per_pixel, split.weights])
            samples = np.bincount(labels, counted).astype(np.int64)
            met = np.flatnonzero(samples)
            self._within_parts[key] = met, samples[met]
            # Rasters on one grid mostly have nothing in the same places: room for others' runs.
            if key in self._runs:
                self._room_for_runs += _size(*self._runs.pop(key))
        return self._within_parts[key]

    def _find_runs(self, part: Window, stops: Slots, slots: Slots) -> tuple[int, Split]:
        """Fill in where the runs of a part stop, and their slots: how many there are, and the split
        pixels. Split pixel k is in slot `-1 - k`; what is not settled is FLAGGED."""
        found = self._positions.runs(part.rows, part.cols, self._locator, stops, slots)
        flagged = np.flatnonzero(slots[:found] == FLAGGED)
        if not len(flagged):
            return found, NOT_SPLIT
        row, col = np.divmod(stops[flagged].astype(np.int64) - 1, len(part.cols))
        row, col = part.rows.start + row, part.cols.start + col
        split = NOT_SPLIT
        if self.per_pixel > 1:
            slots[flagged], split = self._split(row, col)
        elif len(self._flagged):
            slots[flagged] = self._settled(row, col)
        return join_runs(stops[:found], slots[:found], len(part.cols)), split

    def _settled(self, row: Integers, col: Integers) -> Slots:
        """The slots of uncertain pixels, once they are known."""
        window = self.window
        pixels = (row - window.rows.start) * len(window.cols) + col - window.cols.start
        return self._flagged_slots[np.searchsorted(self._flagged, pixels)]

    def _labelled(self, split: SplitCells) -> SplitCells:
        """The cells of what are slots."""
        return split._replace(cells=self.label_of_slot[split.cells])

    def _keep_runs(self, part: Window, stops: Slots, slots: Slots, split: SplitCells) -> None:
        """Keep the runs of slots of a part, where there is room."""
        runs = packed(stops, slots, part)
        if runs and _size(runs, split) <= self._room_for_runs:
            self._runs[part.rows, part.cols] = runs, split
            self._room_for_runs -= _size(runs, split)

    def _survey(self) -> None:
        """Find each slot's cell and samples, and settle the pixels that are not certain."""
        window, width = self.window, len(self.window.cols)
        room = slots_in(self._locator.boxes)
        example = np.full(room, _UNMET, np.int64)
        samples, areas = np.zeros(room, np.int64), np.zeros(room, np.int64)
        all_stops, all_slots = np.empty((2, PART_ROWS * PART_COLS), np.int32)
        flagged: list[Integers] = [np.zeros(0, np.int64)]
        for part in window.parts():
            runs, split = self._find_runs(part, all_stops, all_slots)
            stops, slots = all_stops[:runs], all_slots[:runs]
            corner = part.rows.start - window.rows.start, part.cols.start - window.cols.start
            uncertain = _meet(
                stops,
                slots,
                len(part.cols),
                corner[0] * width + corner[1],
                width,
                self.sample_areas_mm2(part.rows),
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
                row, col = np.divmod(stops[slots == FLAGGED].astype(np.int64) - 1, len(part.cols))
                flagged.append((corner[0] + row) * width + corner[1] + col)
            else:
                self._keep_runs(part, stops, slots, split.of_slots())
        found = np.flatnonzero(example != _UNMET)
        sample = example[found]
        ids = self._looked_up(np.where(sample >= 0, sample, -2 - sample))
        pixels = np.sort(np.concatenate(flagged))
        if len(pixels):
            cells, own, own_areas = self._settle(pixels, room)
            found = np.concatenate([found, room + np.arange(len(cells))])
            ids = np.concatenate([ids, cells])
            samples, areas = np.concatenate([samples, own]), np.concatenate([areas, own_areas])
        self._keep(found, ids, samples, areas)
        self._runs = {
            key: (runs, self._labelled(slots)) for key, (runs, slots) in self._runs.items()
        }

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
        found = np.empty(len(samples), np.uint64)
        for start in range(0, len(samples), _LOOKED_UP_AT_ONCE):
            some = slice(start, start + _LOOKED_UP_AT_ONCE)
            pixel, sample = np.divmod(samples[some], self.per_pixel)
            row, col = np.divmod(pixel, len(self.window.cols))
            lon, lat = self._positions.degrees(
                self.window.rows.start + row + self._offsets[sample, 0],
                self.window.cols.start + col + self._offsets[sample, 1],
            )
            resolutions = repeat(self.resolution)
            found[some] = list(map(h3.latlng_to_cell, lat.tolist(), lon.tolist(), resolutions))
        return found

    def _split(self, row: Integers, col: Integers) -> tuple[Slots, Split]:
        """Sample pixels: the slot of those that turn out to lie in one, `-1 - k` of the others."""
        starts = range(0, len(row), _SPLIT_AT_ONCE)
        some = (slice(start, start + _SPLIT_AT_ONCE) for start in starts)
        parts = [self._split_some(row[chosen], col[chosen]) for chosen in some]
        counts, firsts, slots, weights, examples = (
            np.concatenate(part) for part in zip(*parts, strict=True)
        )
        if firsts.min() < 0 or (len(slots) and slots.min() < 0):
            raise UnexpectedError(
                f"a sample lies outside the planes of resolution {self.resolution}"
            )
        cut = np.flatnonzero(counts > 1)
        firsts[cut] = -1 - np.arange(len(cut))
        ends = np.concatenate([[0], np.cumsum(counts[cut])])
        return firsts, Split(ends, slots, weights, examples)

    def _split_some(
        self, row: Integers, col: Integers
    ) -> tuple[Integers, Slots, Slots, NDArray[np.uint8], NDArray[np.uint8]]:
        """(slots of each pixel, the first of them; of cut pixels all: slots, weights, examples)."""
        corners = self._positions.samples(row, col, _CORNERS)
        places = self._positions.samples(row, col, self._offsets)
        shape = places.shape[:2]
        slots, weights = np.empty(shape, np.int32), np.empty(shape, np.uint8)
        examples = np.empty(shape, np.uint8)
        locator = self._locator
        counts = split_pixels(
            corners, places, locator.bases, locator.boxes, slots, weights, examples
        )
        taken = (np.arange(shape[1]) < counts[:, None]) & (counts > 1)[:, None]
        return counts, slots[:, 0].copy(), slots[taken], weights[taken], examples[taken]


def sample_offsets(per_pixel: int) -> Floats:
    """(samples, 2): (row, column) of each sample within a pixel, a lattice of one generator.

    No two samples share a row or column, so that edges of any direction are told apart finely.
    """
    step = np.arange(per_pixel)
    return (np.stack([step, step * _GENERATOR % per_pixel], axis=1) + 0.5) / per_pixel


def _size(runs: PackedRuns, split: SplitCells) -> int:
    return sum(array.nbytes for array in (*runs, *split))


@numba.njit(nogil=True, cache=True)
def _meet(
    stops: Any,
    slots: Any,
    width: int,
    corner: int,
    stride: int,
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
    """Count the samples and areas of slots and note one sample of each; is any pixel FLAGGED?

    Of the runs of a part so wide, whose first pixel is the `corner` of a window `stride` wide.
    """
    uncertain = False
    begin, row = 0, 0
    for run in range(stops.size):
        slot = slots[run]
        while begin >= (row + 1) * width:
            row += 1
        area = sample_areas[row]
        pixel = corner + row * stride + begin - row * width
        if slot >= 0:
            count = (stops[run] - begin) * each
            if example[slot] < 0:
                example[slot] = pixel * each
            samples[slot] += count
            areas[slot] += count * area
        elif first.size == 1:
            uncertain = True
        else:
            for part in range(first[-1 - slot], first[-slot]):
                slot_of_part = split_slots[part]
                if example[slot_of_part] == _UNMET:
                    # A whole pixel, met later, is the better example.
                    example[slot_of_part] = -2 - (pixel * each + split_examples[part])
                samples[slot_of_part] += split_weights[part]
                areas[slot_of_part] += split_weights[part] * area
        begin = stops[run]
    return uncertain


@numba.njit(nogil=True, cache=True)
def _relabel(slots: Any, label_of_slot: Any) -> None:
    for index in range(slots.size):
        if slots[index] >= 0:
            slots[index] = label_of_slot[slots[index]]
