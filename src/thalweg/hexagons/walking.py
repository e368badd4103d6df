"""The compiled part of the index that finds runs: pixels of one row that lie in one hexagon.

Along a parallel a hexagon is entered and left once, but where the parallel, which is curved on a
face's plane, grazes an edge. So it is enough to look near where it leaves, which the way it goes
tells. A pixel that is no slot's, but FLAGGED or split, is a run of its own.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from thalweg.hexagons.locating import (
    CLOSENESS_A_SPACING,
    FLAGGED,
    ROUNDING,
    STRETCH,
    along,
    boxed,
    limit_of,
    nearest_faces,
    nearest_hexagon,
    slot_of,
)

# With fewer pixels to a hexagon's spacing it takes less to look at each, several at once.
_FEWEST_PIXELS_A_HEXAGON = 16.0


@numba.njit(nogil=True, cache=True, error_model="numpy")
def runs_of_grid(
    cos_lat: Any,
    sin_lat: Any,
    cos_lon: Any,
    sin_lon: Any,
    step: float,
    bases: Any,
    boxes: Any,
    scale: float,
    reach: float,
    stops: Any,
    slots: Any,
) -> int:
    """Fill in where the runs of rows x columns of places stop, and their slots; how many there are.

    Places are `step` radians of longitude apart along a row. Stops are counted row by row.
    """
    width = cos_lon.size
    line = np.empty(STRETCH, np.int32)
    runs = 0
    for row in range(cos_lat.size):
        first, z = runs, sin_lat[row]
        pace = step * cos_lat[row]
        for start in range(0, width, STRETCH):
            stop = min(start + STRETCH, width)
            middle, begin = (start + stop) // 2, row * width + start
            x, y = cos_lat[row] * cos_lon[middle], cos_lat[row] * sin_lon[middle]
            face, best, second = nearest_faces(x, y, z, bases)
            # No place of the stretch is farther from its middle.
            span = pace * (stop - start + 1) / 2
            from_centre = math.sqrt(max(0.0, 1.0 - best * best))
            simple = best - second > 2 * (span + reach + ROUNDING) and from_centre > 2 * span
            if not (simple and boxed(x, y, z, bases[face], boxes[face], scale * span)):
                for col in range(start, stop):
                    x, y = cos_lat[row] * cos_lon[col], cos_lat[row] * sin_lon[col]
                    line[col - start] = slot_of(x, y, z, bases, boxes, scale, reach)
                runs = _add_line(line[: stop - start], begin, stops, slots, first, runs)
                continue
            limit = limit_of(best, span, scale, reach)
            east, north = cos_lon[start:stop], sin_lon[start:stop]
            if scale * pace * _FEWEST_PIXELS_A_HEXAGON > 1.0:
                out = line[: stop - start]
                along(cos_lat[row], z, east, north, bases[face], boxes[face], limit, out)
                runs = _add_line(out, begin, stops, slots, first, runs)
                continue
            runs = _walk(
                cos_lat[row],
                z,
                east,
                north,
                step,
                bases[face],
                boxes[face],
                limit,
                _bend(cos_lat[row], z, best - span, pace, scale),
                begin,
                stops,
                slots,
                first,
                runs,
            )
    return runs


@numba.njit(nogil=True, cache=True)
def find_runs(places: Any, stops: Any, slots: Any) -> int:
    """Fill in where the runs of rows x columns of slots stop, and theirs; how many there are."""
    height, width = places.shape
    runs = 0
    for row in range(height):
        runs = _add_line(places[row], row * width, stops, slots, runs, runs)
    return runs


@numba.njit(nogil=True, cache=True)
def join_runs(stops: Any, slots: Any, width: int) -> int:
    """Join runs of one slot that follow each other in a row so wide; how many there are then."""
    joined, begin, row_end, first = 0, 0, 0, 0
    for run in range(stops.size):
        if begin == row_end:
            row_end += width
            first = joined
        begin = stops[run]
        joined = _add_run(slots[run], begin, stops, slots, first, joined)
    return joined


@numba.njit(nogil=True, cache=True, inline="always")
def _add_run(slot: int, stop: int, stops: Any, slots: Any, first: int, runs: int) -> int:
    """Add a run to those of its row, of which it may go on the last; how many there are then."""
    if slot >= 0 and runs > first and slots[runs - 1] == slot:
        stops[runs - 1] = stop
        return runs
    slots[runs], stops[runs] = slot, stop
    return runs + 1


@numba.njit(nogil=True, cache=True)
def _add_line(line: Any, begin: int, stops: Any, slots: Any, first: int, runs: int) -> int:
    """Add the runs of slots that follow each other in a row."""
    col = 0
    while col < line.size:
        slot = line[col]
        col += 1
        if slot >= 0:
            while col < line.size and line[col] == slot:
                col += 1
        runs = _add_run(slot, begin + col, stops, slots, first, runs)
    return runs


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _bend(cos_lat: float, sin_lat: float, cosine: float, pace: float, scale: float) -> float:
    """A bound on the second difference of the measures of closeness, from step to step.

    The measures of closeness are quotients of linear functions of a unit vector. Their second
    derivative along a parallel has two parts: the gradient times the parallel's own curvature, and
    the gradient times twice what the denominator, the `cosine` to the face's centre, changes by.
    """
    gradient = CLOSENESS_A_SPACING * scale / cosine**2
    tangent = math.sqrt(max(0.0, 1.0 - cosine * cosine)) / cosine
    return gradient * pace**2 * (abs(sin_lat) / cos_lat + 2.0 * tangent)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _walk(
    cos_lat: float,
    sin_lat: float,
    cos_lon: Any,
    sin_lon: Any,
    step: float,
    basis: Any,
    box: Any,
    limit: float,
    bend: float,
    begin: int,
    stops: Any,
    slots: Any,
    first: int,
    runs: int,
) -> int:
    """Add the runs of places along a parallel, all of them on one face."""
    parallel = _parallel(cos_lat, sin_lat, basis)
    index = 0
    while index < cos_lon.size:
        q, r, cosine = _place(parallel, cos_lon[index], sin_lon[index])
        hexagon = nearest_hexagon(q, r)
        now = _measures(q - hexagon[0], r - hexagon[1])
        if _closeness(now) < limit:
            slot = box[4] + (int(hexagon[0]) - box[0]) * box[3] + int(hexagon[1]) - box[1]
            east, north = cos_lon[index], sin_lon[index]
            change = _changes(parallel, east, north, q, r, step / cosine)
            ahead = min(
                _steps(now[0], change[0], limit),
                _steps(now[1], change[1], limit),
                _steps(now[2], change[2], limit),
            )
            last = index + int(min(ahead, cos_lon.size - 1.0 - index))
            index = _end(parallel, cos_lon, sin_lon, hexagon, now, index, last, limit, bend)
        else:
            slot = FLAGGED
            index += 1
        runs = _add_run(slot, begin + index, stops, slots, first, runs)
    return runs


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _end(
    parallel: Any,
    cos_lon: Any,
    sin_lon: Any,
    hexagon: Any,
    now: Any,
    index: int,
    last: int,
    limit: float,
    bend: float,
) -> int:
    """Where a run from a place on ends, if `last` is about the last place in its hexagon."""
    later = _measures_in(hexagon, parallel, cos_lon[last], sin_lon[last])
    while last > index and _closeness(later) >= limit:
        last -= 1
        later = _measures_in(hexagon, parallel, cos_lon[last], sin_lon[last])
    count = last - index
    if not (
        _stays(now[0], later[0], count, bend, limit)
        and _stays(now[1], later[1], count, bend, limit)
        and _stays(now[2], later[2], count, bend, limit)
    ):
        last = index
    end = last + 1
    while end < cos_lon.size:
        if _closeness(_measures_in(hexagon, parallel, cos_lon[end], sin_lon[end])) >= limit:
            break
        end += 1
    return end


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _parallel(cos_lat: float, sin_lat: float, basis: Any) -> Any:
    """What q, r and the cosine to the face's centre have of a longitude's cosine, of its sine, and
    whatever that is: nine numbers."""
    return (
        basis[0, 0] * cos_lat,
        basis[0, 1] * cos_lat,
        basis[0, 2] * sin_lat,
        basis[1, 0] * cos_lat,
        basis[1, 1] * cos_lat,
        basis[1, 2] * sin_lat,
        basis[2, 0] * cos_lat,
        basis[2, 1] * cos_lat,
        basis[2, 2] * sin_lat,
    )


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _place(parallel: Any, east: float, north: float) -> tuple[float, float, float]:
    """q, r and the cosine to the face's centre of the place at a longitude."""
    cosine = parallel[6] * east + parallel[7] * north + parallel[8]
    inverse = 1.0 / cosine
    q = (parallel[0] * east + parallel[1] * north + parallel[2]) * inverse
    r = (parallel[3] * east + parallel[4] * north + parallel[5]) * inverse
    return q, r, cosine


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _changes(
    parallel: Any, east: float, north: float, q: float, r: float, step: float
) -> tuple[float, float, float]:
    """What the measures of closeness change by with a step of so many radians by the cosine."""
    turn = parallel[7] * east - parallel[6] * north
    on_q = (parallel[1] * east - parallel[0] * north - q * turn) * step
    on_r = (parallel[4] * east - parallel[3] * north - r * turn) * step
    return _measures(on_q, on_r)


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _measures_in(
    hexagon: Any, parallel: Any, east: float, north: float
) -> tuple[float, float, float]:
    q, r, _ = _place(parallel, east, north)
    return _measures(q - hexagon[0], r - hexagon[1])


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _measures(q: float, r: float) -> tuple[float, float, float]:
    """How close a place, as seen from a hexagon's centre, is to its three pairs of edges: 1 is on
    one."""
    return q - r, q + 2.0 * r, 2.0 * q + r


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _closeness(measures: Any) -> float:
    return float(max(abs(measures[0]), abs(measures[1]), abs(measures[2])))


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _steps(measure: float, change: float, limit: float) -> float:
    """How many steps a measure of closeness is from its limit, if it changes evenly."""
    return (limit - (measure if change > 0.0 else -measure)) / abs(change)


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _stays(measure: float, later: float, count: int, bend: float, limit: float) -> bool:
    """Whether a measure that is within its limit now and `count` steps later surely is between.

    It lies no farther than bend * count**2 / 8 from the chord, and where it changes by more than
    bend * count**2 / 2, its ends are its extremes.
    """
    square = bend * count * count
    return bool(
        abs(later - measure) >= square / 2.0 or max(abs(measure), abs(later)) + square / 8.0 < limit
    )
