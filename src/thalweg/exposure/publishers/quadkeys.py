"""Quadkeys: names of the squares of a Mercator map, as text because a leading zero counts.

As in Bing Maps' tile system: at level n the map has 2**n columns from west to east and as many rows
from north to south, and each digit halves both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from thalweg.domain.tiles import BoundingBox
from thalweg.errors import UsageError

LEVEL = 9
# Where the map ends: there it is as high as it is wide.
_NORTHMOST = math.degrees(math.atan(math.sinh(math.pi)))


def quadkey(longitude: float, latitude: float, level: int = LEVEL) -> str:
    """The quadkey of the square that a place lies in; beyond the map that at its edge."""
    return _written(_column(longitude, level), _row(latitude, level), level)


def restored(number: int | str, level: int = LEVEL) -> str:
    """A quadkey that was held as a number, with the leading zeros that it lost.

    Raises `UsageError` for what is no quadkey of that level.
    """
    text = str(number).zfill(level)
    if len(text) != level or set(text) - set("0123"):
        raise UsageError(
            f"{number!r} is no quadkey of {level} digits", hint="such as 300101003, of 0 to 3"
        )
    return text


def quadkeys_of(bounds: BoundingBox, level: int = LEVEL) -> frozenset[str]:
    """The quadkeys of all squares that a box touches."""
    rows = range(_row(bounds.north, level), _row(bounds.south, level) + 1)
    return frozenset(
        _written(column, row, level) for column in _columns(bounds, level) for row in rows
    )


def _columns(bounds: BoundingBox, level: int) -> Iterator[int]:
    first, last = _column(bounds.west, level), _column(bounds.east, level)
    if bounds.west <= bounds.east:
        yield from range(first, last + 1)
    else:
        yield from range(first, 2**level)
        yield from range(last + 1)


def _column(longitude: float, level: int) -> int:
    side: int = 2**level
    return min(int((longitude + 180) / 360 * side), side - 1)


def _row(latitude: float, level: int) -> int:
    within = max(-_NORTHMOST, min(_NORTHMOST, latitude))
    down = (1 - math.asinh(math.tan(math.radians(within))) / math.pi) / 2
    side: int = 2**level
    return max(0, min(int(down * side), side - 1))


def _written(column: int, row: int, level: int) -> str:
    return "".join(
        str((column >> bit & 1) + 2 * (row >> bit & 1)) for bit in reversed(range(level))
    )
