"""A checked CQL2 filter as a condition in SQLite, which answers as pgSTAC does.

What a value is compared as follows from the property beside it: a number where all items have
numbers there, text otherwise; pgSTAC reads it in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from thalweg.catalog.cql2 import ARITHMETIC, TEMPORAL, Node
from thalweg.catalog.cql2_sql import SqlConditions, compared
from thalweg.catalog.geometries import shape_of, spans_of
from thalweg.catalog.moments import EVER, NEVER
from thalweg.errors import InvalidFilter

type Kind = Literal["time", "text", "number"]

COLUMNS: Mapping[str, tuple[str, Kind]] = {
    "id": ("id", "text"),
    "collection": ("collection_id", "text"),
    "datetime": ("starts", "time"),
    "start_datetime": ("starts", "time"),
    "end_datetime": ("ends", "time"),
}
_ELSEWHERE = {"assets", "links", "bbox", "stac_version", "stac_extensions", "properties"}
_TEMPORAL = {
    "t_before": "{lh} < {rl}",
    "t_after": "{ll} > {rh}",
    "t_meets": "{lh} = {rl}",
    "t_metby": "{ll} = {rh}",
    "t_overlaps": "{ll} < {rl} AND {lh} > {rl} AND {lh} < {rh}",
    "t_overlappedby": "{ll} > {rl} AND {ll} < {rh} AND {lh} > {rh}",
    "t_starts": "{ll} = {rl} AND {lh} < {rh}",
    "t_startedby": "{ll} = {rl} AND {lh} > {rh}",
    "t_during": "{ll} > {rl} AND {lh} < {rh}",
    "t_contains": "{ll} < {rl} AND {lh} > {rh}",
    "t_finishes": "{ll} > {rl} AND {lh} = {rh}",
    "t_finishedby": "{ll} < {rl} AND {lh} = {rh}",
    "t_equals": "{ll} = {rl} AND {lh} = {rh}",
    "t_disjoint": "NOT ({ll} <= {rh} AND {lh} >= {rl})",
    "t_intersects": "{ll} <= {rh} AND {lh} >= {rl}",
}


@dataclass
class Compiler(SqlConditions):
    """Makes conditions over the columns `number`, `collection_id`, `id`, `starts`, `ends` and
    `document`; what is given stands in `values`, by name, never in the SQL.

    `types` are the JSON types of properties. With `boxes`, spatial conditions look into the
    R*Tree `item_boxes` first.
    """

    types: Mapping[str, str]
    boxes: bool = True

    # Conditions ---------------------------------------------------------------------------------

    def predicate(self, op: str, args: list[Node]) -> str:
        """The SQL of an operator over values."""
        if op in TEMPORAL:
            return self._temporal(op, *args)
        if op.startswith("a_"):
            left, right = (self._array(one) for one in args)
            return f"arrays({self.bind(op)}, {left}, {right})"
        kind = self._kind(args)
        if op == "like" and kind != "text":
            raise InvalidFilter("like compares text, and the property is no text")
        return compared(op, [self._scalar(one, kind) for one in args])

    def spatial(self, op: str, geometry: Mapping[str, Any]) -> str:
        """The SQL of a spatial condition on an item's geometry."""
        shape = shape_of(geometry)
        place = "json_extract(document, '$.geometry')"
        exact = f"spatial({self.bind(op)}, {place}, {self.bind(shape.wkb)})"
        if not self.boxes or op == "s_disjoint":
            return exact
        ((west, east, south, north),) = spans_of(shape.bounds)
        near = (
            f"west <= {self.bind(east)} AND east >= {self.bind(west)} AND "
            f"south <= {self.bind(north)} AND north >= {self.bind(south)}"
        )
        return f"(number IN (SELECT id / 2 FROM item_boxes WHERE {near}) AND {exact})"  # noqa: S608

    def _temporal(self, op: str, left: Node, right: Node) -> str:
        (ll, lh), (rl, rh) = self._interval(left), self._interval(right)
        return "(" + _TEMPORAL[op].format(ll=ll, lh=lh, rl=rl, rh=rh) + ")"

    def _interval(self, node: Node) -> tuple[str, str]:
        if "interval" in node:
            start, end = node["interval"]
            return self._end(start, EVER), self._end(end, NEVER)
        one = self._end(node.get("timestamp", node), EVER)
        return one, one

    def _end(self, node: Node, if_open: str) -> str:
        if isinstance(node, Mapping):
            return COLUMNS[node["property"]][0]
        return self.bind(if_open if node == ".." else node)

    def _array(self, node: Node) -> str:
        if isinstance(node, Mapping):
            return f"json_quote(json_extract(document, {json_path(node['property'])}))"
        return self.bind(json.dumps(node))

    # Values -------------------------------------------------------------------------------------

    def _kind(self, args: list[Node]) -> Kind:
        """What the arguments of one operator are compared as."""
        names = [one["property"] for one in args if isinstance(one, Mapping) and "property" in one]
        of_columns = [COLUMNS[name][1] for name in names if name in COLUMNS]
        if of_columns:
            return "time" if "time" in of_columns else "text"
        for name in names:
            if name in self.types:
                return "number" if self.types[name] == "number" else "text"
        numbers = any(isinstance(one, (int, float)) and not isinstance(one, bool) for one in args)
        return "number" if numbers else "text"

    def _scalar(self, node: Node, kind: Kind) -> str:
        if not isinstance(node, Mapping):
            return self.bind(_literal(node, kind))
        if "property" in node:
            return self.value(node["property"], kind)
        if "timestamp" in node:
            return self.bind(node["timestamp"])
        op, args = node["op"], node["args"]
        of_args = self._kind(args)
        if op in ARITHMETIC:
            left, right = (self._scalar(one, "number") for one in args)
            return f"(CAST({left} AS REAL) {op} {right})"
        function = "upper_as_sql" if op == "casei" else "unaccent"
        return f"{function}({self._scalar(args[0], of_args)})"

    def value(self, name: str, kind: Kind | None = None) -> str:
        """The SQL of a property's value; `kind` is what it is compared as, by default its own."""
        if name in COLUMNS:
            return COLUMNS[name][0]
        path = json_path(name)
        plain = f"json_extract(document, {path})"
        known = self.types.get(name)
        if (kind or known) == "number" or known == "string":
            return plain
        return f"as_text(json_type(document, {path}), {plain})"


def json_path(name: str) -> str:
    """The path of a property in an item's document, as SQL; names are checked to be plain."""
    keys = name.split(".")
    whole = keys if keys[0] in _ELSEWHERE else ["properties", *keys]
    return "'$" + "".join(f'."{key}"' for key in whole) + "'"


def _literal(value: str | float | bool, kind: Kind) -> str | float:
    if kind == "number":
        try:
            return float(value)
        except ValueError as error:
            raise InvalidFilter(f"{str(value)[:40]!r} is compared with a number") from error
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
