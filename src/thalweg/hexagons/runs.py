"""Runs of pixels of one row in one cell, and how they are kept for the next raster on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

import numba
import numpy as np
from numpy.typing import NDArray

from thalweg.hexagons.boxes import PART_COLS, PART_ROWS, Window
from thalweg.hexagons.positions import Integers, Slots

_LONGEST = 255
_FARTHEST = (1 << 15) - 1
_NEXT_SPLIT = -1 << 15


class SplitCells(NamedTuple):
    """The pixels that an edge between cells cuts, in their order.

    Pixel k, which stands as `-1 - k` among the cells of runs, has its samples in the cells
    `cells[first[k] : first[k + 1]]`, of each as many as `weights` says.
    """

    first: Integers
    cells: Slots
    weights: NDArray[np.uint8]


class Indexed(Protocol):
    """What knows the runs of its parts."""

    def fill_runs(
        self, part: Window, stops: Slots, cells: Slots, room: Slots
    ) -> tuple[int, SplitCells]:
        """Fill in the runs of a part: how many there are, and the split pixels.

        Of each the flat position in the part that it ends before, and its cell, or `-1 - k` for
        split pixel k, a run of its own. `room` is for as many slots as the part has pixels.
        """


class Placed(NamedTuple):
    """The runs of one part of a window, by several indices one after another.

    `stops` and `cells` are as `Indexed.fill_runs` gives them, those of index i from `first[i]` on;
    its split pixels begin at `split_origins[i]` of `split_first`. The cells of all indices count as
    one series, in which those of index i begin at `cell_origins[i]`.
    """

    stops: Slots
    cells: Slots
    first: Integers
    cell_origins: Integers
    split_origins: Integers
    split_first: Integers
    split_cells: Slots
    split_weights: NDArray[np.uint8]


class PartRuns:
    """Finds the runs of one part after another, into the same arrays."""

    def __init__(self, indices: Sequence[Indexed], cell_counts: Sequence[int]) -> None:
        pixels = PART_ROWS * PART_COLS
        self._indices = indices
        self.cell_origins = np.array([*accumulate(cell_counts, initial=0)])
        # Memory is taken for what is written to.
        self._stops, self._cells = np.empty((2, len(indices) * pixels), np.int32)
        self._room = np.empty(pixels, np.int32)

    def placed(self, part: Window) -> Placed:
        """The runs of a part; those of the part before are gone then."""
        first, splits = [0], []
        for index in self._indices:
            stops, cells = self._stops[first[-1] :], self._cells[first[-1] :]
            found, split = index.fill_runs(part, stops, cells, self._room)
            first.append(first[-1] + found)
            splits.append(split)
        split_origins = accumulate((len(split.first) for split in splits[:-1]), initial=0)
        parts_before = accumulate((len(split.cells) for split in splits[:-1]), initial=0)
        counted_on = zip(splits, parts_before, strict=True)
        return Placed(
            stops=self._stops,
            cells=self._cells,
            first=np.array(first[:-1]),
            cell_origins=self.cell_origins,
            split_origins=np.array([*split_origins]),
            split_first=np.concatenate([split.first + count for split, count in counted_on]),
            split_cells=np.concatenate([split.cells for split in splits]),
            split_weights=np.concatenate([split.weights for split in splits]),
        )


class PackedRuns(NamedTuple):
    """Runs of slots in three bytes each: a length, and a step from slot to slot along the row.

    `begins` are the slots that rows set out from. Runs longer than a byte says are cut. Split
    pixels are the step `_NEXT_SPLIT`; the way from slot to slot passes over them.
    """

    begins: Slots
    lengths: NDArray[np.uint8]
    steps: NDArray[np.int16]


def packed(stops: Slots, slots: Slots, part: Window) -> PackedRuns | None:
    """Runs of a part as `find_runs` gives them; None where a step from slot to slot is too far."""
    pixels = len(part.rows) * len(part.cols)
    most = len(stops) + pixels // _LONGEST
    begins = np.zeros(len(part.rows), np.int32)
    lengths, steps = np.empty(most, np.uint8), np.empty(most, np.int16)
    count = _pack(stops, slots, len(part.cols), begins, lengths, steps)
    return None if count < 0 else PackedRuns(begins, lengths[:count].copy(), steps[:count].copy())


@numba.njit(nogil=True, cache=True)
def find_runs(slots: Any, stops: Any, found: Any) -> int:
    """Runs of pixels of one row in one slot: where each ends, its slot; how many there are.

    A pixel that is no slot's, but split or flagged, is a run of its own.
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
            found[runs] = slot
            stops[runs] = row * width + col
            runs += 1
    return runs


@numba.njit(nogil=True, cache=True)
def _pack(stops: Any, slots: Any, width: int, begins: Any, lengths: Any, steps: Any) -> int:
    """Fill in the arrays of `PackedRuns`; how many runs there are then, -1 for too far a step."""
    count, begin, row_end, slot = 0, 0, 0, -1
    for run in range(stops.size):
        if begin == row_end:
            row_end += width
            slot = -1
        here, step = slots[run], _NEXT_SPLIT
        if here >= 0:
            if slot < 0:
                slot = here
                begins[row_end // width - 1] = here
            step = here - slot
            slot = here
            if abs(step) > _FARTHEST:
                return -1
        while begin < stops[run]:
            lengths[count], steps[count] = min(stops[run] - begin, _LONGEST), step
            begin += lengths[count]
            count += 1
            step = 0
    return count


@numba.njit(nogil=True, cache=True)
def unpack(
    begins: Any, lengths: Any, steps: Any, width: int, label_of_slot: Any, stops: Any, cells: Any
) -> int:
    """Fill in where the packed runs stop, and their cells; how many there are."""
    position, row_end, slot, splits = 0, 0, 0, 0
    for run in range(lengths.size):
        if position == row_end:
            slot = begins[row_end // width]
            row_end += width
        if steps[run] == _NEXT_SPLIT:
            splits += 1
            cells[run] = -splits
        else:
            slot += steps[run]
            cells[run] = label_of_slot[slot]
        position += lengths[run]
        stops[run] = position
    return int(lengths.size)
