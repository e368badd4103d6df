"""A band on its way to disk: rows come in from the top, blocks of every level go out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thalweg.domain.pixels import PixelRules
from thalweg.raster.codec import BlockEncoder, Pixels, checked_dtype
from thalweg.raster.cogwriter import Header, Level, Spool
from thalweg.raster.overviews import Reducer

# Rows are handled some tens of megabytes at a time, whatever the height of the raster.
_STRIP_BYTES = 32 << 20


def strip_rows(width: int, itemsize: int, step: int) -> int:
    """How many rows to handle at a time: a multiple of `step`, as many as fit `_STRIP_BYTES`."""
    return step * max(1, _STRIP_BYTES // (width * itemsize * step))


class Pyramid:
    """Encodes bands into a spool: the blocks of the full resolution and of each overview.

    Memory holds `step` rows of each level, so it does not grow with the height. Where `encoded` is
    the number of levels that have their blocks already, rows are those of the last of these.
    """

    def __init__(
        self,
        levels: Sequence[Level],
        header: Header,
        rules: PixelRules,
        spool: Spool,
        *,
        encoded: int = 0,
        source: int = 0,
    ) -> None:
        dtype = checked_dtype(header.dtype)
        reducer = Reducer(rules, header.layout.factor, header.resampling)
        encoder = BlockEncoder(dtype, header.layout.block, header.nodata)
        self.step = header.layout.block * header.layout.factor
        self._stages: list[_Stage] = []
        for index in range(len(levels) - 1, max(encoded - 1, 0) - 1, -1):
            sink = None if index < encoded else _Sink(levels[index], encoder, spool, source)
            above = self._stages[0] if self._stages else None
            self._stages.insert(0, _Stage(levels[index], sink, reducer, above, self.step, dtype))

    def push(self, band: int, rows: Pixels) -> None:
        """Take the next rows of a band: a multiple of `step`, or the last ones.

        A band is pushed from its first row to its last before the next band begins.
        """
        self._stages[0].push(band, rows)


class _Sink:
    """Puts the encoded blocks of one level into the spool."""

    def __init__(self, level: Level, encoder: BlockEncoder, spool: Spool, source: int) -> None:
        self._level, self._encoder, self._spool = level, encoder, spool
        level.source[:] = source

    def encode(self, band: int, first_row: int, rows: Pixels) -> None:
        side = self._level.block
        for top in range(0, rows.shape[0], side):
            for left in range(0, rows.shape[1], side):
                block = self._encoder.encode(rows, top, left)
                if block:
                    place = ((first_row + top) // side, left // side, band)
                    self._level.position[place] = self._spool.add(block)
                    self._level.size[place] = len(block)


class _Stage:
    """One level of one band at a time: gathers rows, encodes them, reduces them to the next."""

    def __init__(
        self,
        level: Level,
        sink: _Sink | None,
        reducer: Reducer,
        above: _Stage | None,
        step: int,
        dtype: np.dtype[np.generic],
    ) -> None:
        self._level, self._sink, self._reducer, self._above = level, sink, reducer, above
        self._gathered = np.empty((min(step, level.height), level.width), dtype)
        self._filled = self._done = 0
        self._step = step
        self._dtype = dtype

    def push(self, band: int, rows: Pixels) -> None:
        while len(rows):
            remaining = self._level.height - self._done
            wanted = min(self._step, remaining)
            if not self._filled and (len(rows) % self._step == 0 or len(rows) == remaining):
                self._emit(band, rows)
                return
            taken = rows[: wanted - self._filled]
            self._gathered[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            rows = rows[len(taken) :]
            if self._filled == wanted:
                self._filled = 0
                self._emit(band, self._gathered[:wanted])

    def _emit(self, band: int, rows: Pixels) -> None:
        if self._sink:
            self._sink.encode(band, self._done, rows)
        self._done = (self._done + len(rows)) % self._level.height
        if self._above:
            self._above.push(band, self._reduced(rows))

    def _reduced(self, rows: Pixels) -> Pixels:
        factor = self._reducer.factor
        shape = (-(-rows.shape[0] // factor), -(-rows.shape[1] // factor))
        reduced: Pixels = np.empty(shape, self._dtype)
        self._reducer.reduce(rows, reduced)
        return reduced
