"""The compiled look at pixels: which are values in any band, and which are nodata or special."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from thalweg.raster.runs import run_end

# What a pixel is, in a byte: see `code_of`.
ZERO, FIRST_CLASS, FIRST_KIND, UNDECLARED = 0, 1, 128, 255
# What a run of pixels is in a band, in a byte; after them the kept special values.
NO_KIND, NODATA_KIND, FIRST_SPECIAL_KIND = range(3)


@numba.njit(nogil=True, cache=True)
def code_of(
    value: Any, low: float, high: float, nodata: Any, special: Any, kinds: Any, thresholds: Any
) -> int:
    """What a value is: ZERO, a valid one by its class, nodata or special by its kind, UNDECLARED.

    The class of a valid value is the number of thresholds below it.
    """
    if value == 0:
        return ZERO
    if value == nodata or (nodata != nodata and value != value):
        return FIRST_KIND + NODATA_KIND
    for index in range(special.size):
        if value == special[index]:
            return FIRST_KIND + int(kinds[index])
    if not low <= value <= high:
        return UNDECLARED
    above = 0
    while above < thresholds.size and value > thresholds[above]:
        above += 1
    return FIRST_CLASS + above


@numba.njit(nogil=True, cache=True)
def codes_of(values: Any, codes: Any, declared: Any) -> None:
    """The code of each value; `declared` are the last arguments of `code_of`."""
    low, high, nodata, special, kinds, thresholds = declared
    for index in range(values.size):
        codes[index] = code_of(values[index], low, high, nodata, special, kinds, thresholds)


@numba.njit(nogil=True, cache=True)
def _join(bits: Any, row: int, joined: Any) -> None:
    """The bits of a row that are set in any band."""
    joined[:] = bits[0, row]
    for band in range(1, bits.shape[0]):
        line = bits[band, row]
        for col in range(joined.size):
            joined[col] |= line[col]


@numba.njit(nogil=True, cache=True)
def _end_alike(bits: Any, row: int, col: int) -> int:
    """The end of the run of pixels from `col` that are all the same in all bands."""
    end = run_end(bits[0, row], col)
    for band in range(1, bits.shape[0]):
        line = bits[band, row]
        if line[col] != bits[0, row, col]:
            return col + 1
        end = min(end, run_end(line[:end], col))
    return end


@numba.njit(nogil=True, cache=True)
def _code(
    value: Any,
    bits: Any,
    codes: Any,
    low: float,
    high: float,
    nodata: Any,
    special: Any,
    special_kinds: Any,
    thresholds: Any,
) -> int:
    """As `code_of`; of small types it is looked up by the value's bits."""
    if codes.size:
        return int(codes[bits])
    return code_of(value, low, high, nodata, special, special_kinds, thresholds)


@numba.njit(nogil=True, cache=True)
def _find(
    pixels: Any,
    bits: Any,
    row: int,
    joined: Any,
    codes: Any,
    declared: Any,
    begins: Any,
    ends: Any,
) -> int:
    """Where something other than zero is in a row in any band: `begins` and `ends`, and how often.

    Pixels one by one, but for runs of nodata or special values in which no band changes.
    """
    low, high, nodata, special, special_kinds, thresholds = declared
    found, col = 0, 0
    while col < joined.size:
        if joined[col] == 0:
            col = run_end(joined, col)
            continue
        code = _code(
            pixels[0, row, col],
            bits[0, row, col],
            codes,
            low,
            high,
            nodata,
            special,
            special_kinds,
            thresholds,
        )
        begins[found] = col
        col = _end_alike(bits, row, col) if FIRST_KIND <= code < UNDECLARED else col + 1
        ends[found] = col
        found += 1
    return found


@numba.njit(nogil=True, cache=True)
def _tell_kinds(
    pixels: Any,
    row: int,
    col: int,
    declared: Any,
    kinds: Any,
    undeclared: Any,
) -> int:
    """Fill in the kinds of a pixel by band; its highest class, ZERO where no band has a value."""
    low, high, nodata, special, special_kinds, thresholds = declared
    highest = ZERO
    for band in range(pixels.shape[0]):
        value = pixels[band, row, col]
        code = code_of(value, low, high, nodata, special, special_kinds, thresholds)
        kinds[band] = max(code - FIRST_KIND, NO_KIND)
        if code < FIRST_KIND:
            highest = max(highest, code)
        elif code == UNDECLARED:
            if undeclared[0] == 0:
                undeclared[1], undeclared[2] = row * pixels.shape[2] + col, value
                undeclared[3] = band
            undeclared[0] += 1
    return highest


@numba.njit(nogil=True, cache=True)
def list_pixels(
    pixels: Any,
    bits: Any,
    codes: Any,
    declared: Any,
    positions: Any,
    values: Any,
    classes: Any,
    starts: Any,
    stops: Any,
    kinds: Any,
    undeclared: Any,
) -> tuple[int, int]:
    """List pixels (bands, rows, columns) that any band has something other than zero at.

    Gives how many hold a value in some band, and how many runs there are of nodata and special
    values. Of the former the position, the `values` [pixels, lanes], 0 in bands that have none,
    and the highest class of any band. Of a run, in which no band changes, start and stop, and the
    `kinds` [runs, bands]. `undeclared` gets the count, and of the first its position, value and
    band. `codes` are those of all bits, or empty where these are too many; `declared` are the last
    arguments of `code_of`.
    """
    low, high, nodata, special, special_kinds, thresholds = declared
    bands, height, width = pixels.shape
    listed, runs = 0, 0
    joined = np.empty_like(bits[0, 0])
    begins, ends = np.empty(width, np.uint32), np.empty(width, np.uint32)
    highest = np.empty(width, np.uint8)
    for row in range(height):
        _join(bits, row, joined)
        found = _find(
            pixels,
            bits,
            row,
            joined,
            codes,
            declared,
            begins,
            ends,
        )
        highest[:found] = ZERO
        first = listed
        rows = values[first : first + found]
        for band in range(bands):
            line, line_bits, column = pixels[band, row], bits[band, row], rows[:, band]
            for index in range(found):
                col = begins[index]
                value = line[col]
                code = _code(
                    value,
                    line_bits[col],
                    codes,
                    low,
                    high,
                    nodata,
                    special,
                    special_kinds,
                    thresholds,
                )
                highest[index] = max(highest[index], np.uint8(code))
                column[index] = value if code < FIRST_KIND else 0
        for index in range(found):
            position, code = row * width + int(begins[index]), int(highest[index])
            if code >= FIRST_KIND:
                code = _tell_kinds(
                    pixels,
                    row,
                    int(begins[index]),
                    declared,
                    kinds[runs],
                    undeclared,
                )
                starts[runs], stops[runs] = position, row * width + int(ends[index])
                runs += 1
            if code != ZERO:
                if listed < first + index:
                    for band in range(bands):
                        values[listed, band] = values[first + index, band]
                positions[listed], classes[listed] = position, code - FIRST_CLASS
                listed += 1
    return listed, runs
