"""Zonal statistics: all bands of a raster in the cells of several resolutions, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as FileWindow

from thalweg.domain.pixels import PixelRules
from thalweg.errors import UndeclaredValue, WrongDtype
from thalweg.hexagons.accumulating import (
    FIRST_SPECIAL,
    add_others,
    add_values,
    find_runs,
    list_pixels,
)
from thalweg.hexagons.index import CellIndex, Window, slot_count
from thalweg.hexagons.measures import DEPTHS_M, Measures, Rule
from thalweg.hexagons.statistics import CellStatistics, check_room, extremes, merged
from thalweg.raster.codec import Pixels
from thalweg.raster.grid import Grid, grid_of
from thalweg.raster.reading import environment, opened, unreadable

STRIP_PIXELS = 1 << 20

_MOST_SLOTS_A_PIECE = 1 << 23
_MOST_COLUMNS_A_PIECE = 1 << 14
_INDICES_KEPT = 12


def zonal(
    path: str,
    resolutions: Sequence[int],
    *,
    rules: PixelRules,
    rule: Rule = Rule.CENTRE,
    depths_m: Sequence[float] = DEPTHS_M,
    histogram: bool = False,
    window: Window | None = None,
    where: str | None = None,
) -> dict[int, CellStatistics]:
    """The statistics of a raster's bands, or of a window of them, by resolution.

    Every pixel is held against the rules: `UndeclaredValue` names the file, the band and the place.
    Raises `UnreadableRaster`, `WrongDtype`, `WrongCrs` or `WrongGrid` besides. Memory grows with
    the width of the raster and with the cells, not with the height. Bands are named by their
    descriptions, or by number where they have none.
    """
    where = where or path
    with environment(), opened(path, where=where) as dataset:
        grid = grid_of(dataset, where=where)
        if set(dataset.dtypes) != {rules.dtype}:
            raise WrongDtype(f"its type is {dataset.dtypes[0]}, not {rules.dtype}", where=where)
        measures = Measures(_names(dataset), rules, rule, tuple(depths_m), histogram)
        pieces = list(_pieces(grid, max(resolutions), window or Window.of(grid)))
        parts: list[dict[int, CellStatistics]] = []
        for piece in pieces:
            pass_ = Pass(grid, piece, resolutions, measures, where)
            for rows, pixels in _strips(dataset, piece, where):
                pass_.add(rows, pixels)
            parts.append(pass_.statistics())
    return {resolution: merged(part[resolution] for part in parts) for resolution in resolutions}


class Pass:
    """One pass over a window of a grid, strips of pixels from top to bottom."""

    def __init__(
        self,
        grid: Grid,
        window: Window,
        resolutions: Sequence[int],
        measures: Measures,
        where: str = "",
    ) -> None:
        self._window = window
        self._reader = _Lister(measures, where)
        self._tallies = [
            _Tally(cell_index(grid, resolution, window, measures.rule), measures)
            for resolution in resolutions
        ]
        self._slots = np.empty(0, np.int32)

    def add(self, rows: range, pixels: Pixels) -> None:
        """Count pixels (bands, rows, columns), which are those of the window's columns."""
        width = len(self._window.cols)
        at_once = max(1, STRIP_PIXELS // width)
        for start in range(0, len(rows), at_once):
            self._add_strip(rows[start : start + at_once], pixels[:, start : start + at_once, :])

    def statistics(self) -> dict[int, CellStatistics]:
        """The statistics of the rows so far, by resolution."""
        return {tally.index.resolution: tally.statistics() for tally in self._tallies}

    def _add_strip(self, rows: range, pixels: Pixels) -> None:
        placed = False
        for band, plane in enumerate(pixels):
            listed = self._reader.read(plane, band, rows.start, self._window.cols.start)
            if not listed:
                continue
            for tally in self._tallies:
                if not placed:
                    tally.place(rows, self._buffer(plane.shape))
                tally.add(band, self._reader)
            placed = True

    def _buffer(self, shape: tuple[int, ...]) -> NDArray[np.int32]:
        size = shape[0] * shape[1]
        if self._slots.size < size:
            self._slots = np.empty(size, np.int32)
        return self._slots[:size].reshape(shape)


class _Lister:
    """The pixels of one band in one strip that are not zero."""

    def __init__(self, measures: Measures, where: str) -> None:
        rules = measures.rules
        dtype = measures.dtype
        self._measures = measures
        self._where = where
        self._nodata = np.array(rules.nodata).astype(dtype)[()]
        kept = [value.meaning for value in rules.kept_special()]
        kinds = [0 if s.as_nodata else 1 + kept.index(s.meaning) for s in rules.special]
        self._special = np.array([s.value for s in rules.special]).astype(dtype)
        self._kinds = np.array(kinds, np.int64)
        self._room = 0

    def read(self, plane: Pixels, band: int, first_row: int, first_col: int) -> bool:
        """List a plane's pixels; whether there are any. `UndeclaredValue` where one is none."""
        self._make_room(plane.size)
        measures, undeclared = self._measures, np.zeros(3)
        self.listed, self.runs = list_pixels(
            plane,
            plane.view(f"u{plane.itemsize}"),
            measures.rules.minimum,
            measures.rules.maximum,
            self._nodata,
            self._special,
            self._kinds,
            measures.thresholds,
            measures.buckets.first,
            measures.buckets.zero,
            self.positions,
            self.values,
            self.classes,
            self.buckets,
            self.starts,
            self.stops,
            self.kinds,
            undeclared,
        )
        if measures.zero == "undeclared" and not undeclared[0] and not plane.all():
            undeclared[:] = (plane == 0).sum(), np.flatnonzero(plane == 0)[0], 0
        if undeclared[0]:
            row, col = divmod(int(undeclared[1]), plane.shape[1])
            raise UndeclaredValue(
                f"{int(undeclared[0])} pixels of band {measures.bands[band]} are not declared, "
                f"the first {undeclared[2]:g} at row {first_row + row}, column {first_col + col}",
                where=self._where,
                hint="declare the value under pixels.special, or widen minimum and maximum",
            )
        return bool(self.listed or self.runs)

    def _make_room(self, size: int) -> None:
        if size <= self._room:
            return
        self._room = size
        self.positions = np.empty(size, np.int32)
        self.values = np.empty(size, self._measures.dtype)
        self.classes = np.empty(size, np.uint8)
        self.buckets = np.empty(size if self._measures.histogram else 0, np.int32)
        self.starts = np.empty(size, np.int32)
        self.stops = np.empty(size, np.int32)
        self.kinds = np.empty(size, np.int32)


class _Tally:
    """The accumulators of one resolution.

    They have room for every cell; the system gives memory for those only that are written to.
    """

    def __init__(self, index: CellIndex, measures: Measures) -> None:
        check_room(index.samples, measures)
        self.index = index
        self._measures = measures
        cells, bands = len(index.cells), len(measures.bands)
        self._above_first = FIRST_SPECIAL + len(measures.special)
        columns = self._above_first + 2 * len(measures.depths_m)
        buckets = measures.buckets.count if measures.histogram else 0
        self._row_of_cell = np.full(cells, -1, np.int32)
        self._used = np.zeros(1, np.int64)
        self._counts = np.zeros((cells, bands, columns), np.int64)
        self._sums = np.zeros((cells, bands, 4), measures.sums_dtype)
        self._histogram = np.zeros((cells, bands, buckets), np.uint32)
        self._lowest, self._highest = extremes(measures)
        self._zero = measures.sums_dtype.type(0)
        self._stops = self._cells = np.empty(0, np.int32)

    def place(self, rows: range, slots: NDArray[np.int32]) -> None:
        """Find the runs of cells in a strip; `slots` is a buffer of its shape."""
        index = self.index
        split = index.slots(rows, slots)
        if self._stops.size < slots.size:
            self._stops, self._cells = (
                np.empty(slots.size, np.int32),
                np.empty(slots.size, np.int32),
            )
        find_runs(slots, index.label_of_slot, self._stops, self._cells)
        self._width = slots.shape[1]
        self._areas = index.sample_areas_mm2(rows)
        self._split = split.first, index.label_of_slot[split.slots], split.weights

    def add(self, band: int, reader: _Lister) -> None:
        """Add a band's listed pixels of the strip that was placed last."""
        each = self.index.samples_per_pixel
        add_values(
            reader.positions,
            reader.values,
            reader.classes,
            reader.buckets,
            reader.listed,
            self._stops,
            self._cells,
            self._width,
            self._areas,
            each,
            *self._split,
            self._row_of_cell,
            self._used,
            band,
            self._above_first,
            self._counts,
            self._sums,
            self._histogram,
            self._zero,
            self._lowest,
            self._highest,
        )
        add_others(
            reader.starts,
            reader.stops,
            reader.kinds,
            reader.runs,
            self._stops,
            self._cells,
            each,
            *self._split,
            self._row_of_cell,
            self._used,
            band,
            self._counts,
            self._sums,
            self._lowest,
            self._highest,
        )

    def statistics(self) -> CellStatistics:
        occupied = np.flatnonzero(self._row_of_cell >= 0)
        rows = self._row_of_cell[occupied]
        return CellStatistics(
            resolution=self.index.resolution,
            measures=self._measures,
            cells=self.index.cells,
            samples=self.index.samples,
            areas_mm2=self.index.areas_mm2,
            occupied=occupied,
            counts=self._counts[rows],
            sums=self._sums[rows],
            histogram=self._histogram[rows],
        )


@lru_cache(maxsize=_INDICES_KEPT)
def _kept_index(grid: Grid, resolution: int, rows: range, cols: range, per_side: int) -> CellIndex:
    return CellIndex(grid, resolution, Window(rows, cols), per_side)


def cell_index(grid: Grid, resolution: int, window: Window, rule: Rule) -> CellIndex:
    """The index of a window, kept for the next raster on the same grid."""
    return _kept_index(grid, resolution, window.rows, window.cols, rule.per_side)


def _pieces(grid: Grid, resolution: int, window: Window) -> Iterator[Window]:
    """Parts of a window that an index and a strip are small enough for."""
    narrow = len(window.cols) <= _MOST_COLUMNS_A_PIECE
    if narrow and slot_count(grid, resolution, window) <= _MOST_SLOTS_A_PIECE:
        yield window
    else:
        for half in window.halves():
            yield from _pieces(grid, resolution, half)


def _strips(
    dataset: rasterio.DatasetReader, window: Window, where: str
) -> Iterator[tuple[range, Pixels]]:
    """Rows and their pixels (bands, rows, columns), as many as a row of blocks holds."""
    rows, cols = window.rows, window.cols
    height = max(block[0] for block in dataset.block_shapes)
    height *= max(1, STRIP_PIXELS // (height * len(cols)))
    buffer = np.empty((dataset.count, min(height, len(rows)), len(cols)), dataset.dtypes[0])
    start = rows.start
    while start < rows.stop:
        stop = min(rows.stop, start - start % height + height)
        pixels = buffer[:, : stop - start]
        with unreadable(where):
            dataset.read(out=pixels, window=FileWindow(cols.start, start, len(cols), stop - start))
        yield range(start, stop), pixels
        start = stop


def _names(dataset: rasterio.DatasetReader) -> tuple[str, ...]:
    return tuple(
        description or str(index)
        for index, description in zip(dataset.indexes, dataset.descriptions, strict=True)
    )
