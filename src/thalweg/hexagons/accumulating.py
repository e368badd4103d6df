"""The compiled part of zonal statistics: pixels of a strip into the accumulators of cells.

Steps on flat positions in a part: the runs of `CellIndex.runs` once for a resolution,
`list_pixels` once for a band, then `add_values` and `add_others` for both. Zeros take no part.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from thalweg.hexagons.measures import BUCKET_SHIFT
from thalweg.raster.runs import run_end

# Bands come first, as a part's bands are added one after the other: what is added to stays near.
# The columns of `counts` [bands, rows, columns], in samples; after them one for each special value,
# and for each threshold what lies above it.
NODATA, OTHER_THAN_ZERO, POSITIVE, FIRST_SPECIAL = range(4)
# The columns of `areas` [bands, rows, columns], in mm2; after them those above each threshold.
POSITIVE_AREA, FIRST_AREA_ABOVE = range(2)
# The columns of `sums` [bands, rows, 4]; the extremes are those of values other than zero.
TOTAL, SQUARES, LOWEST, HIGHEST = range(4)
# What a pixel is, in a byte: see `code_of`.
ZERO, FIRST_CLASS, FIRST_KIND, UNDECLARED = 0, 1, 128, 255


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
        return FIRST_KIND
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
    first_bucket: int,
    zero_bucket: int,
    positions: Any,
    values: Any,
    classes: Any,
    buckets: Any,
    starts: Any,
    stops: Any,
    others: Any,
    undeclared: Any,
) -> tuple[int, int]:
    """List a band's pixels other than zero; how many are values, and how many runs of others.

    Of each value its position, itself, how many thresholds lie below it and its bucket, unless
    `buckets` is empty. Of each run of nodata (kind 0) or special values (`kinds`) start, stop and
    kind. `undeclared` gets the count, the first position and the value of what is neither. `codes`
    are those of all bits, or empty where these are too many; `declared` as in `codes_of`.
    """
    height, width = pixels.shape
    low, high, nodata, special, kinds, thresholds = declared
    real = np.zeros(1, np.float64)
    word = real.view(np.int64)
    listed, runs = 0, 0
    for row in range(height):
        line, line_bits = pixels[row], bits[row]
        start = row * width
        col = 0
        while col < width:
            if codes.size:
                code = int(codes[line_bits[col]])
            else:
                code = code_of(line[col], low, high, nodata, special, kinds, thresholds)
            if code == ZERO:
                col = run_end(line_bits, col)
            elif code < FIRST_KIND:
                positions[listed] = start + col
                values[listed] = line[col]
                classes[listed] = code - FIRST_CLASS
                if buckets.size:
                    real[0] = abs(line[col])
                    step = max((word[0] >> BUCKET_SHIFT) - first_bucket + 1, 0)
                    buckets[listed] = zero_bucket + (step if line[col] > 0 else -step)
                listed += 1
                col += 1
            elif code < UNDECLARED:
                starts[runs] = start + col
                col = run_end(line_bits, col)
                stops[runs] = start + col
                others[runs] = code - FIRST_KIND
                runs += 1
            else:
                if undeclared[0] == 0:
                    undeclared[1] = start + col
                    undeclared[2] = line[col]
                undeclared[0] += 1
                col += 1
    return listed, runs


@numba.njit(nogil=True, cache=True)
def _row_of(cell: int, row_of_cell: Any, used: Any, sums: Any, lowest: Any, highest: Any) -> Any:
    """The row that a cell's sums stand in; a new one for a cell not met before."""
    row = row_of_cell[cell]
    if row < 0:
        row = used[0]
        row_of_cell[cell] = row
        used[0] += 1
        for band in range(sums.shape[0]):
            sums[band, row, LOWEST] = lowest
            sums[band, row, HIGHEST] = highest
    return row


