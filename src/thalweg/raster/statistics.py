"""What a band's pixels are: exact counts and sums that merge, and the check against the rules."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, Self

import numba
import numpy as np
from numba import types
from numba.extending import overload

from thalweg.domain.pixels import PixelRules
from thalweg.errors import UndeclaredValue
from thalweg.raster.codec import Pixels, checked_dtype, stored
from thalweg.raster.runs import count_values, run_end

# A bucket is what a double's exponent and the first five bits of its mantissa say: each octave is
# cut into 32, without a logarithm.
BUCKETS_PER_OCTAVE = 32
_BUCKET_SHIFT = 52 - 5
_BUCKETS = 1 << (11 + 5)
_SQUARE_SPLIT = 1 << 31

_ONCE = np.empty(0, np.int64)

_NODATA, _VALID, _POSITIVE, _UNDECLARED, _LIKE_FIRST, _FIRST_ROW, _FIRST_COL, _SPECIAL = range(8)


@dataclass(frozen=True)
class BandStatistics:
    """Statistics of one band, exact for integers, that merge with those of other pixels.

    `valid + nodata + sum of special` is the number of pixels. `minimum`, `maximum`, `total` (the
    sum) and `squares` (the sum of squares) are of the valid pixels, Python integers where the
    pixels are. `positive` counts the valid pixels above zero, for a depth the wet ones. `special`
    counts each kept special value by its meaning. `histogram` counts the valid pixels by bucket:
    each power of two is cut into `BUCKETS_PER_OCTAVE`, so integers below 64 have one each.
    """

    valid: int
    nodata: int
    positive: int
    minimum: float | None
    maximum: float | None
    total: float
    squares: float
    special: tuple[tuple[str, int], ...] = ()
    histogram: tuple[tuple[int, int], ...] = ()

    @property
    def count(self) -> int:
        """The number of pixels of any kind."""
        return self.valid + self.nodata + sum(count for _, count in self.special)

    @property
    def mean(self) -> float | None:
        return self.total / self.valid if self.valid else None

    @property
    def std(self) -> float | None:
        """The standard deviation of the population of valid pixels."""
        if not self.valid:
            return None
        spread = self.squares * self.valid - self.total * self.total
        return math.sqrt(max(spread, 0)) / self.valid

    @property
    def valid_percent(self) -> float:
        return 100 * self.valid / self.count if self.count else 0.0

    def percentile(self, q: float) -> float | None:
        """The value below which `q` per cent of the valid pixels lie, by nearest rank.

        Off by at most 1/32 of itself; exact for integers below 64. None where nothing is valid.
        """
        if self.minimum is None or self.maximum is None:
            return None
        rank = max(1, math.ceil(q / 100 * self.valid))
        for bucket, count in self.histogram:
            rank -= count
            if rank <= 0:
                value = _bucket_value(bucket, whole=isinstance(self.minimum, int))
                return min(max(value, self.minimum), self.maximum)
        return self.maximum

    def merge(self, other: BandStatistics) -> BandStatistics:
        """The statistics of both sets of pixels together."""
        lows = [s.minimum for s in (self, other) if s.minimum is not None]
        highs = [s.maximum for s in (self, other) if s.maximum is not None]
        special = Counter(dict(self.special))
        special.update(dict(other.special))
        buckets = Counter(dict(self.histogram))
        buckets.update(dict(other.histogram))
        return BandStatistics(
            valid=self.valid + other.valid,
            nodata=self.nodata + other.nodata,
            positive=self.positive + other.positive,
            minimum=min(lows, default=None),
            maximum=max(highs, default=None),
            total=self.total + other.total,
            squares=self.squares + other.squares,
            special=tuple(special.items()),
            histogram=tuple(sorted(buckets.items())),
        )

    @classmethod
    def of_nodata(cls, count: int) -> Self:
        """The statistics of so many pixels of nodata."""
        return cls(0, count, 0, None, None, 0, 0)

    def to_json(self) -> dict[str, Any]:
        return {
            "valid": self.valid,
            "nodata": self.nodata,
            "positive": self.positive,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "total": self.total,
            "squares": self.squares,
            "special": dict(self.special),
            "histogram": [list(pair) for pair in self.histogram],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(
            **{
                **document,
                "special": tuple(document["special"].items()),
                "histogram": tuple((bucket, count) for bucket, count in document["histogram"]),
            }
        )


class Tally:
    """Counts one band's pixels, rows from top to bottom, and holds them against the rules."""

    def __init__(self, rules: PixelRules) -> None:
        dtype = checked_dtype(rules.dtype)
        self._rules = rules
        self._integer = dtype.kind in "iu"
        self._limits = stored(rules.minimum, dtype), stored(rules.maximum, dtype)
        self._nodata = np.array(rules.nodata).astype(dtype)[()]
        # A special value that the dtype cannot hold never occurs.
        self._special = [s for s in rules.special if _representable(s.value, dtype)]
        self._values = np.array([s.value for s in self._special]).astype(dtype)
        self._replace = np.array([s.as_nodata for s in self._special], dtype=np.bool_)
        self._counts = np.zeros(_SPECIAL + len(self._special), np.int64)
        self._sums = np.zeros(3, np.int64 if self._integer else np.float64)
        self._extremes = np.zeros(3, dtype)
        self._buckets = np.zeros(2 * _BUCKETS + 1, np.int64)
        self._total: Any = 0 if self._integer else 0.0
        self._squares: Any = 0 if self._integer else 0.0
        self._rows = 0
        self._times = np.zeros(1 << 8 * dtype.itemsize if dtype.itemsize <= 2 else 0, np.int64)

    def add(self, pixels: Pixels) -> None:
        """Count rows of (rows, columns); special values meant as nodata are replaced in place."""
        bits = pixels.view(f"u{pixels.itemsize}")
        if not (self._times.size and self._count_by_value(bits, pixels.dtype)):
            self._count(pixels, bits)
        self._rows += pixels.shape[0]

    def _count_by_value(self, bits: Pixels, dtype: np.dtype[Any]) -> bool:
        """Count how often each value of a small type occurs, and then each value once.

        False, with nothing counted, where some value must be found: to replace or to report it.
        """
        self._times[:] = 0
        count_values(bits, self._times)
        found = np.flatnonzero(self._times).astype(bits.dtype)
        values = found.view(dtype)
        low, high = self._limits
        kept = [self._nodata, *self._values[~self._replace]]
        plain = np.isin(values, kept) | ((values >= low) & (values <= high))
        if not plain.all() or np.isin(values, self._values[self._replace]).any():
            return False
        self._count(values[None], found[None], self._times[found])
        return True

    def _count(self, pixels: Pixels, bits: Pixels, times: Pixels = _ONCE) -> None:
        """Count pixels, or distinct values and how many times each occurs."""
        _count(
            pixels,
            bits,
            times,
            self._rows,
            *self._limits,
            self._nodata,
            self._values,
            self._replace,
            self._counts,
            self._sums,
            self._extremes,
            self._buckets,
        )
        # Emptied at each call: int64 holds the sums of one strip, Python's integers those of all.
        plain, high, low = self._sums.tolist()
        self._total += plain
        self._squares += high * _SQUARE_SPLIT + low
        self._sums[:] = 0

    def check(self, where: str) -> None:
        """Raise `UndeclaredValue` for the first pixel that the rules do not declare."""
        undeclared = int(self._counts[_UNDECLARED])
        if undeclared:
            value = self._extremes[2].item()
            alike = int(self._counts[_LIKE_FIRST])
            row, col = int(self._counts[_FIRST_ROW]), int(self._counts[_FIRST_COL])
            others = f", {undeclared - alike} more hold others" if undeclared > alike else ""
            raise UndeclaredValue(
                f"{alike} pixels hold {value:g}, first at row {row}, column {col}: not in "
                f"{self._rules.minimum:g}..{self._rules.maximum:g} {self._rules.unit}, "
                f"nor nodata, nor a declared special value{others}",
                where=where,
                hint="declare the value under pixels.special, or widen minimum and maximum",
            )

    def statistics(self) -> BandStatistics:
        """The statistics of the rows so far."""
        valid = int(self._counts[_VALID])
        low, high, _ = self._extremes.tolist()
        counted = list(zip(self._special, self._counts[_SPECIAL:].tolist(), strict=True))
        filled = np.flatnonzero(self._buckets)
        return BandStatistics(
            valid=valid,
            nodata=int(self._counts[_NODATA]) + sum(n for s, n in counted if s.as_nodata),
            positive=int(self._counts[_POSITIVE]),
            minimum=low if valid else None,
            maximum=high if valid else None,
            total=self._total,
            squares=self._squares,
            special=tuple((s.meaning, n) for s, n in counted if not s.as_nodata),
            histogram=tuple(
                zip((filled - _BUCKETS).tolist(), self._buckets[filled].tolist(), strict=True)
            ),
        )


