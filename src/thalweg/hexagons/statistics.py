"""Statistics by cell and band: exact, and mergeable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from thalweg.errors import UsageError, WrongGrid
from thalweg.hexagons.accumulating import (
    FIRST_AREA_ABOVE,
    FIRST_SPECIAL,
    HIGHEST,
    LOWEST,
    NODATA,
    OTHER_THAN_ZERO,
    POSITIVE,
    POSITIVE_AREA,
    SQUARES,
    TOTAL,
)
from thalweg.hexagons.cells import Cells
from thalweg.hexagons.columns import ratios, spread_rows
from thalweg.hexagons.measures import Measures

type Integers = NDArray[np.int64]
type Floats = NDArray[np.float64]
type Numbers = NDArray[Any]

_MM2_PER_KM2 = 1e12
_ROWS_AT_ONCE = 1 << 10


@dataclass(frozen=True, eq=False)
class CellStatistics:
    """The statistics of some bands in the cells of one resolution.

    `cells` uint64 [n] are sorted. All that is asked of it by band is an array [n, bands] in the
    order of `cells` and `measures.bands`: counts in pixels (int64; float64, in 16ths, for the
    rule `area`), sums and extremes in the pixels' unit, areas in km2, NaN where there is no valid
    pixel. Means and shares are of the valid pixels: nodata and special values are in none.

    What is kept: `samples` and `areas_mm2` int64 [n], the samples of all pixels and their area, and
    `voids` int64 [n], the samples that are nodata in every band. For those cells alone that hold
    anything else but zeros, which are `occupied` [m] of `cells`, in any order, the columns of
    `accumulating` in `counts` [m, bands, columns], of `counts_dtype`, `areas` int64 [m, bands,
    columns] and `sums` [m, bands, 4], and where measured `histogram` uint32 [m, bands, buckets].

    Numbers have 64 bits, or as many as tables give them where it is `narrow`: 32 for counts that
    fit, for areas and shares, and for values of small types of pixels. Sums are always exact.
    """

    resolution: int
    measures: Measures
    cells: Cells
    samples: Integers
    areas_mm2: Integers
    voids: Integers
    occupied: Integers
    counts: Numbers
    areas: Integers
    sums: Numbers
    histogram: NDArray[np.uint32]
    narrow: bool = False

    @property
    def pixels(self) -> Numbers:
        """[n]: all pixels, of any kind."""
        return self._in_pixels(self.samples)

    @property
    def area_km2(self) -> Floats:
        """[n]: the area of all pixels."""
        return self.areas_mm2 / _MM2_PER_KM2

    @property
    def valid(self) -> Numbers:
        return self._in_pixels(self._valid_everywhere())

    @property
    def nodata(self) -> Numbers:
        return self._in_pixels(self._nodata())

    def special(self, meaning: str) -> Numbers:
        """The pixels of a special value; `UsageError` for one that is not declared."""
        return self._in_pixels(self._special(meaning))

    @property
    def wet(self) -> Numbers:
        """The valid pixels above zero."""
        return self._in_pixels(self._everywhere(self.counts[:, :, POSITIVE], 0))

    @property
    def wet_area_km2(self) -> Floats:
        return self._area_km2(POSITIVE_AREA)

    def above(self, depth_m: float) -> Numbers:
        """The valid pixels above a threshold; `UsageError` for one that was not measured."""
        return self._in_pixels(self._everywhere(self._above(depth_m), 0))

    def area_above_km2(self, depth_m: float) -> Floats:
        return self._area_km2(FIRST_AREA_ABOVE + self._threshold(depth_m))

    @property
    def wet_share(self) -> Floats:
        return self._per_valid(self.counts[:, :, POSITIVE], self._share_dtype)

    def share_above(self, depth_m: float) -> Floats:
        return self._per_valid(self._above(depth_m), self._share_dtype)

    @property
    def total(self) -> Numbers:
        """The sum of the valid pixels."""
        return self._in_pixels(self._everywhere(self.sums[:, :, TOTAL], 0, self.sums.dtype))

    @property
    def mean(self) -> Floats:
        return self._per_valid(self.sums[:, :, TOTAL], self._value_dtype)

    @property
    def wet_mean(self) -> Floats:
        """The mean of the pixels above zero, where none lies below; else of all but zeros."""
        mean = _ratio(self.sums[:, :, TOTAL], self._counted(OTHER_THAN_ZERO))
        return self._everywhere(mean, np.nan, self._value_dtype)

    @property
    def std(self) -> Floats:
        """The standard deviation of the population of valid pixels."""
        mean = _ratio(self.sums[:, :, TOTAL], self._valid)
        variance = _ratio(self.sums[:, :, SQUARES], self._valid) - mean * mean
        std = np.sqrt(np.maximum(variance, 0))
        return self._everywhere(std, self._of_zeros, self._value_dtype)

    @property
    def minimum(self) -> Floats:
        lowest = self._extreme(LOWEST, np.minimum)
        return self._everywhere(lowest, self._of_zeros, self._value_dtype)

    @property
    def maximum(self) -> Floats:
        highest = self._extreme(HIGHEST, np.maximum)
        return self._everywhere(highest, self._of_zeros, self._value_dtype)

    def percentile(self, q: float) -> Floats:
        """The value below which `q` per cent of the valid pixels lie, by nearest rank.

        Off by at most 1/64 of itself and half a unit of whole pixels; `UsageError` where no
        histogram was measured.
        """
        if not self.measures.histogram:
            raise UsageError("no histogram was measured", hint="measure with histogram=True")
        rank = np.maximum(np.ceil(q / 100 * self._valid), 1).astype(np.int64)
        found = np.zeros(rank.shape)
        zeros = self._valid - self._counted(OTHER_THAN_ZERO)
        values, zero = self.measures.buckets.values(), self.measures.buckets.zero
        for start in range(0, len(rank), _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            counts = self.histogram[some].astype(np.int64)
            counts[:, :, zero] += zeros[some]
            bucket = (np.cumsum(counts, axis=-1) < rank[some, :, None]).sum(axis=-1)
            found[some] = values[np.minimum(bucket, len(values) - 1)]
        lowest, highest = self._extreme(LOWEST, np.minimum), self._extreme(HIGHEST, np.maximum)
        clipped = np.clip(found, lowest, highest)
        return self._everywhere(clipped, self._of_zeros, self._value_dtype)

    def with_data(self) -> CellStatistics:
        """Without the cells that are nodata in every band."""
        has_data = np.array(self._plain[:, 0] > 0) & (self.measures.zero != "nodata")
        nodata = self.counts[:, :, NODATA] + self.voids[self.occupied, None]
        if self.measures.zero == "nodata":
            nodata += self._zeros
        has_data[self.occupied] = (nodata < self.samples[self.occupied, None]).any(axis=1)
        return self._of(np.flatnonzero(has_data))

    def batches(self, cells: int) -> Iterator[CellStatistics]:
        """The statistics of so many cells at a time, in their order; once where there is none."""
        for start in range(0, max(len(self.cells), 1), cells):
            yield self._of(np.arange(start, min(start + cells, len(self.cells))))

    def _of(self, chosen: Integers) -> CellStatistics:
        """The statistics of some cells, by their indices, which rise."""
        place = np.full(len(self.cells), -1)
        place[chosen] = np.arange(len(chosen))
        occupied = place[self.occupied]
        # Where all are kept a slice copies nothing: these arrays are most of the memory.
        kept = np.flatnonzero(occupied >= 0) if (occupied < 0).any() else slice(None)
        return replace(
            self,
            cells=self.cells[chosen],
            samples=self.samples[chosen],
            areas_mm2=self.areas_mm2[chosen],
            voids=self.voids[chosen],
            occupied=occupied[kept],
            counts=self.counts[kept],
            areas=self.areas[kept],
            sums=self.sums[kept],
            histogram=self.histogram[kept],
        )

    def merge(self, other: CellStatistics) -> CellStatistics:
        """The statistics of both sets of pixels, which must share none, together.

        Associative and commutative, to the last bit where sums are whole. Raises `UsageError` where
        not the same was measured.
        """
        # By their text: a nodata of NaN equals none other.
        if (repr(self.measures), self.resolution) != (repr(other.measures), other.resolution):
            raise UsageError("statistics of different measures or resolutions do not merge")
        cells = np.union1d(self.cells, other.cells)
        occupied = np.union1d(self.cells[self.occupied], other.cells[other.occupied])
        samples, areas_mm2, voids = np.zeros((3, len(cells)), np.int64)
        for one in (self, other):
            place = np.searchsorted(cells, one.cells)
            samples[place] += one.samples
            areas_mm2[place] += one.areas_mm2
            voids[place] += one.voids
        check_room(samples, self.measures)
        rows = len(occupied)
        counts = np.zeros((rows, *self.counts.shape[1:]), counts_dtype(samples))
        areas = np.zeros((rows, *self.areas.shape[1:]), np.int64)
        sums = empty_sums(rows, self.measures)
        histogram = np.zeros((rows, *self.histogram.shape[1:]), np.uint32)
        for one in (self, other):
            row = np.searchsorted(occupied, one.cells[one.occupied])
            counts[row] += one.counts
            areas[row] += one.areas
            sums[row, :, TOTAL] += one.sums[:, :, TOTAL]
            sums[row, :, SQUARES] += one.sums[:, :, SQUARES]
            sums[row, :, LOWEST] = np.minimum(sums[row, :, LOWEST], one.sums[:, :, LOWEST])
            sums[row, :, HIGHEST] = np.maximum(sums[row, :, HIGHEST], one.sums[:, :, HIGHEST])
            histogram[row] += one.histogram
        return replace(
            self,
            cells=cells,
            samples=samples,
            areas_mm2=areas_mm2,
            voids=voids,
            occupied=np.searchsorted(cells, occupied),
            counts=counts,
            areas=areas,
            sums=sums,
            histogram=histogram,
        )

    def _in_pixels(self, samples: Numbers) -> Numbers:
        per_pixel = self.measures.rule.samples
        return samples if per_pixel == 1 else samples / per_pixel

    # Of the occupied cells, [m, bands] ----------------------------------------------------------

    def _counted(self, column: int) -> Integers:
        return self.counts[:, :, column].astype(np.int64)

    @cached_property
    def _zeros(self) -> Integers:
        looked_at = [NODATA, OTHER_THAN_ZERO]
        looked_at += range(FIRST_SPECIAL, FIRST_SPECIAL + len(self.measures.special))
        zeros: Integers = self._plain[self.occupied] - self.counts[:, :, looked_at].sum(axis=-1)
        return zeros

    @cached_property
    def _valid(self) -> Integers:
        other = self._counted(OTHER_THAN_ZERO)
        return other + self._zeros if self.measures.zero == "valid" else other

    def _extreme(self, column: int, further: np.ufunc) -> Floats:
        """The extreme of the values other than zero and, where zeros are valid, of these."""
        other, valid = self._counted(OTHER_THAN_ZERO), self._valid
        extreme = self.sums[:, :, column].astype(np.float64)
        with_zero = np.where(other > 0, further(extreme, 0), 0.0)
        found = np.where(valid > other, with_zero, extreme)
        return np.where(valid > 0, found, np.nan)

    def _above(self, depth_m: float) -> Numbers:
        first = FIRST_SPECIAL + len(self.measures.special)
        return self.counts[:, :, first + self._threshold(depth_m)]

    # Of all cells, [n, bands] or [n, 1] ---------------------------------------------------------

    def _everywhere(
        self, there: Numbers, elsewhere: Any, dtype: DTypeLike | None = None
    ) -> Numbers:
        """What the occupied cells have, and the others; each band's side by side where narrow."""
        if not self.narrow:
            wide = there.dtype if there.dtype.kind == "f" else np.int64
            found = np.empty((len(self.cells), len(self.measures.bands)), wide)
            found[:] = elsewhere
            found[self.occupied] = there
            return found
        dtype = self._count_dtype if dtype is None else dtype
        found = np.empty((len(self.measures.bands), len(self.cells)), dtype)
        found[:] = np.transpose(elsewhere)
        spread_rows(there, self.occupied, found)
        return found.T

    @property
    def _count_dtype(self) -> np.dtype[Any]:
        return counts_dtype(self.samples)

    @property
    def _share_dtype(self) -> DTypeLike:
        return np.float32 if self.narrow else np.float64

    @property
    def _value_dtype(self) -> DTypeLike:
        return np.result_type(self.measures.dtype, np.float32) if self.narrow else np.float64

    @property
    def _plain(self) -> Integers:
        """Samples that are not nodata in every band: zeros, in cells that are not occupied."""
        return (self.samples - self.voids)[:, None]

    @cached_property
    def _of_zeros(self) -> Floats:
        """The mean of a cell without anything but zeros, likewise its extremes and shares."""
        are_valid = (self._plain > 0) & (self.measures.zero == "valid")
        return np.where(are_valid, 0.0, np.nan)

    def _per_valid(self, part: Numbers, dtype: DTypeLike) -> Floats:
        return self._everywhere(_ratio(part, self._valid), self._of_zeros, dtype)

    def _area_km2(self, column: int) -> Floats:
        return self._everywhere(self.areas[:, :, column] / _MM2_PER_KM2, 0, self._share_dtype)

    def _valid_everywhere(self) -> Integers:
        return self._everywhere(self._valid, self._plain if self.measures.zero == "valid" else 0)

    def _nodata(self) -> Integers:
        nodata = self._kind("nodata", NODATA)
        return nodata + self.voids[:, None].astype(nodata.dtype)

    def _kind(self, meaning: str, column: int) -> Integers:
        counted = self.counts[:, :, column]
        if self.measures.zero == meaning:
            return self._everywhere(counted + self._zeros, self._plain)
        return self._everywhere(counted, 0)

    def _special(self, meaning: str) -> Integers:
        if meaning not in self.measures.special:
            raise UsageError(f"{meaning!r} is no special value of these pixels")
        return self._kind(meaning, FIRST_SPECIAL + self.measures.special.index(meaning))

    def _threshold(self, depth_m: float) -> int:
        if depth_m not in self.measures.depths_m:
            known = ", ".join(f"{depth:g}" for depth in self.measures.depths_m)
            raise UsageError(f"what lies above {depth_m:g} m was not measured", hint=f"but {known}")
        return self.measures.depths_m.index(depth_m)


