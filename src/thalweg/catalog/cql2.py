"""The filters that are answered: CQL2, in text or JSON, of what is on one list.

A filter is parsed, checked node by node, and given back as CQL2 JSON in one spelling, whatever
database it goes to. Whatever is not named here is refused: no function of a database can be called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from thalweg.catalog.geometries import box_geometry, checked_geometry
from thalweg.catalog.moments import first_of_day, last_of_day, moment
from thalweg.errors import InvalidFilter, InvalidRequest

type Node = Any
type Language = Literal["cql2-text", "cql2-json"]

MOST_TEXT = 8192
MOST_DEPTH = 24
MOST_NODES = 1024

LOGICAL = {"and", "or", "not"}
COMPARISONS = {"=", "<>", "<", "<=", ">", ">="}
ARITHMETIC = {"+", "-", "*", "/"}
TEXT = {"casei", "accenti"}
SPATIAL = {
    "s_intersects": "s_intersects",
    "s_equals": "s_equals",
    "s_disjoint": "s_disjoint",
    "s_touches": "s_touches",
    "s_overlaps": "s_overlaps",
    "s_crosses": "s_crosses",
    "s_within": "s_contains",
    "s_contains": "s_within",
}
"""Each spatial operator, and what it is when its arguments change places."""
TEMPORAL = {
    "t_after",
    "t_before",
    "t_contains",
    "t_disjoint",
    "t_during",
    "t_equals",
    "t_finishedby",
    "t_finishes",
    "t_intersects",
    "t_meets",
    "t_metby",
    "t_overlappedby",
    "t_overlaps",
    "t_startedby",
    "t_starts",
}
ARRAYS = {
    "a_equals": "a_equals",
    "a_contains": "a_contains",
    "a_containedby": "a_contained_by",
    "a_contained_by": "a_contained_by",
    "a_overlaps": "a_overlaps",
}
TIMES = {"datetime", "start_datetime", "end_datetime"}

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_:.-]{0,127}")
_STRING = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
# Both overflow the parser's stack, which ends the process, long before they are long.
_REPEATED = re.compile(r"-\s*-|\b(?:not\s+){9}", re.IGNORECASE)


def parse_filter(given: str | Mapping[str, Any], language: Language) -> Node:
    """The filter as CQL2 JSON in the one spelling; raises `InvalidFilter`."""
    node = _from_text(given) if language == "cql2-text" else _from_json(given)
    _check_size(node)
    return _boolean(_with_flat_between(node))


def property_name(name: object) -> str:
    """A property's name without the prefix `properties.`; raises `InvalidFilter`."""
    bare = name.removeprefix("properties.") if isinstance(name, str) else ""
    if not _NAME.fullmatch(bare) or bare == "properties":
        raise InvalidFilter(
            f"{str(name)[:64]!r} is no name of a property",
            hint="names begin with a letter and have letters, digits, and _ : . -",
        )
    return bare


# Parsing -----------------------------------------------------------------------------------------


def _from_text(given: str | Mapping[str, Any]) -> Node:
    import cql2

    if not isinstance(given, str):
        raise InvalidFilter("CQL2 text is expected")
    if len(given) > MOST_TEXT:
        raise InvalidFilter(f"the filter has {len(given)} characters; {MOST_TEXT} are the most")
    _check_nesting(_STRING.sub("''", given))
    try:
        return cql2.parse_text(given).to_json()
    except Exception as error:  # the parser raises no narrower class
        raise InvalidFilter(f"not CQL2 text: {_first_fault(error)}") from error


def _check_nesting(text: str) -> None:
    depth = deepest = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    if deepest > MOST_DEPTH or _REPEATED.search(text):
        raise InvalidFilter(f"the filter is nested deeper than {MOST_DEPTH}")


def _from_json(given: str | Mapping[str, Any]) -> Node:
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except (ValueError, RecursionError) as error:
        raise InvalidFilter("not CQL2 JSON: it cannot be read as JSON") from error


def _check_size(node: Node) -> None:
    """Counts without recursion, and leaves geometries to their own check."""
    level, nodes = [node], 0
    for _ in range(MOST_DEPTH):
        nodes += len(level)
        if nodes > MOST_NODES:
            raise InvalidFilter(f"the filter has more than {MOST_NODES} parts")
        level = [below for one in level for below in _below(one)]
        if not level:
            return
    raise InvalidFilter(f"the filter is nested deeper than {MOST_DEPTH}")


