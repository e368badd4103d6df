"""The country of very many places: by square where it lies in one country, else one by one."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from thalweg.exposure.order import BLOCK_DEGREES
from thalweg.hexagons.outlines import Outlines

type Floats = NDArray[np.float64]

_MIXED = object()
# Squares are numbered along rows; a row has fewer squares than this to each side.
_ROW = 1 << 20


class CountryOf:
    """Finds the code of the area that each place lies in, as `Outlines.codes_at` does, and
    remembers the squares that lie in one area or in none."""

    def __init__(self, outlines: Outlines) -> None:
        self._outlines = outlines
        self._tree = shapely.STRtree(outlines.geometries)
        self._known: dict[int, object] = {}

    def codes(self, longitude: Floats, latitude: Floats) -> list[str | None]:
        """The code of each place in degrees; None outside all areas."""
        columns = np.floor(longitude / BLOCK_DEGREES).astype(np.int64)
        rows = np.floor(latitude / BLOCK_DEGREES).astype(np.int64)
        squares, which = np.unique(rows * _ROW + columns, return_inverse=True)
        known = np.array([self._code(square) for square in squares.tolist()] or [None], object)
        codes = known[which] if len(longitude) else known[:0]
        mixed = np.flatnonzero([code is _MIXED for code in codes])
        if len(mixed):
            points = np.column_stack([longitude[mixed], latitude[mixed]])
            codes[mixed] = self._outlines.codes_at(points)
        found: list[str | None] = codes.tolist()
        return found

    def _code(self, square: int) -> object:
        if square not in self._known:
            row = round(square / _ROW)
            self._known[square] = self._looked_up(square - row * _ROW, row)
        return self._known[square]

    def _looked_up(self, column: int, row: int) -> object:
        west, south = column * BLOCK_DEGREES, row * BLOCK_DEGREES
        square = shapely.box(west, south, west + BLOCK_DEGREES, south + BLOCK_DEGREES)
        areas = self._tree.query(square, predicate="intersects")
        if not len(areas):
            return None
        if len(areas) == 1 and self._outlines.geometries[areas[0]].contains(square):
            return self._outlines.codes[areas[0]]
        return _MIXED
