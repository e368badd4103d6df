"""What a request for features asks for: all its conditions as one filter, checked once for both
backends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Query

from thalweg.catalog.cql2 import Node, parse_filter
from thalweg.catalog.geometries import box_geometry
from thalweg.catalog.moments import first_of_day, last_of_day, moment
from thalweg.errors import FeatureNotFound, InvalidRequest
from thalweg.features.filters import checked_filter
from thalweg.features.selecting import Sort, total_order
from thalweg.features.tables import GEOMETRY, ID, FeatureTable, Kind

MOST_OFFSET = 1 << 40
MOST_IDS = 1000
MOST_ON_TILE = 10_000
_FIRST, _LAST = -(1 << 53), 1 << 53  # what JSON tells exactly
_DATE = "2050-01-01"


# Parameters, in the place of tipg's ---------------------------------------------------------------


def filter_query(
    query: Annotated[str | None, Query(alias="filter")] = None,
    filter_lang: Annotated[
        Literal["cql2-text", "cql2-json"] | None, Query(alias="filter-lang")
    ] = None,
) -> Node:
    """The filter, of what is on the one list; raises `InvalidFilter`."""
    return parse_filter(query, filter_lang or "cql2-text") if query else None


def bbox_query(bbox: Annotated[str | None, Query()] = None) -> list[float] | None:
    """A box on the globe; raises `InvalidRequest`."""
    if not bbox:
        return None
    try:
        numbers = [float(one) for one in bbox.split(",")]
    except ValueError as error:
        raise InvalidRequest("bbox: give numbers, by commas") from error
    box_geometry(numbers)  # looks whether it is on the globe
    return numbers


def datetime_query(datetime: Annotated[str | None, Query()] = None) -> list[str] | None:
    """The first and last moment, each empty where it is open; raises `InvalidRequest`."""
    if not datetime:
        return None
    ends = datetime.split("/")
    if len(ends) > 2 or all(one in ("", "..") for one in ends):
        raise InvalidRequest(
            "datetime is a date, a time, or two of these by a slash",
            hint="2050-01-01, 2050-01-01T00:00:00Z, ../2050-01-01, 2050-01-01/2051-01-01",
        )
    first, last = _moment(ends[0], first_of_day), _moment(ends[-1], last_of_day)
    if first and last and first > last:
        raise InvalidRequest("datetime ends before it begins")
    return [first, last]


def _moment(text: str, of_day: Any) -> str:
    if text in ("", ".."):
        return ""
    try:
        return str(of_day(text) if len(text) == len(_DATE) else moment(text))
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(f"datetime: {text[:40]!r} is no time as RFC 3339 has it") from error


# A whole question ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """Features of a table: those that a checked filter finds, in an order, with some properties.

    `properties` of None are all. `geometry` tells whether geometries are wanted.
    """

    where: Node
    sort: tuple[Sort, ...]
    properties: tuple[str, ...] | None
    geometry: bool
    limit: int
    offset: int = 0
    simplify: float = 0.0

    def sortby(self) -> str:
        """The order as tipg takes it."""
        return ",".join(f"{'-' if down else '+'}{name}" for name, down in self.sort)


def asked_of(
    table: FeatureTable,
    *,
    ids_filter: list[str] | None = None,
    bbox_filter: list[float] | None = None,
    datetime_filter: list[str] | None = None,
    properties_filter: Sequence[tuple[str, str]] | None = None,
    cql_filter: Node = None,
    sortby: str | None = None,
    properties: list[str] | None = None,
    geom: str | None = None,
    dt: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
    simplify: float | None = None,
) -> Asked:
    """What tipg's routes give to a collection as one question.

    Raises `InvalidRequest`, `InvalidFilter` and `FeatureNotFound`.
    """
    if simplify is not None and not 0 <= simplify < math.inf:
        raise InvalidRequest("simplify is a number, not below 0")
    if (offset or 0) > MOST_OFFSET:
        raise InvalidRequest("offset is beyond the end of any table")
    conditions = [
        cql_filter,
        _of_ids(ids_filter),
        _of_box(bbox_filter),
        *_of_times(table, datetime_filter, dt),
        *(_of_property(table, name, value) for name, value in properties_filter or ()),
    ]
    given = [one for one in conditions if one is not None]
    where = given[0] if len(given) == 1 else {"op": "and", "args": given}
    return Asked(
        where=checked_filter(where, table) if given else None,
        sort=_sort(table, sortby),
        properties=_properties(table, properties),
        geometry=geom != "none",
        limit=limit or 0,
        offset=offset or 0,
        simplify=simplify or 0.0,
    )


def _of_ids(given: list[str] | None) -> Node:
    if given is None:
        return None
    if len(given) > MOST_IDS:
        raise InvalidRequest(f"ids has {len(given)} ids", hint=f"give {MOST_IDS} at most")
    return {"op": "in", "args": [{"property": ID}, [_id(one) for one in given]]}


def _id(text: str) -> int:
    """Ids are whole numbers: there is no feature of any other."""
    if text.isascii() and text.removeprefix("-").isdigit() and len(text) < len(str(_LAST)) + 1:
        return int(text)
    raise FeatureNotFound(f"there is no feature {text[:64]!r}")


def _of_box(given: list[float] | None) -> Node:
    if given is None:
        return None
    return {"op": "s_intersects", "args": [{"property": GEOMETRY}, box_geometry(given)]}


def _of_times(table: FeatureTable, given: list[str] | None, name: str | None) -> list[Node]:
    """Where a table has no times, a moment is no condition, as OGC API Features has it."""
    held = [one.name for one in table.columns if one.kind in ("date", "timestamp")]
    if name is not None and name not in held:
        raise InvalidRequest(
            f"datetime-column: {name[:64]!r} is no column of times",
            hint=f"there are {', '.join(held)}" if held else "the table has none",
        )
    if given is None or not held:
        return []
    column = {"property": name or held[0]}
    first, last = given
    return [
        {"op": op, "args": [column, {"timestamp": end}]}
        for op, end in ((">=", first), ("<=", last))
        if end
    ]


def _of_property(table: FeatureTable, name: str, text: str) -> Node:
    kinds = {ID: "integer", **{one.name: one.kind for one in table.columns}}
    if name not in kinds:
        raise InvalidRequest(f"{name[:64]!r} is no property to ask for")
    return {"op": "=", "args": [{"property": name}, _literal(text, kinds[name], name)]}


def _literal(text: str, kind: Kind | str, name: str) -> Node:
    if kind in ("integer", "number"):
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not _FIRST <= number <= _LAST:
            raise InvalidRequest(f"{name}: {text[:40]!r} is no number")
        return int(number) if number.is_integer() else number
    if kind == "boolean":
        if text not in ("true", "false"):
            raise InvalidRequest(f"{name} is true or false")
        return text == "true"
    return text


def _sort(table: FeatureTable, given: str | None) -> tuple[Sort, ...]:
    held = {ID, *(one.name for one in table.columns)}
    sort: list[Sort] = []
    for part in (given or "").split(","):
        name = part.strip().lstrip("+-")
        if not name:
            continue
        if name not in held:
            raise InvalidRequest(
                f"sortby: there is no property {name[:64]!r}",
                hint=f"there are {', '.join(sorted(held))}",
            )
        sort.append((name, part.strip().startswith("-")))
    return tuple(total_order(sort))


def _properties(table: FeatureTable, given: list[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    held = {ID, *(one.name for one in table.columns)}
    wanted = [name for name in given if name]
    for name in wanted:
        if name not in held:
            raise InvalidRequest(
                f"properties: there is no property {name[:64]!r}",
                hint=f"there are {', '.join(sorted(held))}",
            )
    return tuple(wanted)
