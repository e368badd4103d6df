"""The two layouts that a COG is made in."""

from __future__ import annotations

from enum import StrEnum


class Layout(StrEnum):
    """How a COG is laid out on disk.

    `canonical` is ZSTD 3 in 400-pixel blocks, bands of one block side by side, overviews at factors
    3, 9, 27 ...: 3600, 1200 and 400 being multiples of 400, every block of every level of a
    one-degree tile of one arc-second is also a block of the mosaic, so that merging copies bytes.

    `compatible` is what GDAL's COG driver makes: DEFLATE in 512-pixel blocks, factors 2, 4, 8 ...
    """

    CANONICAL = "canonical"
    COMPATIBLE = "compatible"

    @property
    def block(self) -> int:
        """The width and height of a block, in pixels."""
        return 400 if self is Layout.CANONICAL else 512

    @property
    def factor(self) -> int:
        """How many pixels of one level make one pixel of the next, along each side."""
        return 3 if self is Layout.CANONICAL else 2

    def shapes(self, width: int, height: int) -> list[tuple[int, int]]:
        """(width, height) of each level, from the full resolution to the first that fits a block.

        A level's sides are the sides before it, divided by the factor and rounded up.
        """
        levels = [(width, height)]
        while max(levels[-1]) > self.block:
            levels.append((-(-levels[-1][0] // self.factor), -(-levels[-1][1] // self.factor)))
        return levels
