"""Overviews: coarser levels that never mix a measurement with what is none."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import overload

from thalweg.domain.pixels import PixelRules
from thalweg.raster.codec import Pixels, checked_dtype
from thalweg.raster.runs import uniform


class Resampling(StrEnum):
    """What a cell of an overview tells of the valid pixels under it."""

    MEAN = "mean"
    NEAREST = "nearest"
    MAX = "max"


_MEAN, _NEAREST, _MAX = range(3)
# Cells that are looked at together, to see whether one value fills them all.
_STRETCH = 16
_CODES = {Resampling.MEAN: _MEAN, Resampling.NEAREST: _NEAREST, Resampling.MAX: _MAX}


class Reducer:
    """Makes each level of an overview from the one before it.

    A cell covers `factor` x `factor` pixels, fewer at the right and lower edge. `mean` and `max`
    are of its valid pixels alone, the mean of integers rounded half up; a cell without a valid
    pixel takes the most frequent of the kept special values in it, the one declared first of
    equals, and nodata where there is none. `nearest` is the cell's middle pixel (the upper left of
    four), whatever it holds.
    """

    def __init__(self, rules: PixelRules, factor: int, resampling: Resampling) -> None:
        dtype = checked_dtype(rules.dtype)
        self.factor = factor
        self._nodata = np.array(rules.nodata).astype(dtype)[()]
        self._special = np.array([s.value for s in rules.kept_special()]).astype(dtype)
        self._tallies = np.zeros(self._special.size, np.int64)
        self._zero = np.int64(0) if dtype.kind in "iu" else np.float64(0)
        # Nine 16-bit numbers add up in 32 bits, of which vector instructions hold twice as many.
        summed = np.int32 if dtype.kind in "iu" and dtype.itemsize <= 2 else type(self._zero)
        self._sums = np.zeros(_STRETCH * factor, summed)
        self._numbers = np.zeros(_STRETCH * factor, np.int32)
        self._mode = _CODES[resampling]
        others = np.array([rules.nodata, *(s.value for s in rules.kept_special())])
        # Where every other value is below the smallest valid one (or is NaN), one comparison tells.
        self._told_apart = not bool((others >= rules.minimum).any())
        self._minimum = _lowest(rules.minimum, dtype)

    def reduce(self, pixels: Pixels, out: Pixels) -> None:
        """Fill `out`, of shape ceil(pixels.shape / factor), from `pixels`."""
        _reduce(
            pixels,
            pixels.view(f"u{pixels.itemsize}"),
            out,
            self.factor,
            self._nodata,
            self._special,
            self._tallies,
            self._zero,
            self._mode,
            self._told_apart,
            self._minimum,
            self._sums,
            self._numbers,
        )


def _lowest(minimum: float, dtype: np.dtype[Any]) -> Any:
    """The smallest value of a type that is not below the minimum."""
    if dtype.kind == "f":
        return np.array(minimum).astype(dtype)[()]
    limits = np.iinfo(dtype)
    return dtype.type(min(max(math.ceil(minimum), limits.min), limits.max))


def _mean(total: Any, count: Any) -> Any:
    """The mean, rounded half up where it is of integers."""
    raise NotImplementedError


@overload(_mean, inline="always", strict=False)
def _mean_of(total: Any, count: Any) -> Any:  # noqa: ARG001
    if isinstance(total, types.Integer):
        # Exact in a double: the quotient is a multiple of 1 / (2 count), far above its rounding.
        return lambda total, count: math.floor((2 * total + count) / (2 * count))
    return lambda total, count: total / count


@numba.njit(nogil=True, cache=True)
def _reduce(
    pixels: Any,
    bits: Any,
    out: Any,
    factor: int,
    nodata: Any,
    special: Any,
    tallies: Any,
    zero: Any,
    mode: int,
    told_apart: bool,
    minimum: Any,
    sums: Any,
    numbers: Any,
) -> None:
    height, width = pixels.shape
    for row in range(out.shape[0]):
        top = row * factor
        bottom = min(top + factor, height)
        col = 0
        while col < out.shape[1]:
            left = col * factor
            first = bits[top, left]
            stop = min(left + _STRETCH * factor, width)
            alike = True
            for y in range(top, bottom):
                alike = alike and uniform(bits[y, left:stop], first)
            end = min(col + _STRETCH, out.shape[1])
            if alike:
                out[row, col:end] = pixels[top, left]
            else:
                summed = told_apart and mode == _MEAN
                if summed:
                    _sum_columns(pixels, top, bottom, left, stop, minimum, sums, numbers)
                for cell in range(col, end):
                    left = cell * factor
                    right = min(left + factor, width)
                    if mode == _NEAREST:
                        out[row, cell] = pixels[(top + bottom - 1) // 2, (left + right - 1) // 2]
                        continue
                    total, count = zero, 0
                    if summed:
                        for x in range(left - col * factor, right - col * factor):
                            total += sums[x]
                            count += numbers[x]
                    if count > 0:
                        out[row, cell] = _mean(total, count)
                    else:
                        out[row, cell] = _cell(
                            pixels, top, bottom, left, right, nodata, special, tallies, zero, mode
                        )
            col = end


@numba.njit(nogil=True, cache=True)
def _sum_columns(
    pixels: Any, top: int, bottom: int, left: int, stop: int, minimum: Any, sums: Any, numbers: Any
) -> None:
    """Add up the valid pixels of each column, and how many they are."""
    sums[:] = 0
    numbers[:] = 0
    for row in range(top, bottom):
        line = pixels[row, left:stop]
        for col in range(line.size):
            valid = line[col] >= minimum
            sums[col] += line[col] if valid else sums.dtype.type(0)
            numbers[col] += valid


@numba.njit(nogil=True, cache=True)
def _cell(
    pixels: Any,
    top: int,
    bottom: int,
    left: int,
    right: int,
    nodata: Any,
    special: Any,
    tallies: Any,
    zero: Any,
    mode: int,
) -> Any:
    total = zero
    count = 0
    highest = pixels[top, left]
    tallies[:] = 0
    nodata_is_nan = nodata != nodata
    for row in range(top, bottom):
        for col in range(left, right):
            value = pixels[row, col]
            if value == nodata or (nodata_is_nan and value != value):
                continue
            kind = -1
            for index in range(special.size):
                if value == special[index]:
                    kind = index
            if kind >= 0:
                tallies[kind] += 1
                continue
            highest = value if count == 0 else max(highest, value)
            total += value
            count += 1
    if count == 0:
        return _most_frequent(special, tallies, nodata)
    return highest if mode == _MAX else _mean(total, count)


@numba.njit(nogil=True, cache=True)
def _most_frequent(special: Any, tallies: Any, otherwise: Any) -> Any:
    chosen = otherwise
    most = 0
    for index in range(special.size):
        if tallies[index] > most:
            most = tallies[index]
            chosen = special[index]
    return chosen
