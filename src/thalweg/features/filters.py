"""Filters of features, checked against the table: every name is a column, every comparison of like
with like. What passes here means the same in SQLite and in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Literal

from thalweg.catalog.cql2 import ARITHMETIC, LOGICAL, SPATIAL, TEMPORAL, TEXT, Node
from thalweg.catalog.geometries import shape_of
from thalweg.catalog.moments import first_of_day, moment
from thalweg.errors import InvalidFilter
from thalweg.features.tables import ID, FeatureTable

type Class = Literal["number", "text", "boolean", "time"]

_CLASSES: Mapping[str, Class] = {
    "integer": "number",
    "number": "number",
    "text": "text",
    "boolean": "boolean",
    "date": "time",
    "timestamp": "time",
}
_TOLD = {"number": "a number", "text": "text", "boolean": "true or false", "time": "a time"}


def column_classes(table: FeatureTable) -> dict[str, Class]:
    """What each column is compared as, by name."""
    return {ID: "number", **{one.name: _CLASSES[one.kind] for one in table.columns}}


def checked_filter(node: Node, table: FeatureTable) -> Node:
    """A filter of `parse_filter` that fits the table; raises `InvalidFilter`."""
    return _boolean(node, column_classes(table))


def _boolean(node: Node, classes: Mapping[str, Class]) -> Node:
    if isinstance(node, bool):
        return node
    op, args = node["op"], node["args"]
    if op in LOGICAL:
        return {"op": op, "args": [_boolean(one, classes) for one in args]}
    if op in SPATIAL:
        _check_geometry(args[1])
        return node
    if op in TEMPORAL or op.startswith("a_"):
        raise InvalidFilter(
            f"{op} is not offered for features",
            hint="compare times by =, <>, <, <=, > and >=",
        )
    if op == "in":
        first, *values = _alike([args[0], *args[1]], classes)
        return {"op": op, "args": [first, values]}
    checked = _alike(args, classes)
    if op == "like" and _class(checked[0], classes) != "text":
        raise InvalidFilter("like compares text, and the property is no text")
    return {"op": op, "args": checked}


def _check_geometry(geometry: Mapping[str, Any]) -> None:
    """PostGIS relates no collections, and neither relates what is invalid."""
    if geometry["type"] == "GeometryCollection":
        raise InvalidFilter("a filter takes no GeometryCollection")
    if not shape_of(geometry).is_valid:
        raise InvalidFilter("the geometry crosses itself or is otherwise invalid")


def _alike(args: list[Node], classes: Mapping[str, Class]) -> list[Node]:
    """Values of one class; texts that stand beside times are read as times."""
    found = [_class(one, classes) for one in args]
    if "time" in found:
        args = [_time(one) if isinstance(one, str) else one for one in args]
        found = [_class(one, classes) for one in args]
    if len(set(found)) > 1:
        raise InvalidFilter(f"{_TOLD[found[0]]} is compared with {_TOLD[_other(found)]}")
    return [_value(one, classes) for one in args]


def _other(found: list[Class]) -> Class:
    return next(one for one in found if one != found[0])


def _class(node: Node, classes: Mapping[str, Class]) -> Class:
    if isinstance(node, bool):
        return "boolean"
    if isinstance(node, str):
        return "text"
    if isinstance(node, (int, float)):
        return "number"
    if "property" in node:
        return classes[known(node["property"], classes)]
    if "timestamp" in node:
        return "time"
    return "text" if node["op"] in TEXT else "number"


def _value(node: Node, classes: Mapping[str, Class]) -> Node:
    if not isinstance(node, Mapping) or "op" not in node:
        return node
    op, args = node["op"], node["args"]
    wanted = "number" if op in ARITHMETIC else "text"
    for one in args:
        if _class(one, classes) != wanted:
            raise InvalidFilter(f"{op} takes {_TOLD[wanted]}, not {_TOLD[_class(one, classes)]}")
    return {"op": op, "args": [_value(one, classes) for one in args]}


def known(name: str, columns: Mapping[str, Any]) -> str:
    """A name that is one of the columns; raises `InvalidFilter`."""
    if name not in columns:
        near = get_close_matches(name, columns, 1)
        raise InvalidFilter(
            f"there is no property {name[:64]!r}",
            hint=f"did you mean {near[0]!r}?" if near else f"there are {', '.join(columns)}",
        )
    return name


def _time(text: str) -> Node:
    try:
        return {"timestamp": moment(text) if len(text) > len("2050-01-01") else first_of_day(text)}
    except ValueError as error:
        raise InvalidFilter(f"{text[:40]!r} is no time as RFC 3339 has it") from error
