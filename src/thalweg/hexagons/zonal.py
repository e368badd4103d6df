"""Zonal statistics: all bands of a raster in the cells of several resolutions, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import rasterio

from thalweg.domain.pixels import PixelRules
from thalweg.errors import WrongDtype
from thalweg.hexagons.boxes import PART_COLS, PART_ROWS, Window, slot_count
from thalweg.hexagons.index import CellIndex
from thalweg.hexagons.measures import DEPTHS_M, Measures, Rule
from thalweg.hexagons.statistics import CellStatistics, merged
from thalweg.hexagons.tally import Lister, Tally
from thalweg.raster.codec import Pixels
from thalweg.raster.grid import Grid, grid_of
from thalweg.raster.reading import RowReader, environment, opened, row_reader

_MOST_SLOTS_A_PIECE = 1 << 23
_MOST_COLUMNS_A_PIECE = 1 << 14
_INDICES_KEPT = 12


def zonal(
    path: str,
    resolutions: Sequence[int],
    *,
    rules: PixelRules,
    rule: Rule = Rule.CENTRE,
    depths_m: Sequence[float] = DEPTHS_M,
    histogram: bool = False,
    window: Window | None = None,
    where: str | None = None,
) -> dict[int, CellStatistics]:
    """The statistics of a raster's bands, or of a window of them, by resolution.

    Every pixel is held against the rules: `UndeclaredValue` names the file, the band and the place.
    Raises `UnreadableRaster`, `WrongDtype`, `WrongCrs` or `WrongGrid` besides. Memory grows with
    the width of the raster and with the cells, not with the height. Bands are named by their
    descriptions, or by number where they have none.
    """
    where = where or path
    with (
        environment(),
        opened(path, where=where) as dataset,
        row_reader(dataset, where=where) as reader,
    ):
        grid = grid_of(dataset, where=where)
        if set(dataset.dtypes) != {rules.dtype}:
            raise WrongDtype(f"its type is {dataset.dtypes[0]}, not {rules.dtype}", where=where)
        measures = Measures(_names(dataset), rules, rule, tuple(depths_m), histogram)
        pieces = list(_pieces(grid, max(resolutions), window or Window.of(grid)))
        parts: list[dict[int, CellStatistics]] = []
        for piece in pieces:
            pass_ = Pass(grid, piece, resolutions, measures, where)
            _add_all(pass_, dataset, reader, piece)
            parts.append(pass_.statistics())
    return {resolution: merged(part[resolution] for part in parts) for resolution in resolutions}


class Pass:
    """One pass over a window of a grid, from top to bottom."""

    def __init__(
        self,
        grid: Grid,
        window: Window,
        resolutions: Sequence[int],
        measures: Measures,
        where: str = "",
    ) -> None:
        self._measures = measures
        self._nodata = np.array(measures.rules.nodata).astype(measures.dtype)
        self._lister = Lister(measures, where)
        indices = [
            cell_index(grid, resolution, window, measures.rule) for resolution in resolutions
        ]
        self._tally = Tally(indices, measures)

    def add(self, part: Window, pixels: Pixels) -> None:
        """Count the pixels (bands, rows, columns) of a part of the window."""
        for one in part.parts():
            top, left = one.rows.start - part.rows.start, one.cols.start - part.cols.start
            down, across = top + len(one.rows), left + len(one.cols)
            self._add_part(one, pixels[:, top:down, left:across])

    def add_uniform(self, part: Window, value: Any) -> None:
        """Count the pixels of a part of the window that are of one value in all bands."""
        for one in part.parts():
            if np.array_equal(self._nodata, value, equal_nan=True):
                self._tally.add_void_part(one)
            else:
                shape = len(self._measures.bands), len(one.rows), len(one.cols)
                self._add_part(one, np.full(shape, value))

    def statistics(self) -> dict[int, CellStatistics]:
        """The statistics of all parts, by resolution; to be asked for once, at the end."""
        return self._tally.statistics()

    def _add_part(self, part: Window, pixels: Pixels) -> None:
        lister = self._lister
        lister.read(pixels, part)
        if lister.others.void_pixels == pixels[0].size:
            self._tally.add_void_part(part)
        elif lister.listed or len(lister.others.kinds):
            self._tally.add(part, lister)


@lru_cache(maxsize=_INDICES_KEPT)
def _kept_index(grid: Grid, resolution: int, rows: range, cols: range, per_pixel: int) -> CellIndex:
    return CellIndex(grid, resolution, Window(rows, cols), per_pixel)


def cell_index(grid: Grid, resolution: int, window: Window, rule: Rule) -> CellIndex:
    """The index of a window, kept for the next raster on the same grid."""
    return _kept_index(grid, resolution, window.rows, window.cols, rule.samples)


def _pieces(grid: Grid, resolution: int, window: Window) -> Iterator[Window]:
    """Parts of a window that an index and a strip are small enough for."""
    narrow = len(window.cols) <= _MOST_COLUMNS_A_PIECE
    if narrow and slot_count(grid, resolution, window) <= _MOST_SLOTS_A_PIECE:
        yield window
    else:
        for half in window.halves():
            yield from _pieces(grid, resolution, half)


def _add_all(
    pass_: Pass, dataset: rasterio.DatasetReader, reader: RowReader, window: Window
) -> None:
    """Have all pixels of a window counted, in an array that is filled anew for each part."""
    parts = list(_parts(dataset, window))
    most = max(len(part.rows) * len(part.cols) for part in parts)
    buffer = np.empty(dataset.count * most, dataset.dtypes[0])
    for part in parts:
        value = reader.uniform(part.rows, part.cols)
        if value is not None:
            pass_.add_uniform(part, value)
            continue
        shape = dataset.count, len(part.rows), len(part.cols)
        pixels = buffer[: prod(shape)].reshape(shape)
        for band, plane in enumerate(pixels, start=1):
            reader.read(band, part.rows.start, plane, part.cols.start)
        pass_.add(part, pixels)


def _parts(dataset: rasterio.DatasetReader, window: Window) -> Iterator[Window]:
    """Parts of a window to be read one by one.

    As many rows as a row of blocks holds, and all columns, or `PART_COLS` of them where that cuts
    no block, which would have to be decoded once more.
    """
    rows, cols = window.rows, window.cols
    height = max(block[0] for block in dataset.block_shapes)
    height *= max(1, PART_ROWS // height)
    uncut = all(PART_COLS % block[1] == 0 for block in dataset.block_shapes)
    width = PART_COLS if uncut and cols.start % PART_COLS == 0 else len(cols)
    start = rows.start
    while start < rows.stop:
        stop = min(rows.stop, start - start % height + height)
        for left in range(cols.start, cols.stop, width):
            yield Window(range(start, stop), range(left, min(left + width, cols.stop)))
        start = stop


def _names(dataset: rasterio.DatasetReader) -> tuple[str, ...]:
    return tuple(
        description or str(index)
        for index, description in zip(dataset.indexes, dataset.descriptions, strict=True)
    )