def _representable(value: float, dtype: np.dtype[Any]) -> bool:
    if dtype.kind == "f":
        return True
    limits = np.iinfo(dtype)
    return float(value).is_integer() and bool(limits.min <= value <= limits.max)


def _bucket_value(bucket: int, *, whole: bool) -> float:
    """The middle of a bucket; of the integers in it, where the values are whole."""
    if bucket == 0:
        return 0.0
    edges = (np.arange(2) + abs(bucket)) << _BUCKET_SHIFT
    low, high = edges.view(np.float64).tolist()
    middle = (math.ceil(low) + math.ceil(high) - 1) / 2 if whole else (low + high) / 2
    return math.copysign(middle, bucket)


def _square_parts(value: Any) -> Any:
    """(high, low) such that `value ** 2 == high * _SQUARE_SPLIT + low`."""
    raise NotImplementedError


@overload(_square_parts, inline="always", strict=False)
def _square_parts_of(value: Any) -> Any:
    if isinstance(value, types.Float):
        return lambda value: (0.0, np.float64(value) * np.float64(value))
    return lambda value: (
        (np.int64(value) * np.int64(value)) >> 31,
        (np.int64(value) * np.int64(value)) & (_SQUARE_SPLIT - 1),
    )


@numba.njit(nogil=True, cache=True)
def _count(
    pixels: Any,
    bits: Any,
    times: Any,
    first_row: int,
    low: float,
    high: float,
    nodata: Any,
    special: Any,
    replace: Any,
    counts: Any,
    sums: Any,
    extremes: Any,
    buckets: Any,
) -> None:
    height, width = pixels.shape
    nodata_is_nan = nodata != nodata
    real = np.zeros(1, np.float64)
    word = real.view(np.int64)
    for row in range(height):
        line, line_bits = pixels[row], bits[row]
        col = 0
        while col < width:
            # Runs of one value, of which floods mostly consist, are counted at once.
            value = line[col]
            end = run_end(line_bits, col)
            start, run = col, times[col] if times.size else end - col
            col = end
            if value == nodata or (nodata_is_nan and value != value):
                counts[_NODATA] += run
                continue
            kind = -1
            for index in range(special.size):
                if value == special[index]:
                    kind = index
                    break
            if kind >= 0:
                counts[_SPECIAL + kind] += run
                if replace[kind]:
                    line[start:end] = nodata
            elif low <= value <= high:
                if counts[_VALID] == 0:
                    extremes[0] = extremes[1] = value
                extremes[0] = min(extremes[0], value)
                extremes[1] = max(extremes[1], value)
                counts[_VALID] += run
                real[0] = abs(value)
                bucket = word[0] >> _BUCKET_SHIFT
                buckets[_BUCKETS + (bucket if value > 0 else -bucket)] += run
                if value != 0:
                    upper, lower = _square_parts(value)
                    sums[0] += value * run
                    sums[1] += upper * run
                    sums[2] += lower * run
                    if value > 0:
                        counts[_POSITIVE] += run
            else:
                if counts[_UNDECLARED] == 0:
                    extremes[2] = value
                    counts[_FIRST_ROW] = first_row + row
                    counts[_FIRST_COL] = start
                counts[_UNDECLARED] += run
                if value == extremes[2] or (value != value and extremes[2] != extremes[2]):
                    counts[_LIKE_FIRST] += run
