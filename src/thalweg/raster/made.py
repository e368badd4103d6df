"""What was made: the facts that a catalogue records and that verification holds a file against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Self

import xxhash

from thalweg.raster.grid import Grid
from thalweg.raster.layout import Layout
from thalweg.raster.statistics import BandStatistics


@dataclass(frozen=True)
class BandFacts:
    """A band as it was written.

    `checksum` is the XXH3-128 (hex) of its decoded pixels, height x width, row by row,
    little-endian; where they were made from several tiles, that of the tiles' checksums, joined in
    the order of `Made.windows`. `tags` are the band's own metadata, such as its return period.
    """

    description: str
    checksum: str
    statistics: BandStatistics
    tags: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "description": self.description,
            "checksum": self.checksum,
            "statistics": self.statistics.to_json(),
            "tags": dict(self.tags),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(
            document["description"],
            document["checksum"],
            BandStatistics.from_json(document["statistics"]),
            tuple(document["tags"].items()),
        )


class Rectangle(NamedTuple):
    """Some of a raster's pixels: the upper left one, and how many down and right."""

    row: int
    col: int
    height: int
    width: int


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels, and the XXH3-128 of each band's decoded pixels in it."""

    row: int
    col: int
    height: int
    width: int
    checksums: tuple[str, ...]

    @property
    def rectangle(self) -> Rectangle:
        return Rectangle(self.row, self.col, self.height, self.width)

    def overlaps(self, other: Window) -> bool:
        return (
            self.row < other.row + other.height
            and other.row < self.row + self.height
            and self.col < other.col + other.width
            and other.col < self.col + self.width
        )

    def to_json(self) -> dict[str, Any]:
        return {"rectangle": list(self.rectangle), "checksums": list(self.checksums)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        row, col, height, width = document["rectangle"]
        return cls(row, col, height, width, tuple(document["checksums"]))


@dataclass(frozen=True)
class Made:
    """A COG that was made: its grid, pixels and how it came about.

    `method` is `stack`, `splice` or `stream`. The pixels outside `windows` are nodata.
    """

    grid: Grid
    dtype: str
    nodata: float
    unit: str
    layout: Layout
    bands: tuple[BandFacts, ...]
    windows: tuple[Window, ...]
    method: str

    def to_json(self) -> dict[str, Any]:
        return {
            "grid": self.grid.to_json(),
            "dtype": self.dtype,
            # JSON knows no NaN.
            "nodata": str(self.nodata),
            "unit": self.unit,
            "layout": self.layout.value,
            "bands": [band.to_json() for band in self.bands],
            "windows": [window.to_json() for window in self.windows],
            "method": self.method,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(
            grid=Grid.from_json(document["grid"]),
            dtype=document["dtype"],
            nodata=float(document["nodata"]),
            unit=document["unit"],
            layout=Layout(document["layout"]),
            bands=tuple(BandFacts.from_json(band) for band in document["bands"]),
            windows=tuple(Window.from_json(window) for window in document["windows"]),
            method=document["method"],
        )


def joined_checksum(checksums: Sequence[str]) -> str:
    """The checksum of a band that was made from several windows; of one window, its own."""
    if len(checksums) == 1:
        return checksums[0]
    return xxhash.xxh3_128("".join(checksums).encode()).hexdigest()


def gaps_between(windows: Sequence[Window], grid: Grid) -> list[Rectangle]:
    """Rectangles that, with the windows, cover each pixel of the grid exactly once."""
    rows = sorted({0, grid.height, *(edge for w in windows for edge in (w.row, w.row + w.height))})
    cols = sorted({0, grid.width, *(edge for w in windows for edge in (w.col, w.col + w.width))})
    covered = {
        (row, col)
        for window in windows
        for row in rows
        for col in cols
        if window.row <= row < window.row + window.height
        and window.col <= col < window.col + window.width
    }
    return [
        Rectangle(top, left, bottom - top, right - left)
        for top, bottom in pairwise(rows)
        for left, right in pairwise(cols)
        if (top, left) not in covered
    ]
