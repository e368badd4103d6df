"""The compiled part of counting: pixels that are no values, by cell, and values by bucket."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from thalweg.hexagons.accumulating import FIRST_SPECIAL, NODATA, row_of
from thalweg.hexagons.measures import BUCKET_SHIFT
from thalweg.hexagons.sifting import VALUE, code_of
from thalweg.raster.runs import run_end


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
    counts = rows.counts
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
                row = row_of(
                    first_cell + of,
                    level,
                    rows.row_of_cell,
                    rows.used,
                    rows.sums,
                    nothing[1],
                    nothing[2],
                )
                for band in range(first_band, last_band):
                    counts[row, band, column] += samples
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
