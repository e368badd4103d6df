"""Runs of pixels of one row in one cell, and how they are kept for the next raster on a grid."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from thalweg.hexagons.boxes import Window
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


class PackedRuns(NamedTuple):
    """Runs of slots in three bytes each: a length, and a step from slot to slot along the row.

    `begins` are the slots that rows set out from. Runs longer than a byte says are cut. Split
    pixels are the step `_NEXT_SPLIT`; the way from slot to slot passes over them.
    """

    begins: Slots
    lengths: NDArray[np.uint8]
    steps: NDArray[np.int16]


def packed(stops: Slots, slots: Slots, part: Window) -> PackedRuns | None:
    """The runs of a part, of slots and split pixels; None where a step between slots is too far."""
    pixels = len(part.rows) * len(part.cols)
    most = len(stops) + pixels // _LONGEST
    begins = np.zeros(len(part.rows), np.int32)
    lengths, steps = np.empty(most, np.uint8), np.empty(most, np.int16)
    count = _pack(stops, slots, len(part.cols), begins, lengths, steps)
    return None if count < 0 else PackedRuns(begins, lengths[:count].copy(), steps[:count].copy())


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
