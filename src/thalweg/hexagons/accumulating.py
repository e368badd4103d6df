"""The compiled part of zonal statistics: what was listed of a part into the accumulators of cells.

Steps on flat positions in a part, in which `runs.PartRuns` has the runs of cells of all resolutions
and `listing.list_pixels` what is there besides zeros, which take no part. What lies together in one
cell of every resolution is summed up once and then added to each. Bands come last, as lanes: all of
a pixel are added at once.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from thalweg.hexagons.lanes import (
    above,
    differs,
    greater,
    lesser,
    load,
    plus,
    spread,
    store,
    times,
    where_zero,
)
from thalweg.hexagons.listing import NO_KIND, NODATA_KIND
from thalweg.hexagons.measures import BUCKET_SHIFT

# The columns of `counts` [rows, columns, bands], in samples; after them one for each special value,
# and for each threshold what lies above it.
NODATA, OTHER_THAN_ZERO, POSITIVE, FIRST_SPECIAL = range(4)
# The columns of `areas` [rows, columns, bands], in mm2; after them those above each threshold.
POSITIVE_AREA, FIRST_AREA_ABOVE = range(2)
# The columns of `sums` [rows, 4, bands]; the extremes are those of values other than zero.
TOTAL, SQUARES, LOWEST, HIGHEST = range(4)

_NOWHERE = 1 << 62


@numba.njit(nogil=True, cache=True)
def _advance(position: Any, stops: Any, runs: Any, ends: Any) -> None:
    """Move the run of each resolution on to the one that holds a position.

    `ends` gets where the first run stops of those of a resolution and of all after it.
    """
    end = np.int64(_NOWHERE)
    for resolution in range(runs.size - 1, -1, -1):
        run = runs[resolution]
        while stops[run] <= position:
            run += 1
        runs[resolution] = run
        end = min(end, np.int64(stops[run]))
        ends[resolution] = end


@numba.njit(nogil=True, cache=True)
def _parts(cell: int, split_origin: int, split_first: Any) -> Any:
    """The parts of a run's pixels by number, from first to last: several where a pixel is split,
    which a negative `cell` counts."""
    if cell < 0:
        split = split_origin - 1 - cell
        return split_first[split], split_first[split + 1]
    return np.int64(0), np.int64(1)


@numba.njit(nogil=True, cache=True)
def _part(cell: int, part: int, samples: Any, split_cells: Any, split_weights: Any) -> Any:
    """The cell of a part, and its samples; of what is whole those that are given."""
    if cell < 0:
        return np.int64(split_cells[part]), np.int64(split_weights[part])
    return np.int64(cell), np.int64(samples)


@numba.njit(nogil=True, cache=True)
def _row_of(
    cell: int,
    resolution: int,
    cell_origins: Any,
    row_of_cell: Any,
    used: Any,
    sums: Any,
    lowest: Any,
    highest: Any,
) -> Any:
    """The row that a cell's sums stand in; a new one for a cell not met before."""
    origin = cell_origins[resolution]
    row = row_of_cell[origin + cell]
    if row < 0:
        row = origin + used[resolution]
        row_of_cell[origin + cell] = row
        used[resolution] += 1
        sums[row, LOWEST] = lowest
        sums[row, HIGHEST] = highest
    return row


@numba.njit(nogil=True, cache=True)
def _add(array: Any, at: int, lanes: Any) -> None:
    store(array, at, plus(load(array, at, lanes), lanes))