@numba.njit(nogil=True, cache=True)
def add_values(
    positions: Any,
    values: Any,
    classes: Any,
    buckets: Any,
    listed: int,
    run_stops: Any,
    run_cells: Any,
    split_first: Any,
    split_cells: Any,
    split_weights: Any,
    width: int,
    sample_areas: Any,
    each: int,
    row_of_cell: Any,
    used: Any,
    band: int,
    counts: Any,
    areas: Any,
    sums: Any,
    histogram: Any,
    zero: Any,
    lowest: Any,
    highest: Any,
) -> None:
    """Add listed values to their cells; `sample_areas` are by row of the strip."""
    thresholds = areas.shape[2] - FIRST_AREA_ABOVE
    first_above = counts.shape[2] - thresholds
    above = np.zeros(thresholds + 1, np.int64)
    index, run = 0, 0
    line_number, line_end = 0, width
    while index < listed:
        position = positions[index]
        while run_stops[run] <= position:
            run += 1
        stop = run_stops[run]
        count, positive = 0, 0
        total, squares = zero, zero
        low, high = lowest, highest
        begin = index
        while index < listed and positions[index] < stop:
            value = zero + values[index]
            count += 1
            positive += value > 0
            total += value
            squares += value * value
            low = value if value < low else low
            high = value if value > high else high
            above[classes[index]] += 1
            index += 1
        for step in range(thresholds - 1, 0, -1):
            above[step] += above[step + 1]
        while position >= line_end:
            line_number += 1
            line_end += width
        area = sample_areas[line_number]
        cell = run_cells[run]
        first_part, last_part = 0, 1
        if cell < 0:
            first_part, last_part = split_first[-1 - cell], split_first[-cell]
        for part in range(first_part, last_part):
            weight, of = each, cell
            if cell < 0:
                weight, of = int(split_weights[part]), split_cells[part]
            row = row_of_cell[of]
            if row < 0:
                row = _row_of(of, row_of_cell, used, sums, lowest, highest)
            line, area_line, sum_line = counts[band, row], areas[band, row], sums[band, row]
            line[OTHER_THAN_ZERO] += count * weight
            line[POSITIVE] += positive * weight
            area_line[POSITIVE_AREA] += positive * weight * area
            for step in range(thresholds):
                exceeding = above[step + 1] * weight
                if exceeding == 0:
                    break
                line[first_above + step] += exceeding
                area_line[FIRST_AREA_ABOVE + step] += exceeding * area
            sum_line[TOTAL] += total * weight
            sum_line[SQUARES] += squares * weight
            sum_line[LOWEST] = min(sum_line[LOWEST], low)
            sum_line[HIGHEST] = max(sum_line[HIGHEST], high)
            if buckets.size:
                for inner in range(begin, index):
                    histogram[band, row, buckets[inner]] += weight
        above[:] = 0


@numba.njit(nogil=True, cache=True)
def add_others(
    starts: Any,
    stops: Any,
    kinds: Any,
    run_stops: Any,
    run_cells: Any,
    split_first: Any,
    split_cells: Any,
    split_weights: Any,
    each: int,
    row_of_cell: Any,
    used: Any,
    first_band: int,
    last_band: int,
    counts: Any,
    sums: Any,
    lowest: Any,
    highest: Any,
) -> None:
    """Add listed runs of nodata and special values to their cells, in each band up to the last."""
    run = 0
    for index in range(starts.size):
        position, end = starts[index], stops[index]
        column = NODATA if kinds[index] == 0 else FIRST_SPECIAL + kinds[index] - 1
        while position < end:
            while run_stops[run] <= position:
                run += 1
            stop = min(run_stops[run], end)
            cell = run_cells[run]
            if cell >= 0:
                row = _row_of(cell, row_of_cell, used, sums, lowest, highest)
                for band in range(first_band, last_band):
                    counts[band, row, column] += (stop - position) * each
            else:
                for part in range(split_first[-1 - cell], split_first[-cell]):
                    row = _row_of(split_cells[part], row_of_cell, used, sums, lowest, highest)
                    for band in range(first_band, last_band):
                        counts[band, row, column] += np.int64(split_weights[part])
            position = stop


@numba.njit(nogil=True, cache=True)
def add_voids(
    starts: Any,
    stops: Any,
    run_stops: Any,
    run_cells: Any,
    split_first: Any,
    split_cells: Any,
    split_weights: Any,
    each: int,
    voids: Any,
) -> None:
    """Add runs of pixels that are nodata in every band to `voids`, by cell."""
    run = 0
    for index in range(starts.size):
        position, end = starts[index], stops[index]
        while position < end:
            while run_stops[run] <= position:
                run += 1
            stop = min(run_stops[run], end)
            cell = run_cells[run]
            if cell >= 0:
                voids[cell] += (stop - position) * each
            else:
                for part in range(split_first[-1 - cell], split_first[-cell]):
                    voids[split_cells[part]] += np.int64(split_weights[part])
            position = stop
