"""The compiled part of statistics as columns: numbers of occupied cells, [rows, bands]."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def ratios(part: Any, whole: Any, found: Any) -> None:
    """Fill `found` with part / whole, NaN where there is nothing whole."""
    for row in range(found.shape[0]):
        for band in range(found.shape[1]):
            of = whole[row, band]
            found[row, band] = part[row, band] / of if of > 0 else np.nan


@numba.njit(nogil=True, cache=True)
def spread_rows(there: Any, places: Any, found: Any) -> None:
    """Put the numbers of rows into their places of `found` [bands, cells]."""
    for row in range(there.shape[0]):
        place = places[row]
        for band in range(there.shape[1]):
            found[band, place] = there[row, band]
