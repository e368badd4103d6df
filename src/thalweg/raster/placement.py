"""Where tiles lie in the mosaic that they make up, and their pixels row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Self

import numpy as np
import rasterio
from rasterio.windows import Window as PixelWindow

from thalweg.domain.pixels import PixelRules
from thalweg.errors import OverlappingTiles, WrongDtype, WrongNodata, WrongShape, WrongUnit
from thalweg.raster.codec import Pixels, checked_dtype
from thalweg.raster.cogwriter import RESAMPLING_TAG, BandHeader, Header
from thalweg.raster.grid import Grid, bounding_grid, grid_of
from thalweg.raster.made import BandFacts, Window
from thalweg.raster.pyramid import strip_rows
from thalweg.raster.reading import opened, unreadable


@dataclass(frozen=True)
class Tile:
    """A COG that `stack` made: where it lies, its name for errors, and what its bands hold."""

    path: str
    where: str
    bands: tuple[BandFacts, ...]


@dataclass(frozen=True)
class PlacedTile:
    """A tile, the rectangle of the mosaic that it fills, and how its overviews were made."""

    tile: Tile
    window: Window
    resampling: str


def place(
    tiles: Sequence[Tile], rules: PixelRules
) -> tuple[Grid, list[PlacedTile], tuple[BandHeader, ...]]:
    """The mosaic's grid, the tiles from north to south and west to east, and their bands."""
    grids: list[tuple[str, Grid]] = []
    bands: list[tuple[BandHeader, ...]] = []
    resampling: list[str] = []
    for tile in tiles:
        with opened(tile.path, where=tile.where) as dataset:
            _check_tile(dataset, tile, rules)
            grids.append((tile.where, grid_of(dataset, where=tile.where)))
            bands.append(_bands(dataset))
            resampling.append(dataset.tags().get(RESAMPLING_TAG, ""))
        if bands[-1] != bands[0]:
            raise WrongShape(
                f"its bands are {_names(bands[-1])}, those of {tiles[0].where} {_names(bands[0])}",
                where=tile.where,
            )
    grid, offsets = bounding_grid(grids)
    placed = [
        PlacedTile(tile, Window(*offset, *own.shape, tuple(b.checksum for b in tile.bands)), how)
        for tile, (_, own), offset, how in zip(tiles, grids, offsets, resampling, strict=True)
    ]
    placed.sort(key=lambda one: (one.window.row, one.window.col))
    for one, other in combinations(placed, 2):
        if one.window.overlaps(other.window):
            raise OverlappingTiles(f"it overlaps {one.tile.where}", where=other.tile.where)
    return grid, placed, bands[0]


def _check_tile(dataset: rasterio.DatasetReader, tile: Tile, rules: PixelRules) -> None:
    where = tile.where
    if dataset.count != len(tile.bands):
        raise WrongShape(
            f"the file has {dataset.count} bands, {len(tile.bands)} were recorded", where=where
        )
    if set(dataset.dtypes) != {rules.dtype}:
        raise WrongDtype(
            f"its type is {dataset.dtypes[0]}, the declared one {rules.dtype}", where=where
        )
    if not np.array_equal(dataset.nodata, rules.nodata, equal_nan=True):
        raise WrongNodata(
            f"its nodata is {dataset.nodata}, the declared one {rules.nodata}", where=where
        )
    if set(dataset.units) != {rules.unit}:
        raise WrongUnit(
            f"its unit is {dataset.units[0]}, the declared one {rules.unit}", where=where
        )


def _bands(dataset: rasterio.DatasetReader) -> tuple[BandHeader, ...]:
    return tuple(
        BandHeader(dataset.descriptions[index] or "", dataset.units[index], dataset.tags(index + 1))
        for index in range(dataset.count)
    )


def _names(bands: Sequence[BandHeader]) -> str:
    return ", ".join(band.description for band in bands)


class Canvas:
    """The pixels of one level of a mosaic, read from the tiles that lie in it.

    `level` 0 is the full resolution; at others, each tile's offset must be divisible by the
    layout's factor to that power.
    """

    def __init__(self, placed: Sequence[PlacedTile], header: Header, level: int = 0) -> None:
        layout = header.layout
        self._scale = layout.factor**level
        self.width, self.height = layout.shapes(header.grid.width, header.grid.height)[level]
        self._nodata, self._dtype = header.nodata, checked_dtype(header.dtype)
        self._step = layout.block * layout.factor
        self._options: dict[str, Any] = {"overview_level": level - 1} if level else {}
        self._placed = placed
        self._files = ExitStack()
        self._datasets: list[rasterio.DatasetReader] = []

    def __enter__(self) -> Self:
        for one in self._placed:
            dataset = opened(one.tile.path, where=one.tile.where, **self._options)
            self._datasets.append(self._files.enter_context(dataset))
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def strips(self, band: int) -> Iterator[Pixels]:
        """The rows of a band (from 0), top to bottom; each array is filled anew by the next."""
        step = min(strip_rows(self.width, self._dtype.itemsize, self._step), self.height)
        strip: Pixels = np.empty((step, self.width), self._dtype)
        for first in range(0, self.height, step):
            rows = strip[: self.height - first]
            rows[:] = self._nodata
            for one, dataset in zip(self._placed, self._datasets, strict=True):
                self._paste(one, dataset, band, first, rows)
            yield rows

    def _paste(
        self,
        placed: PlacedTile,
        dataset: rasterio.DatasetReader,
        band: int,
        first: int,
        rows: Pixels,
    ) -> None:
        """Copy what the tile has of the rows from `first` on."""
        row, col = placed.window.row // self._scale, placed.window.col // self._scale
        top, bottom = max(first, row), min(first + len(rows), row + dataset.height)
        if top >= bottom:
            return
        with unreadable(placed.tile.where):
            pixels = dataset.read(
                band + 1, window=PixelWindow(0, top - row, dataset.width, bottom - top)
            )
        rows[top - first : bottom - first, col : col + dataset.width] = pixels
