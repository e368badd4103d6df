"""Runs of one value: floods are mostly dry, so most of the work is to find that out quickly.

The functions look at the pixels' bits, as unsigned integers: that compiles to vector instructions,
and holds for NaN as well.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_STRETCH = 64


@numba.njit(nogil=True, cache=True)
def uniform(bits: Any, value: Any) -> bool:
    """Whether all of `bits`, one-dimensional and not empty, is `value`."""
    differing = bits[0] ^ value
    for index in range(bits.size):
        differing |= bits[index] ^ value
    return bool(differing == 0)


@numba.njit(nogil=True, cache=True)
def run_end(bits: Any, start: int) -> int:
    """The end of the run of one value in `bits` that begins at `start`."""
    value = bits[start]
    end = start + 1
    # Most runs are very short or very long: long strides only for those that outlast a few steps.
    near = min(start + 8, bits.size)
    while end < near and bits[end] == value:
        end += 1
    if end == start + 8:
        while end + _STRETCH <= bits.size and uniform(bits[end : end + _STRETCH], value):
            end += _STRETCH
        while end < bits.size and bits[end] == value:
            end += 1
    return end


@numba.njit(nogil=True, cache=True)
def count_values(bits: Any, times: Any) -> None:
    """Add to `times[value]` how often each value occurs in `bits`, which is two-dimensional."""
    # Two counters in turn: adding twice to one address waits for the first to be stored.
    other = np.zeros_like(times)
    for row in range(bits.shape[0]):
        line = bits[row]
        whole = line.size - line.size % _STRETCH
        for start in range(0, whole, _STRETCH):
            if uniform(line[start : start + _STRETCH], line[start]):
                times[line[start]] += _STRETCH
            else:
                for col in range(start, start + _STRETCH, 2):
                    times[line[col]] += 1
                    other[line[col + 1]] += 1
        for col in range(whole, line.size):
            times[line[col]] += 1
    times += other
