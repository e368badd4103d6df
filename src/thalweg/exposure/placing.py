"""Buildings placed on rasters: for each block, which of its pixels are wanted by which building."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from thalweg.exposure.pixel_lists import PixelLists
from thalweg.raster.grid import Grid, Offset, bounding_grid

type Counts = NDArray[np.int64]
type Indices = NDArray[np.int32]


@dataclass(frozen=True)
class Frame:
    """A raster's grid, and the (rows, columns) of its blocks."""

    grid: Grid
    block: tuple[int, int]


@dataclass(frozen=True)
class BlockLists:
    """The wanted pixels of one raster, block by block.

    Block b spans (top, left, rows, columns) `windows[b]` of the raster. The wanted pixels
    `first[b]:first[b + 1]` lie at `within`, counted row by row in the block, and go to `targets`.
    """

    windows: NDArray[np.int64]
    first: Counts
    within: Indices
    targets: Indices


@dataclass(frozen=True)
class Placement:
    """Buildings on rasters: building k has the pixels `first[k]:first[k + 1]`, none if it lies
    outside all rasters; `rasters` say where each of them is read."""

    first: Indices
    rasters: tuple[BlockLists, ...]

    @property
    def pixels(self) -> int:
        return int(self.first[-1])

    @classmethod
    def of(cls, lists: PixelLists, frames: Sequence[Frame]) -> Self:
        """`lists` count on the grid of `common_grid(frames)`. A pixel that several rasters hold is
        read from the first."""
        _, offsets = bounding_grid((str(n), frame.grid) for n, frame in enumerate(frames))
        owner = np.full(len(lists.rows), -1, np.int16)
        for index, (frame, offset) in enumerate(zip(frames, offsets, strict=True)):
            owner[(owner < 0) & _held(lists, frame, offset)] = index
        kept = owner >= 0
        before = np.concatenate([[0], np.cumsum(kept)])
        targets = (before[1:] - 1).astype(np.int32)
        return cls(
            before[lists.first].astype(np.int32),
            tuple(
                _block_lists(lists, np.flatnonzero(owner == index), targets, frame, offset)
                for index, (frame, offset) in enumerate(zip(frames, offsets, strict=True))
            ),
        )


def common_grid(frames: Sequence[Frame], names: Iterable[str]) -> Grid:
    """The grid that all rasters lie on; `WrongGrid` or `WrongCrs` name one that does not."""
    return bounding_grid(zip(names, (frame.grid for frame in frames), strict=True))[0]


def _held(lists: PixelLists, frame: Frame, offset: Offset) -> NDArray[np.bool_]:
    rows, cols = lists.rows - offset.row, lists.cols - offset.col
    height, width = frame.grid.shape
    held: NDArray[np.bool_] = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    return held


def _block_lists(
    lists: PixelLists, pixels: NDArray[np.intp], targets: Indices, frame: Frame, offset: Offset
) -> BlockLists:
    high, wide = frame.block
    height, width = frame.grid.shape
    rows, cols = lists.rows[pixels] - offset.row, lists.cols[pixels] - offset.col
    across = -(-width // wide)
    block = (rows // high).astype(np.int64) * across + cols // wide
    order = np.argsort(block, kind="stable")
    rows, cols, block = rows[order], cols[order], block[order]
    blocks, first = np.unique(block, return_index=True)
    top, left = blocks // across * high, blocks % across * wide
    columns = np.minimum(wide, width - left)
    windows = np.column_stack([top, left, np.minimum(high, height - top), columns])
    lengths = np.diff(np.append(first, len(block)))
    within = (rows % high) * np.repeat(columns, lengths) + cols % wide
    return BlockLists(
        windows,
        np.append(first, len(block)).astype(np.int64),
        within.astype(np.int32),
        targets[pixels[order]],
    )
