"""Features of a GeoPackage: those that a filter finds, in a total order, from an offset on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from thalweg.catalog.cql2 import Node
from thalweg.features.cql2_geopackage import Compiler, quoted
from thalweg.features.functions import wkb_of
from thalweg.features.rows import Row, column_values
from thalweg.features.tables import GEOMETRY, ID, Bounds, FeatureTable

type Geometries = NDArray[np.object_]
type Sort = tuple[str, bool]
"""A column, and whether it descends."""


class Selection:
    """The rows of a table that a checked filter finds; columns are those named, after `fid`.

    `near` leaves only what has a box that touches it. Every order ends with `fid`.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        table: FeatureTable,
        where: Node = None,
        sort: Sequence[Sort] = (),
        *,
        columns: Sequence[str] | None = None,
        near: Bounds | None = None,
    ) -> None:
        self.connection = connection
        self.table = table
        names = [one.name for one in table.columns] if columns is None else list(columns)
        self.names = [ID, *(name for name in names if name != ID)]
        self._compiler = Compiler(table)
        parts = [self._compiler.near(near)] if near else []
        parts += [] if where is None else [self._compiler.condition(where)]
        self._from = f"FROM {quoted(table.name)} WHERE {' AND '.join(parts) or '1'}"
        self._order = self._compiler.order(list(total_order(sort)))

    def count(self) -> int:
        """How many there are."""
        sql = f"SELECT count(*) {self._from}"
        return int(self.connection.execute(sql, self._compiler.values).fetchone()[0])

    def rows(self, limit: int = -1, offset: int = 0, *, geometry: bool = True) -> Iterator[Row]:
        """Rows of the columns, and the geometry as a GeoPackage has it."""
        names = [*self.names, GEOMETRY] if geometry else self.names
        return self.connection.execute(
            f"SELECT {', '.join(map(quoted, names))} {self._from} "
            f"ORDER BY {self._order} LIMIT {int(limit)} OFFSET {int(offset)}",
            self._compiler.values,
        )

    def columns(self, rows: Sequence[Row]) -> dict[str, list[Any]]:
        """The values of rows, by the name of their column."""
        kinds = {one.name: one.kind for one in self.table.columns}
        return {
            name: column_values([row[at] for row in rows], kinds.get(name, "integer"))
            for at, name in enumerate(self.names)
        }


def total_order(sort: Sequence[Sort]) -> list[Sort]:
    """An order that leaves nothing open."""
    return list(sort) if any(name == ID for name, _ in sort) else [*sort, (ID, False)]


def geometries(rows: Sequence[Row]) -> Geometries:
    """The geometries of rows, which are their last value [n]."""
    read: Geometries = shapely.from_wkb(np.array([wkb_of(row[-1]) for row in rows], object))
    return read
