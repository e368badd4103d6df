"""Searching items in SQLite: one statement a page, in a total order, from a token on."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from thalweg.catalog.cql2 import Node
from thalweg.catalog.cql2_sqlite import Compiler
from thalweg.catalog.geometries import GeoJson
from thalweg.errors import InvalidRequest

type Document = dict[str, Any]

_TIEBREAKERS = ("collection", "id")
# Collections in the shape of items, so that one compiler finds both.
_COLLECTIONS = """WITH found AS (
    SELECT id, 'collections' AS collection_id, document AS whole,
        collection_starts(document) AS starts, collection_ends(document) AS ends,
        json_object(
            'geometry', json(collection_geometry(document)), 'properties', json(document)
        ) AS document
    FROM collections
)"""


@dataclass(frozen=True)
class Sort:
    """One property to sort by; what lacks it comes last, or first where `descending`."""

    name: str
    descending: bool = False


@dataclass(frozen=True)
class ItemSearch:
    """What is asked for. All conditions hold at once; `ids` and `collections` of None: any.

    `times` are the first and last moment as `moments.moment` writes them. `place` and `filter` are
    checked already. `token` is of a page's `next` or `previous`.
    """

    collections: Sequence[str] | None = None
    ids: Sequence[str] | None = None
    place: GeoJson | None = None
    times: tuple[str, str] | None = None
    filter: Node = None
    sort: Sequence[Sort] = ()
    limit: int = 10
    token: str = ""


@dataclass(frozen=True)
class Page:
    """The items of one page, and the tokens of those beside it; empty where there is none."""

    items: list[Document]
    next: str = ""
    previous: str = ""


@dataclass(frozen=True)
class Found:
    """Some of the collections that were found, and how many there are of them."""

    collections: list[Document]
    matched: int


@dataclass
class _Order:
    """The order of the rows: SQL values, and whether each descends."""

    keys: list[str]
    descending: list[bool] = field(default_factory=list)

    def sql(self, *, backwards: bool) -> str:
        parts = []
        for key, descending in zip(self.keys, self.descending, strict=True):
            down = descending != backwards
            parts.append(f"{key} {'DESC NULLS FIRST' if down else 'ASC NULLS LAST'}")
        return ", ".join(parts)


def search_items(connection: Connection, search: ItemSearch, types: Mapping[str, str]) -> Page:
    """One page of a search; `types` are the JSON types of properties.

    Raises `InvalidFilter`, and `InvalidRequest` for a token that is none of this search.
    """
    compiler = Compiler(types)
    conditions = _conditions(compiler, search)
    order = _order(compiler, search.sort)
    backwards = False
    if search.token:
        backwards, values = _read_token(search.token, len(order.keys))
        conditions.append(_beyond(compiler, order, values, backwards))
    keys = ", ".join(f"{key} AS k{n}" for n, key in enumerate(order.keys))
    sql = (
        f"SELECT document AS whole, {keys} FROM items WHERE {' AND '.join(conditions)} "  # noqa: S608 - of placeholders and plain names
        f"ORDER BY {order.sql(backwards=backwards)} LIMIT {compiler.bind(search.limit + 1)}"
    )
    rows = connection.exec_driver_sql(sql, compiler.values).all()
    more, rows = len(rows) > search.limit, rows[: search.limit]
    if backwards:
        rows = rows[::-1]
    return Page(
        [json.loads(row.whole) for row in rows],
        next=_token("next", rows[-1]) if rows and (more or backwards) else "",
        previous=_token("prev", rows[0])
        if rows and search.token and (more or not backwards)
        else "",
    )


def search_collections(connection: Connection, search: ItemSearch, offset: int) -> Found:
    """The collections that a search finds, from an offset on; it has no ids and no token."""
    compiler = Compiler({}, boxes=False)
    where = " AND ".join(_conditions(compiler, search))
    order = _order(compiler, search.sort, ("id",)).sql(backwards=False)
    matched = connection.exec_driver_sql(
        f"{_COLLECTIONS} SELECT count(*) FROM found WHERE {where}",  # noqa: S608 - as above
        compiler.values,
    ).scalar_one()
    rows = connection.exec_driver_sql(
        f"{_COLLECTIONS} SELECT whole FROM found WHERE {where} ORDER BY {order} "  # noqa: S608
        f"LIMIT {compiler.bind(search.limit)} OFFSET {compiler.bind(offset)}",
        compiler.values,
    )
    return Found([json.loads(whole) for whole in rows.scalars()], int(matched))


def _conditions(compiler: Compiler, search: ItemSearch) -> list[str]:
    conditions = ["starts IS NOT NULL"]
    for column, wanted in (("collection_id", search.collections), ("id", search.ids)):
        if wanted is not None:
            conditions.append(f"{column} IN ({', '.join(compiler.bind(one) for one in wanted)})")
    if search.times:
        first, last = search.times
        conditions.append(f"starts <= {compiler.bind(last)} AND ends >= {compiler.bind(first)}")
    if search.place:
        conditions.append(compiler.spatial("s_intersects", search.place))
    if search.filter is not None:
        conditions.append(compiler.condition(search.filter))
    return conditions


def _order(
    compiler: Compiler, sort: Sequence[Sort], tiebreakers: Sequence[str] = _TIEBREAKERS
) -> _Order:
    """Newest first unless asked otherwise, then by `tiebreakers` in the first direction."""
    wanted = list(sort) or [Sort("datetime", descending=True)]
    named = {one.name for one in wanted}
    wanted += [Sort(name, wanted[0].descending) for name in tiebreakers if name not in named]
    return _Order([compiler.value(one.name) for one in wanted], [one.descending for one in wanted])


def _beyond(compiler: Compiler, order: _Order, values: Sequence[Any], backwards: bool) -> str:
    """The rows after those values in the order (before them, where `backwards`)."""
    directions = [one != backwards for one in order.descending]
    if len(set(directions)) == 1 and None not in values and _never_null(order):
        bound = ", ".join(compiler.bind(value) for value in values)
        return f"({', '.join(order.keys)}) {'<' if directions[0] else '>'} ({bound})"
    alternatives, equal = [], "1"
    for key, down, value in zip(order.keys, directions, values, strict=True):
        placeholder = compiler.bind(value)
        alternatives.append(f"({equal} AND {_after(key, placeholder, down, value is None)})")
        equal += f" AND {key} IS {placeholder}"
    return f"({' OR '.join(alternatives)})"


def _never_null(order: _Order) -> bool:
    return set(order.keys) <= {"starts", "ends", "collection_id", "id"}


def _after(key: str, placeholder: str, down: bool, null: bool) -> str:
    """What follows one value: nulls come last going up, and first going down."""
    if down:
        return f"{key} IS NOT NULL" if null else f"{key} < {placeholder}"
    return "0" if null else f"({key} > {placeholder} OR {key} IS NULL)"


def _token(direction: str, row: Any) -> str:
    values = [value for name, value in row._mapping.items() if name != "whole"]
    packed = json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()
    return f"{direction}:{base64.urlsafe_b64encode(packed).decode().rstrip('=')}"


def _read_token(token: str, count: int) -> tuple[bool, list[Any]]:
    """Whether it goes backwards, and the values that it stands at."""
    direction, _, packed = token.partition(":")
    try:
        values = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise _no_token() from error
    whole = isinstance(values, list) and len(values) == count
    if direction not in ("next", "prev") or not whole:
        raise _no_token()
    if not all(value is None or isinstance(value, (str, int, float)) for value in values):
        raise _no_token()
    return direction == "prev", values


def _no_token() -> InvalidRequest:
    return InvalidRequest(
        "the token is none of this search", hint="follow the links next and prev as they are"
    )
