"""Pixels of one part of a raster after another, into the accumulators of cells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from math import prod
from mmap import mmap
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from thalweg.errors import UndeclaredValue
from thalweg.hexagons.accumulating import (
    FIRST_AREA_ABOVE,
    FIRST_RUN_ABOVE,
    FIRST_SPECIAL,
    HIGHEST,
    LOWEST,
    Open,
    Placed,
    Rows,
    add_buckets,
    add_others,
    add_part,
    add_voids,
    cut_runs,
)
from thalweg.hexagons.boxes import Window
from thalweg.hexagons.index import CellIndex, Runs, Scratch
from thalweg.hexagons.measures import Measures
from thalweg.hexagons.sifting import STRETCH, Declared, Listed, codes_of, holds_value
from thalweg.hexagons.statistics import CellStatistics, check_room, counts_dtype, extremes
from thalweg.raster.codec import Pixels

type Positions = NDArray[np.int32]

# Of the values of a few rows, which then stay in the cache of a core.
_NEAR_BYTES = 1 << 19


class Others(NamedTuple):
    """Runs of pixels that are no values: where each starts and stops, and its kind.

    Kind 0 is nodata, the others are the kept special values from 1.
    """

    starts: Positions
    stops: Positions
    kinds: Positions

    def only(self, chosen: NDArray[np.bool_]) -> Others:
        return Others(self.starts[chosen], self.stops[chosen], self.kinds[chosen])


class Sieve:
    """What the pixels of a part are held against, and what they are besides values."""

    def __init__(self, measures: Measures, where: str) -> None:
        rules, dtype = measures.rules, measures.dtype
        self._measures = measures
        self._where = where
        kinds = [0 if s.as_nodata else 1 + measures.special.index(s.meaning) for s in rules.special]
        self.declared = Declared(
            *_within(rules.minimum, rules.maximum, dtype),
            np.array(rules.nodata).astype(dtype)[()],
            np.array([s.value for s in rules.special]).astype(dtype),
            np.array(kinds, np.int64),
            np.empty(0, np.uint8),
        )
        if dtype.itemsize <= 2:
            bits = np.arange(1 << 8 * dtype.itemsize, dtype=f"u{dtype.itemsize}")
            codes = np.empty(bits.size, np.uint8)
            codes_of(bits.view(dtype), codes, self.declared)
            self.declared = self.declared._replace(codes=codes)
        self._make_room(0)

    def listed(self, size: int) -> Listed:
        """Room for what is found in a part of so many pixels."""
        if size > self._runs.shape[2]:
            self._make_room(size)
        bands = len(self._measures.bands)
        return Listed(*self._runs, np.zeros(bands, np.int64), np.zeros((bands, 3)))

    def others(self, listed: Listed, planes: Pixels, part: Window) -> list[Others]:
        """What each band of a part holds besides values; raises `UndeclaredValue`."""
        for band, plane in enumerate(planes):
            undeclared = listed.undeclared[band]
            if self._measures.zero == "undeclared" and not undeclared[0] and not plane.all():
                undeclared[:] = (plane == 0).sum(), np.argmin(plane != 0), 0
            if undeclared[0]:
                self._refuse(undeclared, band, part)
        return [
            Others(*(array[band, :runs].copy() for array in listed[:3]))
            for band, runs in enumerate(listed.runs)
        ]

    def _refuse(self, undeclared: NDArray[np.float64], band: int, part: Window) -> None:
        row, col = divmod(int(undeclared[1]), len(part.cols))
        raise UndeclaredValue(
            f"band {self._measures.bands[band]} holds {undeclared[2]:g} at row "
            f"{part.rows[row]}, column {part.cols[col]}, and {int(undeclared[0]) - 1} more pixels "
            "near by that are not valid, nor nodata, nor a declared special value",
            where=self._where,
            hint="declare the value under pixels.special, or widen minimum and maximum",
        )

    def _make_room(self, size: int) -> None:
        self._runs = np.empty((3, len(self._measures.bands), size), np.int32)


class Common(NamedTuple):
    """Runs of nodata and of special values that all bands share, and what each has besides."""

    voids: Others
    special: Others
    rest: list[Others]


def common_others(bands: Sequence[Others]) -> Common:
    """Shared are all runs of nodata or none, likewise those of special values.

    Layers of one model mostly have the same masks.
    """
    nodata = [others.only(others.kinds == 0) for others in bands]
    special = [others.only(others.kinds != 0) for others in bands]
    void, water = _all_alike(nodata), _all_alike(special)
    none = bands[0].only(np.zeros(len(bands[0].kinds), np.bool_))
    if void and water:
        return Common(nodata[0], special[0], [])
    if void:
        return Common(nodata[0], none, special)
    if water:
        return Common(none, special[0], nodata)
    return Common(none, none, list(bands))


def _all_alike(bands: Sequence[Others]) -> bool:
    return all(
        np.array_equal(mine, firsts)
        for others in bands[1:]
        for mine, firsts in zip(others, bands[0], strict=True)
    )


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


def _within(low: float, high: float, dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """The same limits in a type of pixels."""
    if dtype.kind == "f":
        # Rounded, a limit could shut out the value that it stands for.
        return float(low), float(high)
    held = np.iinfo(dtype)
    return dtype.type(max(math.ceil(low), held.min)), dtype.type(min(math.floor(high), held.max))


def _first_of(sizes: Sequence[int]) -> NDArray[np.int64]:
    """Where each of several starts if they stand one after the other, and where the last ends."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _joined(arrays: Iterable[NDArray[Any]], dtype: DTypeLike = np.int64) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *arrays], dtype=dtype)