def _below(node: Node) -> list[Node]:
    if isinstance(node, Mapping):
        return [] if "coordinates" in node else list(node.values())
    return list(node) if isinstance(node, list) else []


def _with_flat_between(node: Node) -> Node:
    """`between` with its bounds side by side: drafts of CQL2, and clients, have them in a list."""
    if not isinstance(node, Mapping) or not isinstance(args := node.get("args"), list):
        return node
    if node.get("op") == "between" and len(args) == 2 and isinstance(args[1], list):
        return {**node, "args": [args[0], *args[1]]}
    return {**node, "args": [_with_flat_between(one) for one in args]}


def _first_fault(error: Exception) -> str:
    found = re.search(r"= (expected .*)", str(error))
    place = re.search(r"--> \d+:(\d+)", str(error))
    told = found[1] if found else "it cannot be read"
    return f"at character {place[1]}: {told}" if place else told


# Checking ----------------------------------------------------------------------------------------


def _boolean(node: Node) -> Node:
    """A condition, in the one spelling."""
    if isinstance(node, bool):
        return {"op": "=", "args": [1, int(node)]}  # pgSTAC takes no constants
    op, args = _operation(node)
    if op in LOGICAL:
        if len(args) < 1 or (op == "not" and len(args) > 1):
            raise InvalidFilter(f"{op} takes conditions, not {len(args)} of them")
        return {"op": op, "args": [_boolean(one) for one in args]}
    if op in COMPARISONS:
        return {"op": op, "args": _scalars(args, 2, op)}
    if op == "between":
        return {"op": op, "args": _scalars(args, 3, op)}
    if op == "in":
        _count(args, 2, op)
        if not isinstance(args[1], list) or not args[1]:
            raise InvalidFilter("in takes a value and a list of values")
        first, *values = _scalars([args[0], *args[1]], len(args[1]) + 1, op)
        return {"op": op, "args": [first, values]}
    if op == "like":
        value, pattern = _scalars(args, 2, op)
        if _is_time(value):
            raise InvalidFilter("like compares text, and the property is a time")
        _check_pattern(pattern)
        return {"op": op, "args": [value, pattern]}
    if op == "isnull":
        return {"op": "isNull", "args": _scalars(args, 1, op)}
    if op in SPATIAL:
        return _spatial(op, args)
    if op in TEMPORAL:
        _count(args, 2, op)
        return {"op": op, "args": [_temporal(one) for one in args]}
    if op in ARRAYS:
        _count(args, 2, op)
        return {"op": ARRAYS[op], "args": [_array(one) for one in args]}
    raise _refused(op)


def _operation(node: Node) -> tuple[str, list[Node]]:
    if not isinstance(node, Mapping) or not isinstance(node.get("op"), str):
        raise InvalidFilter("a filter is made of conditions, each with op and args: no lone values")
    args = node.get("args")
    if not isinstance(args, list):
        raise InvalidFilter(f"{node['op'][:32]!r} takes a list of args")
    return node["op"].lower(), args


def _scalars(args: list[Node], count: int, op: str) -> list[Node]:
    _count(args, count, op)
    checked = [_scalar(one) for one in args]
    if op != "isnull" and not any(isinstance(one, dict) for one in checked):
        raise InvalidFilter(f"{op} takes a property")
    if not any(_is_time(one) for one in checked):
        return checked
    return [one if isinstance(one, dict) else {"timestamp": _moment(one)} for one in checked]


def _is_time(node: Node) -> bool:
    return isinstance(node, dict) and node.get("property") in TIMES


def _scalar(node: Node) -> Node:
    """A value: a literal, a property, or what is computed of them."""
    if isinstance(node, (str, bool)):
        return node
    if isinstance(node, (int, float)):
        return _number(node)
    if not isinstance(node, Mapping):
        raise InvalidFilter(f"{json.dumps(node)[:64]} is no single value")
    if "property" in node:
        return {"property": property_name(node["property"])}
    if "timestamp" in node:
        return {"timestamp": _moment(node["timestamp"])}
    if "date" in node:
        return {"timestamp": _moment(node["date"], first_of_day)}
    op, args = _operation(node)
    if op in TEXT:
        _count(args, 1, op)
        return {"op": op, "args": [_scalar(args[0])]}
    if op in ARITHMETIC:
        return {"op": op, "args": _scalars(args, 2, op)}
    raise _refused(op)


