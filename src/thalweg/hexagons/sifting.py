"""The compiled part of reading: which pixels of a band are values, and which something else.

Positions are flat ones in a part of a window. Zeros are passed over.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba

from thalweg.raster.runs import run_end

# What a pixel is, in a byte: see `code_of`.
ZERO, VALUE, FIRST_KIND, UNDECLARED = 0, 1, 128, 255
STRETCH = 64


class Declared(NamedTuple):
    """What pixels may be: values from `low` to `high`, `nodata`, and `special` of some `kinds`.

    All but the kinds are of the pixels' type. `codes` are those of all bits, or empty where these
    are too many.
    """

    low: Any
    high: Any
    nodata: Any
    special: Any
    kinds: Any
    codes: Any


class Listed(NamedTuple):
    """Runs of pixels that are no values: `starts`, `stops` and `kinds` [bands, runs].

    Of each band the `runs`, and of the pixels that are not declared either the number, the first
    position and the value, in `undeclared` [bands, 3]. Kind 0 is nodata.
    """

    starts: Any
    stops: Any
    kinds: Any
    runs: Any
    undeclared: Any


@numba.njit(nogil=True, cache=True)
def code_of(value: Any, declared: Any) -> int:
    """What a value is: ZERO, VALUE, nodata or special by its kind, UNDECLARED."""
    if value == 0:
        return ZERO
    nodata, special = declared.nodata, declared.special
    if value == nodata or (nodata != nodata and value != value):
        return FIRST_KIND
    for index in range(special.size):
        if value == special[index]:
            return FIRST_KIND + int(declared.kinds[index])
    return VALUE if declared.low <= value <= declared.high else UNDECLARED


@numba.njit(nogil=True, cache=True)
def codes_of(values: Any, codes: Any, declared: Any) -> None:
    """The code of each value."""
    for index in range(values.size):
        codes[index] = code_of(values[index], declared)


@numba.njit(nogil=True, cache=True)
def holds_value(planes: Any, bits: Any, declared: Any) -> bool:
    """Whether any pixel of the planes (bands, rows, columns) is a value other than zero."""
    bands, height, width = planes.shape
    for band in range(bands):
        for row in range(height):
            line, line_bits = planes[band, row], bits[band, row]
            col = 0
            while col < width:
                if code_of(line[col], declared) == VALUE:
                    return True
                col = run_end(line_bits, col)
    return False


@numba.njit(nogil=True, cache=True)
def _is_plain(
    line: Any, first: int, last: int, low: Any, high: Any, nodata: Any, special: Any
) -> bool:
    """Whether there are zeros and values only, and none is special, by vector instructions."""
    other = False
    for col in range(first, last):
        value = line[col]
        other |= (value < low) | (value > high) | (value == nodata) | (value != value)
    for index in range(special.size):
        kind = special[index]
        for col in range(first, last):
            other |= line[col] == kind
    return not other


@numba.njit(nogil=True, cache=True)
def sift(
    plane: Any,
    bits: Any,
    first_row: int,
    last_row: int,
    band: int,
    declared: Any,
    listed: Any,
    present: Any,
    mixed: Any,
) -> None:
    """Find the values in some rows of a band, and list the runs of others.

    `present` [pixels] of these rows is set where there is a value other than zero, `mixed` [bands,
    rows, stretches] where a stretch of `STRETCH` pixels holds anything but zeros and values.
    """
    codes, undeclared = declared.codes, listed.undeclared
    low, high, nodata, special = declared.low, declared.high, declared.nodata, declared.special
    starts, stops, kinds, runs = listed.starts, listed.stops, listed.kinds, listed.runs
    width = plane.shape[1]
    for row in range(first_row, last_row):
        line, line_bits = plane[row], bits[row]
        start, own = row * width, (row - first_row) * width
        col, checked = 0, 0
        while col < width:
            if line[col] == 0:
                col = run_end(line_bits, col)
                continue
            if col >= checked:
                # Nearly all stretches are plain, which is quickly seen.
                checked = min(col + STRETCH, width)
                if _is_plain(line, col, checked, low, high, nodata, special):
                    for index in range(col, checked):
                        present[own + index] |= line[index] != 0
                    col = checked
                    continue
            code = int(codes[line_bits[col]]) if codes.size else code_of(line[col], declared)
            if code == VALUE:
                present[own + col] = True
                col += 1
            elif code < UNDECLARED:
                run = runs[band]
                starts[band, run] = start + col
                kinds[band, run] = code - FIRST_KIND
                end = run_end(line_bits, col)
                for stretch in range(col // STRETCH, (end - 1) // STRETCH + 1):
                    mixed[band, row - first_row, stretch] = True
                stops[band, run] = start + end
                runs[band] = run + 1
                col = end
            else:
                if undeclared[band, 0] == 0:
                    undeclared[band, 1] = start + col
                    undeclared[band, 2] = line[col]
                undeclared[band, 0] += 1
                col += 1
