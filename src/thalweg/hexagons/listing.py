"""The compiled look at pixels: which are values in any band, and which are nodata or special."""

from __future__ import annotations

from typing import Any

import numba

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
def list_pixels(
    pixels: Any,
    bits: Any,
    codes: Any,
    declared: Any,
    joined: Any,
    here: Any,
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
    band. `codes` are those of all bits, or empty where these are too many; `declared` as in
    `codes_of`; `joined` [columns] and `here` [bands] are room to work in.
    """
    bands, height, width = pixels.shape
    low, high, nodata, special, kinds_of_special, thresholds = declared
    listed, runs = 0, 0
    for row in range(height):
        joined[:] = bits[0, row]
        for band in range(1, bands):
            line = bits[band, row]
            for col in range(width):
                joined[col] |= line[col]
        start = row * width
        col = 0
        while col < width:
            if joined[col] == 0:
                col = run_end(joined, col)
                continue
            highest, valid = ZERO, ZERO
            for band in range(bands):
                value = pixels[band, row, col]
                if codes.size:
                    code = int(codes[bits[band, row, col]])
                else:
                    code = code_of(value, low, high, nodata, special, kinds_of_special, thresholds)
                here[band] = code
                highest = max(highest, code)
                is_value = code < FIRST_KIND
                valid = max(valid, code) if is_value else valid
                values[listed, band] = value if is_value else 0
            if highest == UNDECLARED:
                for band in range(bands):
                    if here[band] == UNDECLARED:
                        if undeclared[0] == 0:
                            undeclared[1] = start + col
                            undeclared[2] = pixels[band, row, col]
                            undeclared[3] = band
                        undeclared[0] += 1
                col += 1
                continue
            end = col + 1
            if highest >= FIRST_KIND:
                end = width
                for band in range(bands):
                    end = min(end, run_end(bits[band, row, :end], col))
                    kinds[runs, band] = max(here[band] - FIRST_KIND, NO_KIND)
                starts[runs] = start + col
                stops[runs] = start + end
                runs += 1
            if valid != ZERO:
                first = listed
                for same in range(col, end):
                    values[listed] = values[first]
                    positions[listed] = start + same
                    classes[listed] = valid - FIRST_CLASS
                    listed += 1
            col = end
    return listed, runs