def _number(value: float) -> float:
    if not -1e300 < value < 1e300:
        raise InvalidFilter("a number is too large")
    return int(value) if float(value).is_integer() and abs(value) < 1e15 else float(value)


def _check_pattern(pattern: Node) -> None:
    while isinstance(pattern, Mapping) and pattern.get("op") in TEXT:
        pattern = pattern["args"][0]
    if not isinstance(pattern, str):
        raise InvalidFilter("like takes a pattern in quotes")
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise InvalidFilter("a pattern may not end in a lone backslash")


def _spatial(op: str, args: list[Node]) -> Node:
    """The property `geometry` first, then a geometry."""
    _count(args, 2, op)
    left, right = args
    if isinstance(right, Mapping) and "property" in right:
        op, left, right = SPATIAL[op], right, left
    if not isinstance(left, Mapping) or left.get("property") != "geometry":
        raise InvalidFilter(f"{op} takes the property geometry")
    if not isinstance(right, Mapping):
        raise InvalidFilter(f"{op} takes a geometry")
    try:
        geometry = box_geometry(right["bbox"]) if "bbox" in right else checked_geometry(right)
    except InvalidRequest as error:
        raise InvalidFilter(error.message, hint=error.hint) from error
    return {"op": op, "args": [{"property": "geometry"}, geometry]}


def _temporal(node: Node) -> Node:
    """A property that is a time, a timestamp, a date, or an interval of these."""
    if isinstance(node, Mapping):
        if "property" in node and (name := property_name(node["property"])) in TIMES:
            return {"property": name}
        if "timestamp" in node:
            return {"timestamp": _moment(node["timestamp"])}
        if "date" in node:
            return {"interval": _day(node["date"])}
        if isinstance(node.get("interval"), list) and len(node["interval"]) == 2:
            return {"interval": _interval(*node["interval"])}
    raise InvalidFilter(f"a time is {', '.join(sorted(TIMES))}, a timestamp, date or interval")


def _interval(start: Node, end: Node) -> list[Node]:
    first, last = _end(start, first_of_day), _end(end, last_of_day)
    closed = isinstance(first, str) and isinstance(last, str) and ".." not in (first, last)
    if closed and first > last:
        raise InvalidFilter("an interval ends before it begins")
    return [first, last]


def _end(node: Node, of_day: Any) -> Node:
    if isinstance(node, Mapping):
        checked = _temporal(node)
        if "property" in checked:
            return checked
        if "timestamp" in checked:
            return checked["timestamp"]
    if node in ("..", ""):
        return ".."
    if isinstance(node, str):
        return _moment(node, of_day if len(node) == len("2050-01-01") else moment)
    raise InvalidFilter("an interval is between two timestamps, dates or properties")


def _day(text: Node) -> list[str]:
    return [_moment(text, first_of_day), _moment(text, last_of_day)]


def _moment(text: Node, read: Any = moment) -> str:
    try:
        return str(read(text))
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidFilter(f"{str(text)[:40]!r} is no time as RFC 3339 has it") from error


def _array(node: Node) -> Node:
    if isinstance(node, Mapping) and "property" in node:
        return {"property": property_name(node["property"])}
    if isinstance(node, list) and all(isinstance(one, (str, int, float, bool)) for one in node):
        return [one if isinstance(one, (str, bool)) else _number(one) for one in node]
    raise InvalidFilter("an array is a property, or a list of single values")


def _count(args: list[Node], count: int, op: str) -> None:
    if len(args) != count:
        raise InvalidFilter(f"{op} takes {count} args, not {len(args)}")


def _refused(op: str) -> InvalidFilter:
    offered = [*LOGICAL, *COMPARISONS, *ARITHMETIC, *TEXT, *SPATIAL, *TEMPORAL, "a_equals"]
    offered += ["a_contains", "a_containedBy", "a_overlaps", "between", "in", "isNull", "like"]
    return InvalidFilter(
        f"the operator or function {op[:64]!r} is not offered",
        hint=f"there are {', '.join(sorted(offered))}",
    )
