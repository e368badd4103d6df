"""A raster's grid: where its pixels lie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import rasterio
from affine import Affine
from rasterio.crs import CRS

from thalweg.errors import WrongCrs, WrongGrid

# A share of a pixel: wide enough for origins written with eleven digits, far below what shows.
TOLERANCE = 0.01


class Offset(NamedTuple):
    """Whole pixels from one grid's upper left corner down and right to another's."""

    row: int
    col: int


@dataclass(frozen=True)
class Grid:
    """A north-up grid of pixels.

    `crs` is an authority code such as `EPSG:4326` where there is one, else WKT. `transform` is the
    affine (a, b, c, d, e, f) from (column, row) of a pixel's upper left corner to (x, y):
    `x = a col + b row + c`, `y = d col + e row + f`; a north-up grid has b = d = 0 and e < 0.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int

    @property
    def pixel_size(self) -> tuple[float, float]:
        """(width, height) of a pixel in units of the CRS, both positive."""
        return self.transform[0], -self.transform[4]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) of the outer edges, in the CRS."""
        a, _, c, _, e, f = self.transform
        return c, f + e * self.height, c + a * self.width, f

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), as numpy has it."""
        return self.height, self.width

    @property
    def affine(self) -> Affine:
        return Affine(*self.transform)

    def offset_of(self, other: Grid, *, where: str = "") -> Offset:
        """The offset of `other` in this grid, in whole pixels.

        Holds when the pixels of `other` lie on this grid's pixels within `TOLERANCE` of a pixel
        over the whole extent of `other`; else raises `WrongGrid`, or `WrongCrs`.
        """
        if not same_crs(other.crs, self.crs):
            raise WrongCrs(f"its CRS is {other.crs}, the others' is {self.crs}", where=where)
        col = _whole_steps(
            other.transform[2] - self.transform[2],
            self.transform[0],
            other.transform[0],
            other.width,
            "column",
            where,
        )
        row = _whole_steps(
            other.transform[5] - self.transform[5],
            self.transform[4],
            other.transform[4],
            other.height,
            "row",
            where,
        )
        return Offset(row, col)

    def shifted(self, offset: Offset, width: int, height: int) -> Grid:
        """The grid of other extent whose upper left corner lies at `offset` of this one."""
        a, b, c, d, e, f = self.transform
        origin = (a, b, c + a * offset.col, d, e, f + e * offset.row)
        return Grid(self.crs, origin, width, height)

    def to_json(self) -> dict[str, Any]:
        return {
            "crs": self.crs,
            "transform": list(self.transform),
            "width": self.width,
            "height": self.height,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        a, b, c, d, e, f = document["transform"]
        return cls(document["crs"], (a, b, c, d, e, f), document["width"], document["height"])


def grid_of(dataset: rasterio.DatasetReader, *, where: str) -> Grid:
    """The grid of an open dataset; `WrongCrs` where it has none, `WrongGrid` if not north-up."""
    if not dataset.crs:
        raise WrongCrs(
            "the file has no coordinate reference system",
            where=where,
            hint="write one with rio edit-info --crs, or leave the file out",
        )
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    if b != 0 or d != 0 or a <= 0 or e >= 0:
        raise WrongGrid(
            f"the grid is rotated, flipped or has no georeference: transform {a, b, c, d, e, f}",
            where=where,
            hint="warp the file to a north-up grid first",
        )
    return Grid(crs_name(dataset.crs), (a, b, c, d, e, f), dataset.width, dataset.height)


def crs_name(crs: CRS) -> str:
    """The authority code of a CRS where it has one, else its WKT."""
    authority = crs.to_authority(confidence_threshold=100)
    return ":".join(authority) if authority else str(crs.to_wkt())


def same_crs(one: str, other: str) -> bool:
    return one == other or bool(CRS.from_user_input(one) == CRS.from_user_input(other))


def bounding_grid(grids: Iterable[tuple[str, Grid]]) -> tuple[Grid, list[Offset]]:
    """The smallest grid that holds all, and the offset of each in it.

    `grids` are pairs of a name for errors and a grid. The first sets the pixel size; the others
    must lie on its pixels, else `WrongGrid` or `WrongCrs` names the one that does not.
    """
    named = list(grids)
    first = named[0][1]
    offsets = [first.offset_of(grid, where=where) for where, grid in named]
    top = min(offset.row for offset in offsets)
    left = min(offset.col for offset in offsets)
    pairs = list(zip(offsets, (grid for _, grid in named), strict=True))
    bottom = max(offset.row + grid.height for offset, grid in pairs)
    right = max(offset.col + grid.width for offset, grid in pairs)
    whole = first.shifted(Offset(top, left), right - left, bottom - top)
    return whole, [Offset(offset.row - top, offset.col - left) for offset in offsets]


def _whole_steps(
    distance: float, step: float, other_step: float, count: int, axis: str, where: str
) -> int:
    drift = abs(other_step - step) * count / abs(step)
    if drift > TOLERANCE:
        raise WrongGrid(
            f"its pixel size is {abs(other_step)!r} along {axis}s, the others' is {abs(step)!r}",
            where=where,
        )
    steps = distance / step
    if abs(steps - round(steps)) > TOLERANCE:
        raise WrongGrid(
            f"it lies {steps:.4f} pixels away along {axis}s, not a whole number",
            where=where,
            hint="tiles of one mosaic share one pixel grid; warp this one to it",
        )
    return round(steps)
