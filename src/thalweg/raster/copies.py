"""Blocks that were copied: where the same bytes stand, the same pixels stand."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

from thalweg.raster.made import Window

type Blocks = npt.NDArray[np.int64]


class BlockMap:
    """The compressed blocks of a file's full resolution, as its own index has them."""

    def __init__(self, path: Path, opened: ExitStack) -> None:
        file = opened.enter_context(path.open("rb"))
        page = opened.enter_context(tifffile.TiffFile(file)).pages.first
        self.block = page.tilelength
        self.square = page.tilelength == page.tilewidth
        shape = (-1, -(-page.imagelength // page.tilelength), -(-page.imagewidth // page.tilewidth))
        self._offsets: Blocks = np.array(page.dataoffsets, np.int64).reshape(shape)
        self._sizes: Blocks = np.array(page.databytecounts, np.int64).reshape(shape)
        self._bytes = opened.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    @property
    def shape(self) -> tuple[int, ...]:
        """(bands, block rows, block columns)"""
        return self._offsets.shape

    def read(self, band: int, row: int, col: int) -> bytes:
        """A block as it stands in the file; empty where it is absent."""
        offset, size = self._offsets[band, row, col], self._sizes[band, row, col]
        return self._bytes[offset : offset + size]


def copied_windows(path: Path, windows: tuple[Window, ...], tiles: tuple[Path, ...]) -> set[int]:
    """The windows of which each block holds the very bytes of its tile's, by index.

    `tiles` are the files that the windows were made from, in their order.
    """
    with ExitStack() as opened:
        whole = BlockMap(path, opened)
        return {
            index
            for index, (window, tile) in enumerate(zip(windows, tiles, strict=True))
            if all(_same_blocks(whole, window, BlockMap(tile, opened)))
        }


def _same_blocks(whole: BlockMap, window: Window, tile: BlockMap) -> Iterator[bool]:
    block = whole.block
    yield whole.square and tile.square and tile.block == block
    yield window.row % block == 0 and window.col % block == 0
    top, left = window.row // block, window.col // block
    bands, rows, cols = tile.shape
    yield whole.shape[0] == bands
    for band, row, col in np.ndindex(bands, rows, cols):
        yield whole.read(band, top + row, left + col) == tile.read(band, row, col)
