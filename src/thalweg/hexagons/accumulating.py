"""The compiled part of zonal statistics: pixels of a part into the accumulators of cells.

All bands and resolutions together. Values are added up along runs of pixels that no edge of any
resolution cuts; from the finest to the coarsest resolution, a run's sums are added to its cell and
to the run of the next resolution. So runs are cut, by `cut_runs`, where those of any coarser
resolution stop as well. *Level* 0 is the finest resolution. Zeros take no part.

Arrays are read by element and never by row: a row is an array, and counting references to it by
locked instructions would take longer than all else.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba

from thalweg.hexagons.sifting import STRETCH, VALUE, code_of, sift

# The columns of `counts` [rows, bands, columns], in samples; after them one for each special value,
# and for each threshold what lies above it.
NODATA, OTHER_THAN_ZERO, POSITIVE, FIRST_SPECIAL = range(4)
# The columns of `areas` [rows, bands, columns], in mm2; after them those above each threshold.
POSITIVE_AREA, FIRST_AREA_ABOVE = range(2)
# The columns of `sums` [rows, bands, 4]; the extremes are those of values other than zero.
TOTAL, SQUARES, LOWEST, HIGHEST = range(4)
# The columns of a run's counts, in pixels, are values other than zero, those that are positive, and
# for each threshold what lies above it.
RUN_VALUES, RUN_POSITIVE, FIRST_RUN_ABOVE = range(3)


class Placed(NamedTuple):
    """The runs of a part, one level after the other.

    `stops` and `cells` as in `index.Runs`, where cells are counted through all levels. `current`
    [levels] is the run of each level that the last value was in, before that the level's first.
    `sample_areas` are by row.
    """

    stops: Any
    cells: Any
    current: Any
    split_first: Any
    split_cells: Any
    split_weights: Any
    sample_areas: Any


class Rows(NamedTuple):
    """The accumulators of all cells, each with a row of `counts`, `areas` and `sums` once met.

    The rows of a level stand together: `used[level]` is the next one.
    """

    row_of_cell: Any
    used: Any
    counts: Any
    areas: Any
    sums: Any


class Open(NamedTuple):
    """The runs that values are being added to: `counts` and `sums` [levels, bands, columns].

    `holds` [levels] says whether there is anything. `present` and `mixed` tell of a few rows of a
    part: see `sift`. `limits` are the thresholds; `nothing` is zero and the extremes of nothing, in
    the type of sums.
    """

    counts: Any
    sums: Any
    holds: Any
    present: Any
    mixed: Any
    limits: Any
    nothing: Any


@numba.njit(nogil=True, cache=True)
def cut_runs(
    stops: Any,
    cells: Any,
    other_stops: Any,
    first_cell: int,
    first_split: int,
    cut_stops: Any,
    cut_cells: Any,
) -> int:
    """Cut runs where others stop as well: where each part stops, and its cell; how many there are.

    Both cover the same pixels. There may be as many parts as runs of both. Cells are counted from
    `first_cell` on, split pixels from `first_split` on.
    """
    run, other, parts = 0, 0, 0
    while run < stops.size:
        stop = min(stops[run], other_stops[other])
        cut_stops[parts] = stop
        cut_cells[parts] = cells[run] + (first_cell if cells[run] >= 0 else -first_split)
        parts += 1
        run += stops[run] == stop
        other += other_stops[other] == stop
    return parts


@numba.njit(nogil=True, cache=True)
def row_of(
    cell: int, level: int, row_of_cell: Any, used: Any, sums: Any, lowest: Any, highest: Any
) -> Any:
    """The row of a cell; a new one for a cell not met before."""
    row = row_of_cell[cell]
    if row < 0:
        row = used[level]
        row_of_cell[cell] = row
        used[level] += 1
        for band in range(sums.shape[1]):
            sums[row, band, LOWEST] = lowest
            sums[row, band, HIGHEST] = highest
    return row


@numba.njit(nogil=True, cache=True)
def _sum_up(
    planes: Any,
    line: int,
    start: int,
    stop: int,
    own: int,
    declared: Any,
    mixed: Any,
    limits: Any,
    zero: Any,
    lowest: Any,
    highest: Any,
    counts: Any,
    sums: Any,
) -> None:
    """Sum up each band's values in a run of pixels: level 0 of `counts` and `sums`."""
    for band in range(planes.shape[0]):
        plain = True
        for stretch in range(start // STRETCH, (stop - 1) // STRETCH + 1):
            plain &= not mixed[band, own, stretch]
        values, positive = 0, 0
        total, squares, low, high = zero, zero, lowest, highest
        for col in range(start, stop):
            value = planes[band, line, col]
            if not plain and code_of(value, declared) != VALUE:
                continue
            number = zero + value
            there = value != 0
            values += there
            positive += value > 0
            total += number
            squares += number * number
            low = min(low, number if there else lowest)
            high = max(high, number if there else highest)
        counts[0, band, RUN_VALUES] = values
        if values == 0:
            continue
        counts[0, band, RUN_POSITIVE] = positive
        sums[0, band, TOTAL] = total
        sums[0, band, SQUARES] = squares
        sums[0, band, LOWEST] = low
        sums[0, band, HIGHEST] = high
        for step in range(limits.size):
            limit, above = limits[step], 0
            if high > limit:
                for col in range(start, stop):
                    value = planes[band, line, col]
                    above += value > limit and (plain or code_of(value, declared) == VALUE)
            counts[0, band, FIRST_RUN_ABOVE + step] = above


@numba.njit(nogil=True, cache=True)
def _add_run(
    level: int,
    row: int,
    weight: int,
    area: int,
    run_counts: Any,
    run_sums: Any,
    counts: Any,
    areas: Any,
    sums: Any,
) -> None:
    """Add a run's sums, so many samples of `area` for each pixel, to the row of a cell."""
    thresholds = run_counts.shape[2] - FIRST_RUN_ABOVE
    first_above = counts.shape[2] - thresholds
    for band in range(run_counts.shape[1]):
        if run_counts[level, band, RUN_VALUES] == 0:
            continue
        positive = run_counts[level, band, RUN_POSITIVE] * weight
        counts[row, band, OTHER_THAN_ZERO] += run_counts[level, band, RUN_VALUES] * weight
        counts[row, band, POSITIVE] += positive
        areas[row, band, POSITIVE_AREA] += positive * area
        for step in range(thresholds):
            above = run_counts[level, band, FIRST_RUN_ABOVE + step] * weight
            counts[row, band, first_above + step] += above
            areas[row, band, FIRST_AREA_ABOVE + step] += above * area
        low, high = run_sums[level, band, LOWEST], run_sums[level, band, HIGHEST]
        sums[row, band, TOTAL] += run_sums[level, band, TOTAL] * weight
        sums[row, band, SQUARES] += run_sums[level, band, SQUARES] * weight
        sums[row, band, LOWEST] = min(sums[row, band, LOWEST], low)
        sums[row, band, HIGHEST] = max(sums[row, band, HIGHEST], high)


@numba.njit(nogil=True, cache=True)
def _hand_on(
    level: int, holds: Any, zero: Any, lowest: Any, highest: Any, counts: Any, sums: Any
) -> None:
    """Add a run's sums to the run of the next level, if any, and clear them."""
    to = level + 1
    if to < holds.size:
        holds[to] = True
        for band in range(counts.shape[1]):
            if counts[level, band, RUN_VALUES] == 0:
                continue
            for column in range(counts.shape[2]):
                counts[to, band, column] += counts[level, band, column]
            low, high = sums[level, band, LOWEST], sums[level, band, HIGHEST]
            sums[to, band, TOTAL] += sums[level, band, TOTAL]
            sums[to, band, SQUARES] += sums[level, band, SQUARES]
            sums[to, band, LOWEST] = min(sums[to, band, LOWEST], low)
            sums[to, band, HIGHEST] = max(sums[to, band, HIGHEST], high)
    holds[level] = False
    # The finest level's are written over.
    if level > 0:
        for band in range(counts.shape[1]):
            for column in range(counts.shape[2]):
                counts[level, band, column] = 0
            sums[level, band, TOTAL] = zero
            sums[level, band, SQUARES] = zero
            sums[level, band, LOWEST] = lowest
            sums[level, band, HIGHEST] = highest


@numba.njit(nogil=True, cache=True)
def _add_rows(
    planes: Any,
    first: int,
    last: int,
    declared: Any,
    each: int,
    placed: Any,
    rows: Any,
    opened: Any,
) -> None:
    """Add the values of some rows of a part, where those are that `opened` says."""
    stops, cells, current, split_first, split_cells, split_weights, sample_areas = placed
    row_of_cell, used, counts, areas, sums = rows
    run_counts, run_sums, holds, present, mixed, limits, nothing = opened
    zero, lowest, highest = nothing
    levels, width = holds.size, planes.shape[2]
    for line in range(first, last):
        own = line - first
        start = own * width
        area = sample_areas[line]
        col = 0
        while col <= width:
            at_end = col == width
            if not at_end and not present[start + col]:
                col += 1
                continue
            position = line * width + col
            # Where the run of a level goes on, so do those of the coarser ones. None goes on in the
            # next row, nor does one of the finest level in the next round.
            level = 0
            while level < levels and (at_end or position >= stops[current[level]]):
                run = current[level]
                if holds[level]:
                    cell = cells[run]
                    part, last_part, of, weight = 0, 1, cell, each
                    if cell < 0:
                        part, last_part = split_first[-1 - cell], split_first[-cell]
                    while part < last_part:
                        if cell < 0:
                            of, weight = split_cells[part], int(split_weights[part])
                        row = row_of(of, level, row_of_cell, used, sums, lowest, highest)
                        _add_run(
                            level, row, weight, area, run_counts, run_sums, counts, areas, sums
                        )
                        part += 1
                    _hand_on(level, holds, zero, lowest, highest, run_counts, run_sums)
                if not at_end:
                    while stops[run] <= position:
                        run += 1
                    current[level] = run
                level += 1
            if at_end:
                break
            stop = min(stops[current[0]] - line * width, width)
            _sum_up(
                planes,
                line,
                col,
                stop,
                own,
                declared,
                mixed,
                limits,
                zero,
                lowest,
                highest,
                run_counts,
                run_sums,
            )
            holds[0] = True
            while col < stop:
                present[start + col] = False
                col += 1


@numba.njit(nogil=True, cache=True)
def add_part(
    planes: Any,
    bits: Any,
    declared: Any,
    listed: Any,
    each: int,
    placed: Any,
    rows: Any,
    opened: Any,
) -> None:
    """Add the values of a part (bands, rows, columns) to their cells, and list all others.

    A few rows at a time, which stay near.
    """
    bands, height, width = planes.shape
    present, mixed = opened.present, opened.mixed
    at_once = present.size // width
    for first in range(0, height, at_once):
        last = min(first + at_once, height)
        for band in range(bands):
            sift(planes[band], bits[band], first, last, band, declared, listed, present, mixed)
        if placed.stops.size:
            _add_rows(planes, first, last, declared, each, placed, rows, opened)
        mixed[:] = False
