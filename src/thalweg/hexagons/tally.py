"""Pixels of one part of a raster after another, into the accumulators of cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import UndeclaredValue
from thalweg.hexagons.accumulating import (
    FIRST_AREA_ABOVE,
    FIRST_SPECIAL,
    add_buckets,
    add_others,
    add_values,
)
from thalweg.hexagons.boxes import Window
from thalweg.hexagons.index import CellIndex
from thalweg.hexagons.lanes import lane_count, padded
from thalweg.hexagons.listing import FIRST_SPECIAL_KIND, NODATA_KIND, codes_of, list_pixels
from thalweg.hexagons.measures import Measures
from thalweg.hexagons.placing import PartRuns, Placed
from thalweg.hexagons.statistics import CellStatistics, check_room, counts_dtype, extremes
from thalweg.hexagons.zeros import Zeros
from thalweg.raster.codec import Pixels

type Positions = NDArray[np.int32]


class NoValueRuns(NamedTuple):
    """Runs of pixels that are no values: where each starts and stops, its kinds [runs, bands] as of
    `listing`, and whether it is void, nodata in every band."""

    starts: Positions
    stops: Positions
    kinds: NDArray[np.uint8]
    void: NDArray[np.bool_]

    @property
    def void_pixels(self) -> int:
        return int((self.stops - self.starts)[self.void].sum())


class Lister:
    """The pixels of one part that are not zero in every band.

    `positions`, `values` [pixels, lanes] and `classes`, of which the first `listed` hold, are of
    those that have a value in some band. `others` are runs that are nodata or special in some.
    """

    def __init__(self, measures: Measures, where: str) -> None:
        rules = measures.rules
        dtype = measures.dtype
        self._measures = measures
        self._where = where
        kinds = [
            NODATA_KIND if s.as_nodata else FIRST_SPECIAL_KIND + measures.special.index(s.meaning)
            for s in rules.special
        ]
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

    def read(self, pixels: Pixels, part: Window) -> None:
        """List pixels (bands, rows, columns); raises `UndeclaredValue` where one is neither a
        value nor nodata nor special."""
        if pixels[0].size > self.positions.size:
            self._make_room(pixels[0].size)
        pixels = self._side_by_side(pixels)
        undeclared = np.zeros(4)
        self.listed, runs = list_pixels(
            pixels,
            pixels.view(f"u{pixels.itemsize}"),
            self._codes,
            self._declared,
            self.positions,
            self.values,
            self.classes,
            self._starts,
            self._stops,
            self._kinds,
            undeclared,
        )
        if self._measures.zero == "undeclared" and not undeclared[0] and not pixels.all():
            band, position = divmod(int(np.argmin(pixels != 0)), pixels[0].size)
            undeclared[:] = (pixels == 0).sum(), position, 0, band
        if undeclared[0]:
            self._refuse(undeclared, part)
        kinds = self._kinds[:runs]
        void = (kinds == NODATA_KIND).all(axis=1)
        self.others = NoValueRuns(self._starts[:runs], self._stops[:runs], kinds, void)

    def _refuse(self, undeclared: NDArray[np.float64], part: Window) -> None:
        count, position, value, band = undeclared
        row, col = divmod(int(position), len(part.cols))
        raise UndeclaredValue(
            f"band {self._measures.bands[int(band)]} holds {value:g} at row "
            f"{part.rows[row]}, column {part.cols[col]}, and {int(count) - 1} more pixels "
            "near by that are not valid, nor nodata, nor a declared special value",
            where=self._where,
            hint="declare the value under pixels.special, or widen minimum and maximum",
        )

    def _side_by_side(self, pixels: Pixels) -> Pixels:
        """The pixels with their rows one after the other: else no vector instructions are made."""
        if pixels.flags.c_contiguous:
            return pixels
        copy = self._pixels[: pixels.size].reshape(pixels.shape)
        copy[:] = pixels
        return copy

    def _all_codes(self, dtype: np.dtype[Any]) -> NDArray[np.uint8]:
        """The code of every value of a small type, by its bits."""
        bits = np.arange(1 << 8 * dtype.itemsize, dtype=f"u{dtype.itemsize}")
        codes = np.empty(bits.size, np.uint8)
        codes_of(bits.view(dtype), codes, self._declared)
        return codes

    def _make_room(self, size: int) -> None:
        bands, dtype = len(self._measures.bands), self._measures.dtype
        self.positions = np.empty(size, np.int32)
        # Lanes without a band stay zero.
        self.values = np.zeros((size, padded(bands)), dtype)
        self.classes = np.empty(size, np.uint8)
        self._pixels: Pixels = np.empty(size * bands, dtype)
        self._starts, self._stops = np.empty((2, size), np.int32)
        self._kinds = np.empty((size, bands), np.uint8)


class Tally:
    """The accumulators of several resolutions, which the pixels of one part after another go to.

    They have room for every cell; the system gives memory for those only that are written to. The
    rows of a resolution begin at its `cell_origins`, of which there is one more than resolutions.
    """

    def __init__(self, indices: Sequence[CellIndex], measures: Measures) -> None:
        # The finest first: see `add_values`.
        indices = sorted(indices, key=lambda index: -index.resolution)
        for index in indices:
            check_room(index.samples, measures)
        self._indices = indices
        self._measures = measures
        self._runs = PartRuns(indices)
        cells, bands = int(self._runs.cell_origins[-1]), len(measures.bands)
        thresholds, lanes = len(measures.depths_m), padded(bands)
        columns = FIRST_SPECIAL + len(measures.special) + thresholds
        buckets = measures.buckets.count if measures.histogram else 0
        counts = counts_dtype(np.concatenate([index.samples for index in indices]))
        self._voids = np.zeros(cells, np.int64)
        self._row_of_cell = np.full(cells, -1, np.int32)
        self._used = np.zeros(len(indices), np.int64)
        self._counts = Zeros((cells, columns, lanes), counts)
        self._areas = Zeros((cells, FIRST_AREA_ABOVE + thresholds, lanes), np.int64)
        self._sums = Zeros((cells, 4, lanes), measures.sums_dtype)
        self._histogram = Zeros((cells, bands, buckets), np.uint32)
        self._thresholds = measures.thresholds.astype(measures.sums_dtype)
        self._lanes = (np.int64(0),) * lane_count(bands)
        self._lowest, self._highest = extremes(measures)
        self._zero = measures.sums_dtype.type(0)

    def add(self, part: Window, lister: Lister) -> None:
        """Add what was listed of a part."""
        placed = self._runs.placed(part)
        self._add_values(lister, part, placed)
        if self._measures.histogram:
            self._add_buckets(lister, placed)
        self._add_others(lister.others, placed)

    def add_void_part(self, part: Window) -> None:
        """Add a part that is nodata everywhere, in all bands."""
        for index, origin in zip(self._indices, self._runs.cell_origins, strict=False):
            labels, samples = index.samples_within(part)
            self._voids[origin + labels] += samples

    def statistics(self) -> dict[int, CellStatistics]:
        """The statistics of all parts, by resolution; to be asked for once, at the end."""
        found = {
            index.resolution: self._statistics(number, index)
            for number, index in enumerate(self._indices)
        }
        # Part of what they held is given back: whoever adds to them fails.
        del self._counts, self._areas, self._sums, self._histogram
        return found

    def _statistics(self, number: int, index: CellIndex) -> CellStatistics:
        first, end = self._runs.cell_origins[number : number + 2].tolist()
        rows = slice(first, first + int(self._used[number]))
        row_of_cell, bands = self._row_of_cell[first:end], len(self._measures.bands)
        occupied = np.flatnonzero(row_of_cell >= 0)
        # The finest, the largest by far, is left where it is; the others are free to go before it.
        counts, areas, sums, histogram = (
            zeros.taken(rows) if number else zeros.array[rows]
            for zeros in (self._counts, self._areas, self._sums, self._histogram)
        )
        return CellStatistics(
            resolution=index.resolution,
            measures=self._measures,
            cells=index.cells,
            samples=index.samples,
            areas_mm2=index.areas_mm2,
            voids=self._voids[first:end],
            occupied=occupied[np.argsort(row_of_cell[occupied])],
            counts=counts.swapaxes(1, 2)[:, :bands],
            areas=areas.swapaxes(1, 2)[:, :bands],
            sums=sums.swapaxes(1, 2)[:, :bands],
            histogram=histogram,
        )

    def _add_values(self, lister: Lister, part: Window, placed: Placed) -> None:
        index = self._indices[0]
        for band in range(0, self._counts.array.shape[2], len(self._lanes)):
            add_values(
                lister.positions,
                lister.values,
                lister.classes,
                lister.listed,
                *placed,
                len(part.cols),
                index.sample_areas_mm2(part.rows),
                index.per_pixel,
                self._row_of_cell,
                self._used,
                band,
                self._counts.array,
                self._areas.array,
                self._sums.array,
                self._thresholds,
                self._lanes,
                self._zero,
                self._lowest,
                self._highest,
            )

    def _add_buckets(self, lister: Lister, placed: Placed) -> None:
        add_buckets(
            lister.positions,
            lister.values,
            lister.listed,
            *placed,
            self._indices[0].per_pixel,
            self._row_of_cell,
            self._measures.buckets.first,
            self._measures.buckets.zero,
            self._histogram.array,
        )

    def _add_others(self, others: NoValueRuns, placed: Placed) -> None:
        add_others(
            *others,
            *placed,
            self._indices[0].per_pixel,
            self._row_of_cell,
            self._used,
            self._counts.array,
            self._voids,
            self._sums.array,
            self._lowest,
            self._highest,
        )
