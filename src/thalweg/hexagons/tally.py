"""Pixels of one part of a raster after another, into the accumulators of cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from mmap import mmap
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from thalweg.hexagons.accumulating import (
    FIRST_AREA_ABOVE,
    FIRST_RUN_ABOVE,
    FIRST_SPECIAL,
    HIGHEST,
    LOWEST,
    Open,
    Placed,
    Rows,
    add_part,
    cut_runs,
)
from thalweg.hexagons.boxes import Window
from thalweg.hexagons.counting import add_buckets, add_others, add_voids
from thalweg.hexagons.index import CellIndex, Runs, Scratch
from thalweg.hexagons.measures import Measures
from thalweg.hexagons.sieve import Common, Sieve, common_others
from thalweg.hexagons.sifting import STRETCH, holds_value
from thalweg.hexagons.statistics import CellStatistics, check_room, counts_dtype, extremes
from thalweg.raster.codec import Pixels

type Positions = NDArray[np.int32]

# Of the values of a few rows, which then stay in the cache of a core.
_NEAR_BYTES = 1 << 19


def _untouched_zeros(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Zeros that take no memory before they are written to.

    `np.zeros` may take memory that was used before, and then clears all of it.
    """
    size = prod(shape)
    pages = mmap(-1, max(size * np.dtype(dtype).itemsize, 1))
    return np.frombuffer(pages, dtype, size).reshape(shape)


