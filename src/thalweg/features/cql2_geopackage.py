"""A checked filter as a condition over a table of a GeoPackage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thalweg.catalog.cql2 import ARITHMETIC, Node
from thalweg.catalog.cql2_sql import SqlConditions, compared
from thalweg.catalog.geometries import shape_of
from thalweg.features.tables import GEOMETRY, ID, FeatureTable


@dataclass
class Compiler(SqlConditions):
    """Makes conditions; what is given stands in `values`, by name, never in the SQL."""

    table: FeatureTable

    def __post_init__(self) -> None:
        self._kinds = {one.name: one.kind for one in self.table.columns}

    def predicate(self, op: str, args: list[Node]) -> str:
        """The SQL of an operator over values."""
        return compared(op, [self._value(one) for one in args])

    def near(self, bounds: tuple[float, float, float, float]) -> str:
        """The SQL of features whose box touches another: by the R*Tree alone."""
        west, south, east, north = map(self.bind, bounds)
        return self._in_tree(
            f"minx <= {east} AND maxx >= {west} AND miny <= {north} AND maxy >= {south}"
        )

    def order(self, sort: list[tuple[str, bool]]) -> str:
        """The SQL of an order: columns, and whether each descends; nulls as PostgreSQL has them."""
        return ", ".join(
            f"{quoted(name)} {'DESC NULLS FIRST' if down else 'ASC NULLS LAST'}"
            for name, down in sort
        )

    def spatial(self, op: str, geometry: Mapping[str, Any]) -> str:
        """The SQL of a spatial condition on a feature's geometry."""
        shape = shape_of(geometry)
        exact = f"relates({self.bind(op)}, {quoted(GEOMETRY)}, {self.bind(shape.wkb)})"
        if op == "s_disjoint":
            return exact
        if op == "s_intersects" and shape.equals(shape.envelope):
            exact = f"({self._inside(shape.bounds)} OR {exact})"
        return f"({self.near(shape.bounds)} AND {exact})"

    def _inside(self, bounds: tuple[float, float, float, float]) -> str:
        """Features that lie in a box whole: the R*Tree's boxes are never smaller than theirs."""
        west, south, east, north = map(self.bind, bounds)
        return self._in_tree(
            f"minx >= {west} AND maxx <= {east} AND miny >= {south} AND maxy <= {north}"
        )

    def _in_tree(self, condition: str) -> str:
        tree = quoted(f"rtree_{self.table.name}_{GEOMETRY}")
        return f"{ID} IN (SELECT id FROM {tree} WHERE {condition})"  # noqa: S608 - placeholders

    def _value(self, node: Node) -> str:
        if not isinstance(node, Mapping):
            return self.bind(int(node) if isinstance(node, bool) else node)
        if "property" in node:
            return self._column(node["property"])
        if "timestamp" in node:
            return self.bind(_as_stored(node["timestamp"]))
        op, args = node["op"], [self._value(one) for one in node["args"]]
        if op in ARITHMETIC:
            return f"(CAST({args[0]} AS REAL) {op} {args[1]})"
        return f"{'upper_as_sql' if op == 'casei' else 'unaccent'}({args[0]})"

    def _column(self, name: str) -> str:
        kind = self._kinds.get(name)
        if kind == "timestamp":
            return f"rtrim({quoted(name)}, 'Z')"
        if kind == "date":
            return f"({quoted(name)} || 'T00:00:00.000')"
        return quoted(name)


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def _as_stored(moment: str) -> str:
    """A moment without its zone, to milliseconds unless it tells more: so it sorts as text."""
    whole, _, fraction = moment.rstrip("Z").partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(3, '0')}"
