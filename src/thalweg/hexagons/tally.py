"""Pixels of one part of a raster after another, into the accumulators of cells."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from mmap import mmap
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from thalweg.errors import UndeclaredValue
from thalweg.hexagons.accumulating import (
    FIRST_AREA_ABOVE,
    FIRST_SPECIAL,
    add_others,
    add_values,
    add_voids,
    codes_of,
    list_pixels,
)
from thalweg.hexagons.boxes import Window
from thalweg.hexagons.index import CellIndex, Scratch
from thalweg.hexagons.measures import Measures
from thalweg.hexagons.statistics import CellStatistics, check_room, counts_dtype, extremes
from thalweg.raster.codec import Pixels

type Positions = NDArray[np.int32]


class Others(NamedTuple):
    """Runs of pixels that are no values: where each starts and stops, and its kind.

    Kind 0 is nodata, the others are the kept special values from 1.
    """

    starts: Positions
    stops: Positions
    kinds: Positions

    def only(self, chosen: NDArray[np.bool_]) -> Others:
        return Others(self.starts[chosen], self.stops[chosen], self.kinds[chosen])


class Lister:
    """The pixels of one band in one part that are not zero."""

    def __init__(self, measures: Measures, where: str) -> None:
        rules = measures.rules
        dtype = measures.dtype
        self._measures = measures
        self._where = where
        kinds = [0 if s.as_nodata else 1 + measures.special.index(s.meaning) for s in rules.special]
        self._declared = (
            float(rules.minimum),
            float(rules.maximum),
            np.array(rules.nodata).astype(dtype)[()],
            np.array([s.value for s in rules.special]).astype(dtype),
            np.array(kinds, np.int64),
            measures.thresholds,
        )
        self._codes = self._all_codes(dtype) if dtype.itemsize <= 2 else np.empty(0, np.uint8)
        self._make_room(0)

    def read(self, plane: Pixels, band: int, part: Window) -> Others:
        """List a plane's pixels, and give those that are no values.

        `positions`, `values`, `classes` and `buckets`, of which the first `listed` hold, are the
        others. Raises `UndeclaredValue` where a pixel is neither.
        """
        if plane.size > self.positions.size:
            self._make_room(plane.size)
        plane = self._side_by_side(plane)
        measures, undeclared = self._measures, np.zeros(3)
        self.listed, runs = list_pixels(
            plane,
            plane.view(f"u{plane.itemsize}"),
            self._codes,
            self._declared,
            measures.buckets.first,
            measures.buckets.zero,
            self.positions,
            self.values,
            self.classes,
            self.buckets,
            *self._others,
            undeclared,
        )
        if measures.zero == "undeclared" and not undeclared[0] and not plane.all():
            undeclared[:] = (plane == 0).sum(), np.argmin(plane != 0), 0
        if undeclared[0]:
            self._refuse(undeclared, band, part)
        return Others(*(array[:runs].copy() for array in self._others))

    def _refuse(self, undeclared: NDArray[np.float64], band: int, part: Window) -> None:
        row, col = divmod(int(undeclared[1]), len(part.cols))
        raise UndeclaredValue(
            f"band {self._measures.bands[band]} holds {undeclared[2]:g} at row "
            f"{part.rows[row]}, column {part.cols[col]}, and {int(undeclared[0]) - 1} more pixels "
            "near by that are not valid, nor nodata, nor a declared special value",
            where=self._where,
            hint="declare the value under pixels.special, or widen minimum and maximum",
        )

    def _side_by_side(self, plane: Pixels) -> Pixels:
        """The plane with its rows one after the other: else no vector instructions are made."""
        if plane.flags.c_contiguous:
            return plane
        copy = self._plane[: plane.size].reshape(plane.shape)
        copy[:] = plane
        return copy

    def _all_codes(self, dtype: np.dtype[Any]) -> NDArray[np.uint8]:
        """The code of every value of a small type, by its bits."""
        bits = np.arange(1 << 8 * dtype.itemsize, dtype=f"u{dtype.itemsize}")
        codes = np.empty(bits.size, np.uint8)
        codes_of(bits.view(dtype), codes, self._declared)
        return codes

    def _make_room(self, size: int) -> None:
        self.positions = np.empty(size, np.int32)
        self.values = np.empty(size, self._measures.dtype)
        self._plane: Pixels = np.empty(size, self._measures.dtype)
        self.classes = np.empty(size, np.uint8)
        self.buckets = np.empty(size if self._measures.histogram else 0, np.int32)
        self._others = Others(*(np.empty(size, np.int32) for _ in range(3)))


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
    same_nodata, same_special = _all_alike(nodata), _all_alike(special)
    none = bands[0].only(np.zeros(len(bands[0].kinds), np.bool_))
    if same_nodata and same_special:
        return Common(nodata[0], special[0], [])
    if same_nodata:
        return Common(nodata[0], none, special)
    if same_special:
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
    """The accumulators of one resolution.

    They have room for every cell; the system gives memory for those only that are written to.
    """

    def __init__(self, index: CellIndex, measures: Measures) -> None:
        check_room(index.samples, measures)
        self.index = index
        self._measures = measures
        cells, bands = len(index.cells), len(measures.bands)
        thresholds = len(measures.depths_m)
        columns = FIRST_SPECIAL + len(measures.special) + thresholds
        buckets = measures.buckets.count if measures.histogram else 0
        self._voids = np.zeros(cells, np.int64)
        self._row_of_cell = np.full(cells, -1, np.int32)
        self._used = np.zeros(1, np.int64)
        self._counts = _untouched_zeros((bands, cells, columns), counts_dtype(index.samples))
        self._areas = _untouched_zeros((bands, cells, FIRST_AREA_ABOVE + thresholds), np.int64)
        self._sums = _untouched_zeros((bands, cells, 4), measures.sums_dtype)
        self._histogram = _untouched_zeros((bands, cells, buckets), np.uint32)
        self._lowest, self._highest = extremes(measures)
        self._zero = measures.sums_dtype.type(0)

    def place(self, part: Window, scratch: Scratch) -> None:
        """Find the runs of cells in a part."""
        self._runs = self.index.runs(part, scratch)
        self._width = len(part.cols)
        self._sample_areas = self.index.sample_areas_mm2(part.rows)

    def add_values(self, band: int, lister: Lister) -> None:
        """Add a band's values in the part that was placed last."""
        add_values(
            lister.positions,
            lister.values,
            lister.classes,
            lister.buckets,
            lister.listed,
            *self._runs,
            self._width,
            self._sample_areas,
            self.index.per_pixel,
            self._row_of_cell,
            self._used,
            band,
            self._counts,
            self._areas,
            self._sums,
            self._histogram,
            self._zero,
            self._lowest,
            self._highest,
        )

    def add_others(self, bands: range, others: Others) -> None:
        """Add nodata and special values of these bands in the part that was placed last."""
        add_others(
            *others,
            *self._runs,
            self.index.per_pixel,
            self._row_of_cell,
            self._used,
            bands.start,
            bands.stop,
            self._counts,
            self._sums,
            self._lowest,
            self._highest,
        )

    def add_voids(self, others: Others) -> None:
        """Add nodata of all bands in the part that was placed last."""
        add_voids(
            others.starts,
            others.stops,
            *self._runs,
            self.index.per_pixel,
            self._voids,
        )

    def add_void_part(self, part: Window, scratch: Scratch) -> None:
        """Add a part that is nodata everywhere; it need not be placed."""
        labels, samples = self.index.samples_within(part, scratch)
        self._voids[labels] += samples

    def statistics(self) -> CellStatistics:
        used = int(self._used[0])
        occupied = np.flatnonzero(self._row_of_cell >= 0)
        return CellStatistics(
            resolution=self.index.resolution,
            measures=self._measures,
            cells=self.index.cells,
            samples=self.index.samples,
            areas_mm2=self.index.areas_mm2,
            voids=self._voids,
            occupied=occupied[np.argsort(self._row_of_cell[occupied])],
            counts=self._counts[:, :used].swapaxes(0, 1),
            areas=self._areas[:, :used].swapaxes(0, 1),
            sums=self._sums[:, :used].swapaxes(0, 1),
            histogram=self._histogram[:, :used].swapaxes(0, 1),
        )