class Tally:
    """The accumulators of all resolutions.

    They have room for every cell; the system gives memory for those only that are written to.
    Cells of all resolutions are counted through, the finest first.
    """

    def __init__(self, indices: Sequence[CellIndex], measures: Measures, where: str) -> None:
        self._indices = sorted(indices, key=lambda index: -index.resolution)
        self._measures = measures
        self._sieve = Sieve(measures, where)
        self._each = indices[0].per_pixel
        for index in indices:
            check_room(index.samples, measures)
        cells = [len(index.cells) for index in self._indices]
        self._first_cell = _first_of(cells)
        self._nothing = (measures.sums_dtype.type(0), *extremes(measures))
        self._voids = np.zeros(sum(cells), np.int64)
        self._rows = self._make_rows()
        buckets = measures.buckets.count if measures.histogram else 0
        self._histogram = _untouched_zeros((sum(cells), len(measures.bands), buckets), np.uint32)
        self._open: Open | None = None

    def add(self, part: Window, planes: Pixels, scratch: Scratch) -> None:
        """Count the pixels (bands, rows, columns) of a part of the window.

        Raises `UndeclaredValue`, and is of no more use then.
        """
        # With rows one after the other: else no vector instructions are made.
        planes = np.ascontiguousarray(planes)
        bits = planes.view(f"u{planes.itemsize}")
        declared, listed = self._sieve.declared, self._sieve.listed(planes[0].size)
        runs: list[Runs] = []
        if holds_value(planes, bits, declared):
            runs = [index.runs(part, scratch) for index in self._indices]
        placed = self._placed(part, runs)
        opened = self._opened(planes)
        add_part(planes, bits, declared, listed, self._each, placed, self._rows, opened)
        common = common_others(self._sieve.others(listed, planes, part))
        if (common.voids.stops - common.voids.starts).sum() == planes[0].size:
            self._add_void_part(part, scratch)
        elif any(len(one.kinds) for one in (common.voids, common.special, *common.rest)):
            runs = runs or [index.runs(part, scratch) for index in self._indices]
            self._add_others(runs, common)
        if self._measures.histogram and placed.stops.size:
            self._add_buckets(planes, runs)

    def statistics(self) -> dict[int, CellStatistics]:
        """The statistics of all parts so far, by resolution."""
        return {
            index.resolution: self._statistics(level) for level, index in enumerate(self._indices)
        }

    def _make_rows(self) -> Rows:
        bands, thresholds = len(self._measures.bands), len(self._measures.depths_m)
        columns = FIRST_SPECIAL + len(self._measures.special) + thresholds
        cells = int(self._first_cell[-1])
        dtype = max(counts_dtype(index.samples) for index in self._indices)
        return Rows(
            np.full(cells, -1, np.int32),
            self._first_cell[:-1].copy(),
            _untouched_zeros((cells, bands, columns), dtype),
            _untouched_zeros((cells, bands, FIRST_AREA_ABOVE + thresholds), np.int64),
            _untouched_zeros((cells, bands, 4), self._measures.sums_dtype),
        )

    def _opened(self, planes: Pixels) -> Open:
        """Runs that hold nothing yet, and room to tell of a few rows."""
        bands, _, width = planes.shape
        rows = max(1, _NEAR_BYTES // (bands * width * planes.itemsize))
        if self._open is None or self._open.present.size != rows * width:
            levels, limits = len(self._indices), self._measures.thresholds
            if planes.dtype.kind in "iu":
                limits = np.floor(limits).astype(np.int64)
            sums = np.zeros((levels, bands, 4), self._measures.sums_dtype)
            _, sums[:, :, LOWEST], sums[:, :, HIGHEST] = self._nothing
            self._open = Open(
                np.zeros((levels, bands, FIRST_RUN_ABOVE + len(limits)), np.int64),
                sums,
                np.zeros(levels, np.bool_),
                np.zeros(rows * width, np.bool_),
                np.zeros((bands, rows, -(-width // STRETCH)), np.bool_),
                limits,
                self._nothing,
            )
        return self._open

    def _placed(self, part: Window, runs: Sequence[Runs]) -> Placed:
        """The runs of each level, cut where those of coarser levels stop; none where none are."""
        coarser = np.array([len(part.rows) * len(part.cols)], np.int32)
        first_split = _first_of([len(run.split_first) - 1 for run in runs])
        first_part = _first_of([len(run.split_cells) for run in runs])
        cut: list[tuple[Positions, Positions]] = []
        for level in reversed(range(len(runs))):
            run = runs[level]
            stops, cells = np.empty((2, len(run.stops) + len(coarser)), np.int32)
            offsets = self._first_cell[level], first_split[level]
            found = cut_runs(run.stops, run.cells, coarser, *offsets, stops, cells)
            coarser = stops[:found]
            cut.insert(0, (coarser, cells[:found]))
        of_levels = list(zip(runs, first_part, self._first_cell, strict=False))
        return Placed(
            _joined((stops for stops, _ in cut), np.int32),
            _joined((cells for _, cells in cut), np.int32),
            _first_of([len(stops) for stops, _ in cut])[:-1],
            _joined([*(run.split_first[:-1] + of for run, of, _ in of_levels), first_part[-1:]]),
            _joined((run.split_cells + of for run, _, of in of_levels), np.int64),
            _joined((run.split_weights for run in runs), np.uint8),
            self._indices[0].sample_areas_mm2(part.rows),
        )

    def _add_others(self, runs: Sequence[Runs], common: Common) -> None:
        """Add nodata and special values, those of all bands at once."""
        bands = len(self._measures.bands)
        of_bands = [(common.special, 0, bands)]
        of_bands += [(one, band, band + 1) for band, one in enumerate(common.rest)]
        for level, run in enumerate(runs):
            first = self._first_cell[level]
            voids = common.voids
            add_voids(voids.starts, voids.stops, run, first, self._each, self._voids)
            for others, first_band, last_band in of_bands:
                add_others(
                    *others,
                    run,
                    first,
                    self._each,
                    level,
                    self._rows,
                    first_band,
                    last_band,
                    self._nothing,
                )

    def _add_void_part(self, part: Window, scratch: Scratch) -> None:
        """Add a part that is nodata everywhere; its runs need not be found."""
        for index, first in zip(self._indices, self._first_cell, strict=False):
            labels, samples = index.samples_within(part, scratch)
            self._voids[first + labels] += samples

    def _add_buckets(self, planes: Pixels, runs: Sequence[Runs]) -> None:
        buckets = self._measures.buckets
        for run, first in zip(runs, self._first_cell, strict=False):
            for band, plane in enumerate(planes):
                add_buckets(
                    plane,
                    plane.view(f"u{plane.itemsize}"),
                    band,
                    self._sieve.declared,
                    buckets.first,
                    buckets.zero,
                    run,
                    first,
                    self._each,
                    self._rows.row_of_cell,
                    self._histogram,
                )

    def _statistics(self, level: int) -> CellStatistics:
        index = self._indices[level]
        cells = slice(self._first_cell[level], self._first_cell[level + 1])
        used = slice(cells.start, int(self._rows.used[level]))
        row_of_cell = self._rows.row_of_cell[cells]
        occupied = np.flatnonzero(row_of_cell >= 0)
        return CellStatistics(
            resolution=index.resolution,
            measures=self._measures,
            cells=index.cells,
            samples=index.samples,
            areas_mm2=index.areas_mm2,
            voids=self._voids[cells],
            occupied=occupied[np.argsort(row_of_cell[occupied])],
            counts=self._rows.counts[used],
            areas=self._rows.areas[used],
            sums=self._rows.sums[used],
            histogram=self._histogram[used],
        )


def _first_of(sizes: Sequence[int]) -> NDArray[np.int64]:
    """Where each of several starts if they stand one after the other, and where the last ends."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _joined(arrays: Iterable[NDArray[Any]], dtype: DTypeLike = np.int64) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *arrays], dtype=dtype)
