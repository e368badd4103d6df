"""One-degree tiles and the grid cells they are merged into, named by their south-west corner."""

from __future__ import annotations

import re
from dataclasses import dataclass

from thalweg.errors import UnknownValue, UsageError

TILE_NAME = r"[ns]\d{2}[ew]\d{3}"
_PARTS = re.compile(r"(?P<ns>[ns])(?P<lat>\d{2,3})(?P<ew>[ew])(?P<lon>\d{3})", re.IGNORECASE)


@dataclass(frozen=True)
class BoundingBox:
    """A box in degrees, WGS84. `west > east` is a box over the antimeridian."""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def parse(cls, text: str) -> BoundingBox:
        """Reads `west,south,east,north`; raises `UsageError`."""
        try:
            west, south, east, north = (float(part) for part in text.split(","))
        except ValueError:
            raise UsageError(
                f"{text!r} is no bounding box", hint="write west,south,east,north in degrees"
            ) from None
        if not (-90 <= south <= north <= 90 and abs(west) <= 180 and abs(east) <= 180):
            raise UsageError(
                f"bounding box {text!r} is not on the globe",
                hint="write west,south,east,north in degrees; south must not be above north",
            )
        return cls(west, south, east, north)

    def overlaps(self, south: int, west: int, size: int) -> bool:
        """Whether a box of `size` degrees from that corner shares area with this one.

        A box of no area (a point or a line) counts as the places that it touches.
        """
        return _share(self.south, self.north, south, south + size) and any(
            _share(start, end, west + turn, west + size + turn)
            for start, end in self._spans()
            for turn in (-360, 0, 360)
        )

    def _spans(self) -> tuple[tuple[float, float], ...]:
        if self.west <= self.east:
            return ((self.west, self.east),)
        return ((self.west, 180.0), (-180.0, self.east))


def _share(start: float, end: float, other_start: float, other_end: float) -> bool:
    if start == end:
        return other_start <= start <= other_end
    return start < other_end and end > other_start


def corner_name(south: int, west: int) -> str:
    """The name of a south-west corner in whole degrees: `corner_name(-1, 30) == "s01e030"`."""
    return f"{'s' if south < 0 else 'n'}{abs(south):02d}{'w' if west < 0 else 'e'}{abs(west):03d}"


def _parse_corner(name: str) -> tuple[int, int]:
    parts = _PARTS.fullmatch(name)
    if parts is None:
        raise UnknownValue(f"{name!r} is no tile name", hint="tile names look like n04w006")
    south = int(parts["lat"]) * (-1 if parts["ns"].lower() == "s" else 1)
    west = int(parts["lon"]) * (-1 if parts["ew"].lower() == "w" else 1)
    return south, west


@dataclass(frozen=True)
class Tile:
    """One degree by one degree; `south` and `west` are whole degrees."""

    south: int
    west: int

    @classmethod
    def parse(cls, name: str) -> Tile:
        """Reads `n04w006`; raises `UnknownValue` for what is not a tile of this world."""
        south, west = _parse_corner(name)
        if not (-90 <= south < 90 and -180 <= west < 180):
            raise UnknownValue(f"tile {name!r} lies outside the world")
        return cls(south, west)

    @property
    def name(self) -> str:
        return corner_name(self.south, self.west)

    def cell(self, size: int) -> GridCell:
        """The one grid cell of `size` degrees that this tile lies in."""
        return GridCell(self.south // size * size, self.west // size * size, size)

    def overlaps(self, box: BoundingBox) -> bool:
        return box.overlaps(self.south, self.west, 1)


@dataclass(frozen=True)
class GridCell:
    """A square of `size` whole degrees; `south` and `west` are multiples of `size`.

    Cells are counted from latitude 0, longitude 0, so where `size` does not divide 90 or 180 those
    at the rim reach beyond it.
    """

    south: int
    west: int
    size: int

    @classmethod
    def parse(cls, name: str, size: int) -> GridCell:
        south, west = _parse_corner(name)
        if south % size or west % size:
            raise UnknownValue(f"{name!r} is no corner of the {size}-degree grid")
        return cls(south, west, size)

    @property
    def name(self) -> str:
        return corner_name(self.south, self.west)

    def __contains__(self, tile: Tile) -> bool:
        return (
            self.south <= tile.south < self.south + self.size
            and self.west <= tile.west < self.west + self.size
        )
