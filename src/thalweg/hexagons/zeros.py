"""Large arrays that are written to in few places."""

from __future__ import annotations

import mmap
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# Linux alone has it; it is for shared memory, which `mmap` gives.
_REMOVE: int | None = getattr(mmap, "MADV_REMOVE", None)


class Zeros:
    """An array of zeros that takes memory only for what is written to.

    `np.zeros` may take memory that was used before, and then clears all of it.
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        size = prod(shape)
        self._pages = mmap.mmap(-1, max(size * np.dtype(dtype).itemsize, 1))
        self.array: NDArray[Any] = np.frombuffer(self._pages, dtype, size).reshape(shape)

    def taken(self, rows: slice) -> NDArray[Any]:
        """A copy of rows whose own memory is given back, where the system can: none reads them
        again."""
        copy = self.array[rows].copy()
        each = self.array[:1].nbytes
        first, last = -(-rows.start * each // mmap.PAGESIZE), rows.stop * each // mmap.PAGESIZE
        if _REMOVE is not None and first < last:
            self._pages.madvise(_REMOVE, first * mmap.PAGESIZE, (last - first) * mmap.PAGESIZE)
        return copy