@numba.njit(nogil=True, cache=True)
def add_values(
    positions: Any,
    values: Any,
    classes: Any,
    listed: int,
    stops: Any,
    cells: Any,
    first: Any,
    cell_origins: Any,
    split_origins: Any,
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
    thresholds: Any,
    lanes: Any,
    zero: Any,
    lowest: Any,
    highest: Any,
) -> None:
    """Add listed values to their cells, of as many bands from `band` as the tuple `lanes` is long.

    What lies in one run of every resolution is summed up, added to the cell of the first, and kept
    `apart` for the next as long as the runs of that one and those after it go on. So resolutions
    are best ordered from the finest on. `sample_areas` are by row of the part; `thresholds`,
    `zero`, `lowest` and `highest` of the type of the sums.
    """
    bands, most_steps, resolutions = counts.shape[2], thresholds.size, first.size
    first_above = counts.shape[1] - most_steps
    all_values, all_counts = values.reshape(-1), counts.reshape(-1)
    all_areas, all_sums = areas.reshape(-1), sums.reshape(-1)
    none, nothing = spread(np.int64(0), lanes), spread(zero, lanes)
    least, most = spread(lowest, lanes), spread(highest, lanes)
    exceeding = np.zeros(resolutions * most_steps * len(lanes), np.int64)
    reached = np.zeros(resolutions, np.int64)
    apart_counts = np.zeros(resolutions * 2 * len(lanes), np.int64)
    apart_sums = np.zeros(resolutions * 4 * len(lanes), sums.dtype)
    for resolution in range(resolutions):
        store(apart_sums, (resolution * 4 + LOWEST) * len(lanes), least)
        store(apart_sums, (resolution * 4 + HIGHEST) * len(lanes), most)
    runs, ends = first.copy(), np.zeros_like(first)
    index = 0
    line_number, line_end = 0, width
    while index < listed:
        position = np.int64(positions[index])
        _advance(position, stops, runs, ends)
        other, positive, steps = none, none, 0
        total, squares, low, high = nothing, nothing, least, most
        while index < listed and positions[index] < ends[0]:
            value = load(all_values, index * bands + band, nothing)
            other = plus(other, differs(value, nothing))
            positive = plus(positive, above(value, nothing))
            total = plus(total, value)
            squares = plus(squares, times(value, value))
            low = lesser(low, where_zero(value, least))
            high = greater(high, where_zero(value, most))
            for step in range(classes[index]):
                _add(exceeding, step * len(lanes), above(value, spread(thresholds[step], lanes)))
            steps = max(steps, int(classes[index]))
            index += 1
        following = np.int64(positions[index]) if index < listed else np.int64(_NOWHERE)
        while position >= line_end:
            line_number += 1
            line_end += width
        area = sample_areas[line_number]
        resolution = 0
        while True:
            exceeding_at = resolution * most_steps * len(lanes)
            cell = cells[runs[resolution]]
            first_part, last_part = _parts(cell, split_origins[resolution], split_first)
            for part in range(first_part, last_part):
                of, weight = _part(cell, part, each, split_cells, split_weights)
                row = row_of_cell[cell_origins[resolution] + of]
                if row < 0:
                    row = _row_of(
                        of, resolution, cell_origins, row_of_cell, used, sums, lowest, highest
                    )
                line = row * counts.shape[1] * bands + band
                area_line = row * areas.shape[1] * bands + band
                sum_line = row * sums.shape[1] * bands + band
                weights, weighted = spread(np.int64(weight), lanes), spread(zero + weight, lanes)
                mm2 = spread(np.int64(weight * area), lanes)
                _add(all_counts, line + OTHER_THAN_ZERO * bands, times(other, weights))
                _add(all_counts, line + POSITIVE * bands, times(positive, weights))
                _add(all_areas, area_line + POSITIVE_AREA * bands, times(positive, mm2))
                _add(all_sums, sum_line + TOTAL * bands, times(total, weighted))
                _add(all_sums, sum_line + SQUARES * bands, times(squares, weighted))
                lowest_at, highest_at = sum_line + LOWEST * bands, sum_line + HIGHEST * bands
                store(all_sums, lowest_at, lesser(load(all_sums, lowest_at, low), low))
                store(all_sums, highest_at, greater(load(all_sums, highest_at, high), high))
                for step in range(steps):
                    count = load(exceeding, exceeding_at + step * len(lanes), none)
                    _add(all_counts, line + (first_above + step) * bands, times(count, weights))
                    above_at = area_line + (FIRST_AREA_ABOVE + step) * bands
                    _add(all_areas, above_at, times(count, mm2))
            resolution += 1
            for step in range(steps):
                at = exceeding_at + step * len(lanes)
                if resolution < resolutions:
                    next_at = at + most_steps * len(lanes)
                    _add(exceeding, next_at, load(exceeding, at, none))
                store(exceeding, at, none)
            if resolution == resolutions:
                break
            steps = max(steps, int(reached[resolution]))
            at, sums_at = resolution * 2 * len(lanes), resolution * 4 * len(lanes)
            total_at, squares_at = sums_at + TOTAL * len(lanes), sums_at + SQUARES * len(lanes)
            low_at, high_at = sums_at + LOWEST * len(lanes), sums_at + HIGHEST * len(lanes)
            other = plus(other, load(apart_counts, at, none))
            positive = plus(positive, load(apart_counts, at + len(lanes), none))
            total = plus(total, load(apart_sums, total_at, nothing))
            squares = plus(squares, load(apart_sums, squares_at, nothing))
            low = lesser(low, load(apart_sums, low_at, nothing))
            high = greater(high, load(apart_sums, high_at, nothing))
            goes_on = ends[resolution] > following
            reached[resolution] = steps if goes_on else 0
            store(apart_counts, at, other if goes_on else none)
            store(apart_counts, at + len(lanes), positive if goes_on else none)
            store(apart_sums, total_at, total if goes_on else nothing)
            store(apart_sums, squares_at, squares if goes_on else nothing)
            store(apart_sums, low_at, low if goes_on else least)
            store(apart_sums, high_at, high if goes_on else most)
            if goes_on:
                break


