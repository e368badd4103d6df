"""The compiled part of zonal statistics: pixels of a part into the accumulators of cells.

All bands and resolutions together. Values are added up along runs of pixels that no edge of any
resolution cuts; from the finest to the coarsest resolution, a run's sums are added to its cell and
to the run of the next resolution. So runs are cut, by `cut_runs`, where those of any coarser
resolution stop as well. *Level* 0 is the finest resolution. Zeros take no part. Bands stand side
by side in groups, as *lanes*, so that a run is closed for all of them at once.

Arrays are read by element and never by row: a row is an array, and counting references to it by
locked instructions would take longer than all else.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from thalweg.hexagons.measures import BUCKET_SHIFT
from thalweg.hexagons.sifting import VALUE, code_of, sift
from thalweg.raster.runs import run_end

# The columns of `counts` [rows, columns, ...], in samples; after them one for each special value,
# and for each threshold what lies above it.
NODATA, OTHER_THAN_ZERO, POSITIVE, FIRST_SPECIAL = range(4)
# The columns of `areas` [rows, columns, ...], in mm2; after them those above each threshold.
POSITIVE_AREA, FIRST_AREA_ABOVE = range(2)
# The columns of `sums` [rows, 4, ...]; the extremes are those of values other than zero.
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

    The rows of a level stand together: `used[level]` is the next one. The band comes last, as its
    group and its lane in the group.
    """

    row_of_cell: Any
    used: Any
    counts: Any
    areas: Any
    sums: Any


class Open(NamedTuple):
    """The runs that values are being added to: `counts`, `sums` [levels, columns, groups, lanes].

    `holds` [levels] says whether there is anything. `values` [pixels, groups, lanes] and `present`
    [pixels] are those of a few rows of a part, zero when these are done. `limits` are the
    thresholds; `nothing` is zero and the extremes of nothing, in the type of sums. `lanes` is a
    tuple as long as a group: a length that the compiler knows, so that loops over it are unrolled.
    """

    counts: Any
    sums: Any
    holds: Any
    values: Any
    present: Any
    limits: Any
    nothing: Any
    lanes: Any


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
def _row_of(
    cell: int, level: int, row_of_cell: Any, used: Any, sums: Any, lowest: Any, highest: Any
) -> Any:
    """The row of a cell; a new one for a cell not met before."""
    row = row_of_cell[cell]
    if row < 0:
        row = used[level]
        row_of_cell[cell] = row
        used[level] += 1
        for group in range(sums.shape[2]):
            for lane in range(sums.shape[3]):
                sums[row, LOWEST, group, lane] = lowest
                sums[row, HIGHEST, group, lane] = highest
    return row


@numba.njit(nogil=True, cache=True)
def _add_pixel(
    pixel: int,
    lanes: Any,
    values: Any,
    limits: Any,
    zero: Any,
    lowest: Any,
    highest: Any,
    run_counts: Any,
    run_sums: Any,
) -> None:
    """Add a pixel's values to the run of the finest level, and clear them."""
    for group in range(values.shape[1]):
        for lane in range(len(lanes)):
            value = values[pixel, group, lane]
            number = zero + value
            there = value != 0
            run_counts[0, RUN_VALUES, group, lane] += there
            run_counts[0, RUN_POSITIVE, group, lane] += value > 0
            run_sums[0, TOTAL, group, lane] += number
            run_sums[0, SQUARES, group, lane] += number * number
            low = number if there else lowest
            high = number if there else highest
            run_sums[0, LOWEST, group, lane] = min(run_sums[0, LOWEST, group, lane], low)
            run_sums[0, HIGHEST, group, lane] = max(run_sums[0, HIGHEST, group, lane], high)
        for step in range(limits.size):
            limit = limits[step]
            for lane in range(len(lanes)):
                above = values[pixel, group, lane] > limit
                run_counts[0, FIRST_RUN_ABOVE + step, group, lane] += above
        for lane in range(len(lanes)):
            values[pixel, group, lane] = 0


