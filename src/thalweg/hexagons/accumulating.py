"""The compiled part of zonal statistics: what was listed of a part into the accumulators of cells.

Steps on flat positions in a part: the runs of `CellIndex.runs` once for a resolution,
`listing.list_pixels` once for all, then `add_values`, `add_others` and `add_voids` for both. Zeros
take no part. Bands come last, as lanes: all of a pixel are added at once.
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


@numba.njit(nogil=True, cache=True)
def _row_of(cell: int, row_of_cell: Any, used: Any, sums: Any, lowest: Any, highest: Any) -> Any:
    """The row that a cell's sums stand in; a new one for a cell not met before."""
    row = row_of_cell[cell]
    if row < 0:
        row = used[0]
        row_of_cell[cell] = row
        used[0] += 1
        sums[row, LOWEST] = lowest
        sums[row, HIGHEST] = highest
    return row


@numba.njit(nogil=True, cache=True)
def _parts(cell: int, split_first: Any) -> Any:
    """The parts of a run's pixels by number, from first to last: several where a pixel is split,
    which a negative `cell` counts."""
    if cell < 0:
        return split_first[-1 - cell], split_first[-cell]
    return np.int64(0), np.int64(1)


@numba.njit(nogil=True, cache=True)
def _part(cell: int, part: int, samples: int, split_cells: Any, split_weights: Any) -> Any:
    """The cell of a part, and its samples; of what is whole those that are given."""
    if cell < 0:
        return np.int64(split_cells[part]), np.int64(split_weights[part])
    return np.int64(cell), np.int64(samples)


@numba.njit(nogil=True, cache=True)
def _add(array: Any, at: int, lanes: Any) -> None:
    store(array, at, plus(load(array, at, lanes), lanes))


@numba.njit(nogil=True, cache=True)
def add_values(
    positions: Any,
    values: Any,
    classes: Any,
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
    thresholds: Any,
    lanes: Any,
    zero: Any,
    lowest: Any,
    highest: Any,
) -> None:
    """Add listed values to their cells, of as many bands from `band` as the tuple `lanes` is long.

    `sample_areas` are by row of the part; `thresholds`, `zero`, `lowest` and `highest` of the type
    of the sums.
    """
    bands = counts.shape[2]
    first_above = counts.shape[1] - thresholds.size
    all_values, all_counts = values.reshape(-1), counts.reshape(-1)
    all_areas, all_sums = areas.reshape(-1), sums.reshape(-1)
    none, nothing = spread(np.int64(0), lanes), spread(zero, lanes)
    least, most = spread(lowest, lanes), spread(highest, lanes)
    exceeding = np.zeros(thresholds.size * len(lanes), np.int64)
    index, run = 0, 0
    line_number, line_end = 0, width
    while index < listed:
        position = positions[index]
        while run_stops[run] <= position:
            run += 1
        stop = run_stops[run]
        other, positive, steps = none, none, 0
        total, squares, low, high = nothing, nothing, least, most
        while index < listed and positions[index] < stop:
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
        while position >= line_end:
            line_number += 1
            line_end += width
        area = sample_areas[line_number]
        cell = run_cells[run]
        first_part, last_part = _parts(cell, split_first)
        for part in range(first_part, last_part):
            of, weight = _part(cell, part, each, split_cells, split_weights)
            row = row_of_cell[of]
            if row < 0:
                row = _row_of(of, row_of_cell, used, sums, lowest, highest)
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
                count = load(exceeding, step * len(lanes), none)
                _add(all_counts, line + (first_above + step) * bands, times(count, weights))
                _add(all_areas, area_line + (FIRST_AREA_ABOVE + step) * bands, times(count, mm2))
        exceeding[: steps * len(lanes)] = 0


@numba.njit(nogil=True, cache=True)
def add_buckets(
    positions: Any,
    values: Any,
    listed: int,
    run_stops: Any,
    run_cells: Any,
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
    run = 0
    for index in range(listed):
        while run_stops[run] <= positions[index]:
            run += 1
        cell = run_cells[run]
        first_part, last_part = _parts(cell, split_first)
        for band in range(histogram.shape[1]):
            value = values[index, band]
            if value == 0:
                continue
            real[0] = abs(value)
            step = max((word[0] >> BUCKET_SHIFT) - first_bucket + 1, 0)
            bucket = zero_bucket + (step if value > 0 else -step)
            for part in range(first_part, last_part):
                of, weight = _part(cell, part, each, split_cells, split_weights)
                histogram[row_of_cell[of], band, bucket] += weight


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
    counts: Any,
    sums: Any,
    lowest: Any,
    highest: Any,
) -> None:
    """Add listed runs of nodata and special values to their cells; `kinds` are by run and band."""
    run = 0
    for index in range(starts.size):
        position, end = starts[index], stops[index]
        while position < end:
            while run_stops[run] <= position:
                run += 1
            stop = min(run_stops[run], end)
            cell = run_cells[run]
            first_part, last_part = _parts(cell, split_first)
            for part in range(first_part, last_part):
                of, samples = _part(
                    cell, part, (stop - position) * each, split_cells, split_weights
                )
                row = _row_of(of, row_of_cell, used, sums, lowest, highest)
                for band in range(kinds.shape[1]):
                    kind = kinds[index, band]
                    if kind == NODATA_KIND:
                        counts[row, NODATA, band] += samples
                    elif kind != NO_KIND:
                        counts[row, FIRST_SPECIAL + kind - NODATA_KIND - 1, band] += samples
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
            first_part, last_part = _parts(cell, split_first)
            for part in range(first_part, last_part):
                of, samples = _part(
                    cell, part, (stop - position) * each, split_cells, split_weights
                )
                voids[of] += samples
            position = stop
