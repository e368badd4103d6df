"""What SQLite lacks to answer CQL2: functions that a connection of the catalogue is given."""

from __future__ import annotations

import json
import re
import sqlite3
import unicodedata
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from thalweg.catalog.geometries import box_geometry
from thalweg.catalog.moments import EVER, NEVER, moment

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_SPELLED = "ß:ss æ:ae Æ:AE œ:oe Œ:OE ø:o Ø:O ł:l Ł:L đ:d Đ:D"
_LETTERS = str.maketrans(dict(pair.split(":") for pair in _SPELLED.split()))


def add_functions(connection: sqlite3.Connection) -> None:
    """Add all of them; each gives NULL where an argument is NULL."""
    functions: dict[str, tuple[int, Callable[..., Any]]] = {
        "spatial": (3, _spatial),
        "arrays": (3, _arrays),
        "like_as_sql": (2, _like),
        "upper_as_sql": (1, lambda value: str(value).upper()),
        "unaccent": (1, _unaccent),
        "as_text": (2, _as_text),
        "collection_geometry": (1, _collection_geometry),
        "collection_starts": (1, partial(_collection_time, end=0)),
        "collection_ends": (1, partial(_collection_time, end=1)),
    }
    for name, (count, function) in functions.items():
        connection.create_function(name, count, _null_safe(function), deterministic=True)


def _null_safe(function: Callable[..., Any]) -> Callable[..., Any]:
    def called(*args: Any) -> Any:
        return None if None in args else function(*args)

    return called


def _as_text(kind: str, value: Any) -> str | None:
    """A JSON value as PostgreSQL's `->>` tells it."""
    if kind in ("true", "false"):
        return kind
    return None if kind == "null" else str(value)


def _unaccent(value: Any) -> str:
    apart = unicodedata.normalize("NFD", str(value).translate(_LETTERS))
    return "".join(one for one in apart if not unicodedata.combining(one))


def _like(value: Any, pattern: str) -> bool:
    return _pattern(pattern).fullmatch(str(value)) is not None


@lru_cache(64)
def _pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of LIKE: `%` any text, `_` any character, `\\` takes the next one as it is."""
    parts, literal = [], False
    for character in pattern:
        if literal or character not in "%_\\":
            parts.append(re.escape(character))
            literal = False
        elif character == "\\":
            literal = True
        elif character == "%" and parts[-1:] != [".*?"]:
            parts.append(".*?")
        elif character == "_":
            parts.append(".")
    return re.compile("".join(parts), re.DOTALL)


def _arrays(op: str, left: str, right: str) -> bool:
    one, other = _texts(left), _texts(right)
    if op == "a_equals":
        return one == other
    if op == "a_contains":
        return set(one) >= set(other)
    if op == "a_contained_by":
        return set(one) <= set(other)
    return bool(set(one) & set(other))


def _texts(document: str) -> list[str | None]:
    value = json.loads(document)
    return [_text(one) for one in (value if isinstance(value, list) else [value])]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _spatial(op: str, place: str, other: bytes) -> bool:
    import shapely

    relation = getattr(shapely, op.removeprefix("s_"))
    return bool(relation(shapely.from_geojson(place), shape(other)))


@lru_cache(64)
def shape(wkb: bytes) -> BaseGeometry:
    """The shape of a WKB, prepared."""
    import shapely

    shape = shapely.from_wkb(wkb)
    shapely.prepare(shape)
    return shape


def _collection_geometry(document: str) -> str:
    return json.dumps(box_geometry(json.loads(document)["extent"]["spatial"]["bbox"][0]))


def _collection_time(document: str, *, end: int) -> str:
    text = json.loads(document)["extent"]["temporal"]["interval"][0][end]
    return moment(text) if text else (EVER, NEVER)[end]