@numba.njit(nogil=True, cache=True)
def _add_run(
    level: int,
    row: int,
    weight: int,
    area: int,
    lanes: Any,
    run_counts: Any,
    run_sums: Any,
    counts: Any,
    areas: Any,
    sums: Any,
) -> None:
    """Add a run's sums, so many samples of `area` for each pixel, to the row of a cell."""
    thresholds = run_counts.shape[1] - FIRST_RUN_ABOVE
    first_above = counts.shape[1] - thresholds
    for group in range(counts.shape[2]):
        for lane in range(len(lanes)):
            positive = run_counts[level, RUN_POSITIVE, group, lane] * weight
            counts[row, OTHER_THAN_ZERO, group, lane] += (
                run_counts[level, RUN_VALUES, group, lane] * weight
            )
            counts[row, POSITIVE, group, lane] += positive
            areas[row, POSITIVE_AREA, group, lane] += positive * area
            sums[row, TOTAL, group, lane] += run_sums[level, TOTAL, group, lane] * weight
            sums[row, SQUARES, group, lane] += run_sums[level, SQUARES, group, lane] * weight
            low, high = run_sums[level, LOWEST, group, lane], run_sums[level, HIGHEST, group, lane]
            sums[row, LOWEST, group, lane] = min(sums[row, LOWEST, group, lane], low)
            sums[row, HIGHEST, group, lane] = max(sums[row, HIGHEST, group, lane], high)
        for step in range(thresholds):
            for lane in range(len(lanes)):
                above = run_counts[level, FIRST_RUN_ABOVE + step, group, lane] * weight
                counts[row, first_above + step, group, lane] += above
                areas[row, FIRST_AREA_ABOVE + step, group, lane] += above * area


@numba.njit(nogil=True, cache=True)
def _hand_on(
    level: int,
    lanes: Any,
    holds: Any,
    zero: Any,
    lowest: Any,
    highest: Any,
    run_counts: Any,
    run_sums: Any,
) -> None:
    """Add a run's sums to the run of the next level, if any, and clear them."""
    further = level + 1 < holds.size
    to = level + 1 if further else level
    for group in range(run_counts.shape[2]):
        for column in range(run_counts.shape[1]):
            for lane in range(len(lanes)):
                run_counts[to, column, group, lane] += run_counts[level, column, group, lane]
                run_counts[level, column, group, lane] = 0
        for lane in range(len(lanes)):
            total, squares = (
                run_sums[level, TOTAL, group, lane],
                run_sums[level, SQUARES, group, lane],
            )
            low, high = run_sums[level, LOWEST, group, lane], run_sums[level, HIGHEST, group, lane]
            run_sums[to, TOTAL, group, lane] += total
            run_sums[to, SQUARES, group, lane] += squares
            run_sums[to, LOWEST, group, lane] = min(run_sums[to, LOWEST, group, lane], low)
            run_sums[to, HIGHEST, group, lane] = max(run_sums[to, HIGHEST, group, lane], high)
            run_sums[level, TOTAL, group, lane] = zero
            run_sums[level, SQUARES, group, lane] = zero
            run_sums[level, LOWEST, group, lane] = lowest
            run_sums[level, HIGHEST, group, lane] = highest
    if further:
        holds[to] = True
    holds[level] = False


@numba.njit(nogil=True, cache=True)
def _add_rows(
    first: int, last: int, width: int, each: int, placed: Any, rows: Any, opened: Any
) -> None:
    """Add the values of some rows of a part, which are those in `opened`."""
    stops, cells, current, split_first, split_cells, split_weights, sample_areas = placed
    row_of_cell, used, counts, areas, sums = rows
    run_counts, run_sums, holds, values, present, limits, nothing, lanes = opened
    zero, lowest, highest = nothing
    levels = holds.size
    for line in range(first, last):
        own = (line - first) * width
        area = sample_areas[line]
        finest_stop = 0
        col = 0
        while col <= width:
            if col < width and not present[own + col]:
                col = run_end(present[own : own + width], col)
                continue
            at_end = col == width
            position = line * width + col
            # Where the run of a level goes on, so do those of the coarser ones. No run goes on in
            # the next row.
            level = 0 if at_end or position >= finest_stop else levels
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
                        row = _row_of(of, level, row_of_cell, used, sums, lowest, highest)
                        _add_run(
                            level,
                            row,
                            weight,
                            area,
                            lanes,
                            run_counts,
                            run_sums,
                            counts,
                            areas,
                            sums,
                        )
                        part += 1
                    _hand_on(level, lanes, holds, zero, lowest, highest, run_counts, run_sums)
                if not at_end:
                    while stops[run] <= position:
                        run += 1
                    current[level] = run
                level += 1
            if not at_end:
                finest_stop = stops[current[0]]
                holds[0] = True
                present[own + col] = False
                _add_pixel(
                    own + col, lanes, values, limits, zero, lowest, highest, run_counts, run_sums
                )
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
    at_once = opened.present.size // width
    for first in range(0, height, at_once):
        last = min(first + at_once, height)
        for band in range(bands):
            sift(
                planes[band],
                bits[band],
                first,
                last,
                band,
                declared,
                listed,
                opened.values,
                opened.present,
            )
        if placed.stops.size:
            _add_rows(first, last, width, each, placed, rows, opened)