@numba.njit(nogil=True, cache=True)
def add_buckets(
    positions: Any,
    values: Any,
    listed: int,
    stops: Any,
    cells: Any,
    first: Any,
    cell_origins: Any,
    split_origins: Any,
    split_first: Any,
    split_cells: Any,
    split_weights: Any,
    each: int,
    row_of_cell: Any,
    first_bucket: int,
    zero_bucket: int,
    histogram: Any,
) -> None:
    """Count listed values that were added already by bucket, in `histogram` [rows, bands,
    buckets]."""
    real = np.zeros(1, np.float64)
    word = real.view(np.int64)
    runs, ends = first.copy(), np.zeros_like(first)
    for index in range(listed):
        _advance(positions[index], stops, runs, ends)
        for band in range(histogram.shape[1]):
            value = values[index, band]
            if value == 0:
                continue
            real[0] = abs(value)
            step = max((word[0] >> BUCKET_SHIFT) - first_bucket + 1, 0)
            bucket = zero_bucket + (step if value > 0 else -step)
            for resolution in range(runs.size):
                cell = cells[runs[resolution]]
                first_part, last_part = _parts(cell, split_origins[resolution], split_first)
                for part in range(first_part, last_part):
                    of, weight = _part(cell, part, each, split_cells, split_weights)
                    row = row_of_cell[cell_origins[resolution] + of]
                    histogram[row, band, bucket] += weight


@numba.njit(nogil=True, cache=True)
def add_others(
    starts: Any,
    ends: Any,
    kinds: Any,
    void: Any,
    stops: Any,
    cells: Any,
    first: Any,
    cell_origins: Any,
    split_origins: Any,
    split_first: Any,
    split_cells: Any,
    split_weights: Any,
    each: int,
    row_of_cell: Any,
    used: Any,
    counts: Any,
    voids: Any,
    sums: Any,
    lowest: Any,
    highest: Any,
) -> None:
    """Add listed runs of nodata and special values to their cells; `kinds` are by run and band.

    Those that are `void`, nodata in every band, are counted once for all bands, in `voids` by cell.
    """
    for resolution in range(first.size):
        run = first[resolution]
        for index in range(starts.size):
            position, end = np.int64(starts[index]), np.int64(ends[index])
            while position < end:
                while stops[run] <= position:
                    run += 1
                stop = min(np.int64(stops[run]), end)
                cell = cells[run]
                first_part, last_part = _parts(cell, split_origins[resolution], split_first)
                for part in range(first_part, last_part):
                    whole = (stop - position) * each
                    of, samples = _part(cell, part, whole, split_cells, split_weights)
                    if void[index]:
                        voids[cell_origins[resolution] + of] += samples
                        continue
                    row = _row_of(
                        of, resolution, cell_origins, row_of_cell, used, sums, lowest, highest
                    )
                    for band in range(kinds.shape[1]):
                        kind = kinds[index, band]
                        if kind == NODATA_KIND:
                            counts[row, NODATA, band] += samples
                        elif kind != NO_KIND:
                            counts[row, FIRST_SPECIAL + kind - NODATA_KIND - 1, band] += samples
                position = stop