def merged(parts: Iterable[CellStatistics]) -> CellStatistics:
    """All of them together; there must be one at least."""
    return reduce(CellStatistics.merge, parts)


def extremes(measures: Measures) -> tuple[Any, Any]:
    """The lowest and highest value of nothing."""
    if measures.sums_dtype.kind == "f":
        return np.float64(np.inf), np.float64(-np.inf)
    limits = np.iinfo(np.int64)
    return np.int64(limits.max), np.int64(limits.min)


def counts_dtype(samples: Integers) -> np.dtype[Any]:
    """The smallest type that holds as many samples as any cell has: counts take much memory."""
    return np.dtype(np.int32 if samples.max(initial=0) < 1 << 31 else np.int64)


def empty_sums(rows: int, measures: Measures) -> Numbers:
    """[rows, bands, 4] of nothing."""
    sums = np.zeros((rows, len(measures.bands), 4), measures.sums_dtype)
    sums[:, :, LOWEST], sums[:, :, HIGHEST] = extremes(measures)
    return sums


def check_room(samples: Integers, measures: Measures) -> None:
    """Raise `WrongGrid` where a cell has more samples than its whole sums or buckets can hold."""
    most = int(samples.max(initial=0))
    sums_overflow = measures.sums_dtype.kind == "i" and most * measures.largest**2 >= 1 << 63
    if sums_overflow or (measures.histogram and most >= 1 << 32):
        raise WrongGrid(
            f"a cell holds {most:,} samples, more than can be summed up exactly",
            hint="use a finer resolution",
        )


def _ratio(part: Numbers, whole: Integers) -> Floats:
    found = np.empty(whole.shape)
    ratios(part, whole, found)
    return found