@numba.njit(nogil=True, cache=True)
def add_others(
    starts: Any,
    stops: Any,
    kinds: Any,
    runs: Any,
    first_cell: int,
    each: int,
    level: int,
    rows: Any,
    first_band: int,
    last_band: int,
    nothing: Any,
) -> None:
    """Add listed runs of nodata and special values to their cells, in each band up to the last."""
    run_stops, run_cells, split_first = runs.stops, runs.cells, runs.split_first
    counts, lanes = rows.counts, rows.counts.shape[3]
    run = 0
    for index in range(starts.size):
        position, end = starts[index], stops[index]
        column = NODATA if kinds[index] == 0 else FIRST_SPECIAL + kinds[index] - 1
        while position < end:
            while run_stops[run] <= position:
                run += 1
            stop = min(run_stops[run], end)
            cell = run_cells[run]
            first_part, last_part = 0, 1
            if cell < 0:
                first_part, last_part = split_first[-1 - cell], split_first[-cell]
            for part in range(first_part, last_part):
                samples, of = (stop - position) * each, cell
                if cell < 0:
                    samples, of = int(runs.split_weights[part]), runs.split_cells[part]
                row = _row_of(
                    first_cell + of,
                    level,
                    rows.row_of_cell,
                    rows.used,
                    rows.sums,
                    nothing[1],
                    nothing[2],
                )
                for band in range(first_band, last_band):
                    counts[row, column, band // lanes, band % lanes] += samples
            position = stop


@numba.njit(nogil=True, cache=True)
def add_voids(starts: Any, stops: Any, runs: Any, first_cell: int, each: int, voids: Any) -> None:
    """Add runs of pixels that are nodata in every band to `voids`, by cell."""
    run_stops, run_cells, split_first = runs.stops, runs.cells, runs.split_first
    run = 0
    for index in range(starts.size):
        position, end = starts[index], stops[index]
        while position < end:
            while run_stops[run] <= position:
                run += 1
            stop = min(run_stops[run], end)
            cell = run_cells[run]
            if cell >= 0:
                voids[first_cell + cell] += (stop - position) * each
            else:
                for part in range(split_first[-1 - cell], split_first[-cell]):
                    of = runs.split_cells[part]
                    voids[first_cell + of] += np.int64(runs.split_weights[part])
            position = stop


@numba.njit(nogil=True, cache=True)
def add_buckets(
    plane: Any,
    bits: Any,
    band: int,
    declared: Any,
    first_bucket: int,
    zero_bucket: int,
    runs: Any,
    first_cell: int,
    each: int,
    row_of_cell: Any,
    histogram: Any,
) -> None:
    """Count a band's values by bucket, in cells that have a row: `histogram` [rows, bands, all]."""
    real = np.zeros(1, np.float64)
    word = real.view(np.int64)
    run_stops, run_cells, split_first = runs.stops, runs.cells, runs.split_first
    height, width = plane.shape
    run = 0
    for line in range(height):
        col = 0
        while col < width:
            value = plane[line, col]
            if code_of(value, declared) != VALUE:
                col = run_end(bits[line], col)
                continue
            position = line * width + col
            col += 1
            while run_stops[run] <= position:
                run += 1
            real[0] = abs(value)
            step = max((word[0] >> BUCKET_SHIFT) - first_bucket + 1, 0)
            bucket = zero_bucket + (step if value > 0 else -step)
            cell = run_cells[run]
            first_part, last_part = 0, 1
            if cell < 0:
                first_part, last_part = split_first[-1 - cell], split_first[-cell]
            for part in range(first_part, last_part):
                samples, of = each, cell
                if cell < 0:
                    samples, of = int(runs.split_weights[part]), runs.split_cells[part]
                histogram[row_of_cell[first_cell + of], band, bucket] += samples
