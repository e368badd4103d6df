"""What a STAC request asks for, read and checked once for both backends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request
from stac_fastapi.types.rfc3339 import str_to_interval

from thalweg.api.services import services_of
from thalweg.catalog.cql2 import Node, parse_filter, property_name
from thalweg.catalog.geometries import GeoJson, box_geometry, checked_geometry
from thalweg.catalog.item_search import ItemSearch, Sort
from thalweg.catalog.moments import EVER, NEVER, moment
from thalweg.errors import InvalidFilter, InvalidRequest

MOST_LIMIT = MOST_OFFSET = 1_000_000
MOST_IDS = 1000
_LONGEST_ID = 256
_QUERY = {
    "eq": "=",
    "ne": "<>",
    "neq": "<>",
    "lt": "<",
    "lte": "<=",
    "gt": ">",
    "gte": ">=",
}
_IN_BODY = {
    "bbox",
    "collections",
    "datetime",
    "fields",
    "filter",
    "filter-crs",
    "filter-lang",
    "ids",
    "intersects",
    "limit",
    "query",
    "sortby",
    "token",
}
_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


@dataclass(frozen=True)
class Asked:
    """A search, and which fields of what it finds are wanted."""

    search: ItemSearch
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    offset: int = 0

    @property
    def fields(self) -> bool:
        return bool(self.include or self.exclude)


async def of_body(request: Request) -> Asked:
    """What a POST asks for."""
    return of_json(request, await request.json())


def of_json(request: Request, body: Any) -> Asked:
    """What a search asks for, in the form that a POST has."""
    if not isinstance(body, Mapping):
        raise InvalidRequest("a search is a JSON object")
    unknown = sorted(set(body) - _IN_BODY)
    if unknown:
        raise InvalidRequest(
            f"a search takes no {unknown[0]!r}", hint=f"it takes {', '.join(sorted(_IN_BODY))}"
        )
    fields = body.get("fields") or {}
    return _asked(
        request,
        body,
        sort=[
            _sort(one["field"], one.get("direction") == "desc") for one in body.get("sortby") or ()
        ],
        include=fields.get("include") or (),
        exclude=fields.get("exclude") or (),
        language="cql2-text" if isinstance(body.get("filter"), str) else "cql2-json",
    )


def of_parameters(request: Request, **given: Any) -> Asked:
    """What a GET asks for; `given` are its parameters as stac-fastapi reads them."""
    fields = given.pop("fields", None) or ()
    given["filter"] = given.pop("filter_expr", None)
    given["limit"] = request.query_params.get("limit") or given.get("limit")
    for name in ("query", "intersects"):
        given[name] = _json(name, given[name]) if given.get(name) else None
    return _asked(
        request,
        given,
        sort=[_sort(one.lstrip("+- "), one.startswith("-")) for one in given.get("sortby") or ()],
        include=[one.removeprefix("+").strip() for one in fields if not one.startswith("-")],
        exclude=[one[1:] for one in fields if one.startswith("-")],
        language=given.get("filter_lang") or "cql2-text",
    )


def _asked(
    request: Request,
    given: Mapping[str, Any],
    *,
    sort: Sequence[Sort],
    include: Sequence[str],
    exclude: Sequence[str],
    language: Any,
) -> Asked:
    if given.get("query") and given.get("filter"):
        raise InvalidRequest("query and filter exclude each other", hint="put all into the filter")
    if (given.get("filter_crs") or given.get("filter-crs") or _CRS84) != _CRS84:
        raise InvalidRequest(f"filter-crs may only be {_CRS84}")
    condition = given.get("filter")
    search = ItemSearch(
        collections=_ids("collections", given.get("collections")),
        ids=_ids("ids", given.get("ids")),
        place=_place(given.get("bbox"), given.get("intersects")),
        times=_times(given.get("datetime")),
        filter=parse_filter(condition, language) if condition else _of_query(given.get("query")),
        sort=tuple(sort),
        limit=min(
            _whole(given, "limit", 10, 1, MOST_LIMIT), services_of(request).settings.serve.max_items
        ),
        token=given.get("token") or "",
    )
    wanted = frozenset(_field(one) for one in include if one)
    return Asked(
        search,
        include=wanted,
        exclude=frozenset(_field(one) for one in exclude if one),
        offset=_whole(given, "offset", 0, 0, MOST_OFFSET),
    )


def _whole(given: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    number = default if given.get(name) is None else int(given[name])
    if not least <= number <= most:
        raise InvalidRequest(f"{name} is {number}", hint=f"give {least} to {most}")
    return number


def _ids(name: str, given: Sequence[str] | None) -> tuple[str, ...] | None:
    if not given:
        return None
    if len(given) > MOST_IDS or any(len(one) > _LONGEST_ID for one in given):
        raise InvalidRequest(
            f"{name} has {len(given)} ids",
            hint=f"give {MOST_IDS} at most, of {_LONGEST_ID} characters at most",
        )
    return tuple(given)


def _place(bbox: Sequence[float] | None, intersects: Any) -> GeoJson | None:
    if bbox and intersects:
        raise InvalidRequest("bbox and intersects exclude each other")
    if bbox:
        return box_geometry(bbox)
    if not intersects:
        return None
    if not isinstance(intersects, Mapping):
        raise InvalidRequest("intersects is a GeoJSON geometry")
    return checked_geometry(intersects)


def _times(given: str | None) -> tuple[str, str] | None:
    if not given:
        return None
    str_to_interval(given)  # the standard's rules, and errors that say which is broken
    ends = given.split("/")
    first, last = ends[0], ends[-1]
    return (
        EVER if first in ("", "..") else moment(first),
        NEVER if last in ("", "..") else moment(last),
    )


def _of_query(query: Any) -> Node:
    """The deprecated `query` as a filter."""
    if not query:
        return None
    if not isinstance(query, Mapping):
        raise InvalidRequest("query is a JSON object")
    conditions = []
    for name, comparisons in query.items():
        for op, value in _comparisons(name, comparisons):
            conditions.append({"op": op, "args": [{"property": name}, value]})
    if len(conditions) > 1:
        return parse_filter({"op": "and", "args": conditions}, "cql2-json")
    return parse_filter(conditions[0], "cql2-json") if conditions else None


def _comparisons(name: str, comparisons: Any) -> list[tuple[str, Any]]:
    if not isinstance(comparisons, Mapping) or set(comparisons) - set(_QUERY):
        raise InvalidRequest(f"query: {str(name)[:64]} takes {', '.join(_QUERY)}")
    return [(_QUERY[op], value) for op, value in comparisons.items()]


def _sort(name: str, descending: bool) -> Sort:
    return Sort(_field(name).removeprefix("properties."), descending)


def _field(name: str) -> str:
    try:
        property_name("x" if name == "properties" else name)
    except InvalidFilter as error:
        raise InvalidRequest(error.message, hint=error.hint) from error
    return name


def _json(name: str, text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"{name} is no JSON") from error
