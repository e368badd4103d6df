"""Where the cells of several resolutions lie in one part of a window."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.hexagons.boxes import PART_COLS, PART_ROWS, Window
from thalweg.hexagons.index import CellIndex
from thalweg.hexagons.positions import Integers, Slots


class Placed(NamedTuple):
    """The runs of one part of a window, by several indices one after another.

    `stops` and `cells` are of `CellIndex.fill_runs`, those of index i from `first[i]` on;
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

    def __init__(self, indices: Sequence[CellIndex]) -> None:
        pixels = PART_ROWS * PART_COLS
        self._indices = indices
        counts = (len(index.cells) for index in indices)
        self.cell_origins = np.array([*accumulate(counts, initial=0)])
        # Memory is taken for what is written to.
        self._stops, self._cells = np.empty((2, len(indices) * pixels), np.int32)

    def placed(self, part: Window) -> Placed:
        """The runs of a part; those of the part before are gone then."""
        first, splits = [0], []
        for index in self._indices:
            stops, cells = self._stops[first[-1] :], self._cells[first[-1] :]
            found, split = index.fill_runs(part, stops, cells)
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
