"""Blocks that were copied: where the same bytes stand, the same pixels stand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from thalweg.raster.blocks import BlockMap
from thalweg.raster.made import Window


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
    block = whole.height
    yield {whole.width, tile.height, tile.width} == {block}
    yield window.row % block == 0 and window.col % block == 0
    top, left = window.row // block, window.col // block
    bands, rows, cols = tile.shape
    yield whole.shape[0] == bands
    for band, row, col in np.ndindex(bands, rows, cols):
        yield whole.read(band, top + row, left + col) == tile.read(band, row, col)
