"""The properties that items have, and of what type: what a filter may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from thalweg.catalog.cql2_sqlite import COLUMNS

_SEEN = text(
    "SELECT DISTINCT key, type FROM items, json_each(items.document, '$.properties') "
    "WHERE :collection IS NULL OR collection_id = :collection"
)
_TYPES = {
    "integer": "number",
    "real": "number",
    "true": "boolean",
    "false": "boolean",
    "array": "array",
    "object": "object",
    "text": "string",
}
_OF_EVERY_ITEM: Mapping[str, dict[str, Any]] = {
    "id": {
        "title": "Item ID",
        "description": "Item identifier",
        "$ref": "https://schemas.stacspec.org/v1.0.0/item-spec/json-schema/item.json"
        "#/definitions/core/allOf/2/properties/id",
    },
    "geometry": {
        "title": "Item Geometry",
        "description": "Item Geometry",
        "$ref": "https://geojson.org/schema/Feature.json#/properties/geometry",
    },
    "datetime": {
        "title": "Acquired",
        "description": "Datetime",
        "type": "string",
        "format": "date-time",
        "pattern": "(\\+00:00|Z)$",
    },
}


def property_types(connection: Connection, collection_id: str | None = None) -> dict[str, str]:
    """The JSON type of every property that items of a collection (or all) have, by name.

    `string` where items differ.
    """
    seen: dict[str, set[str]] = {}
    for name, kind in connection.execute(_SEEN, {"collection": collection_id}):
        if kind != "null" and name not in COLUMNS:
            seen.setdefault(name, set()).add(_TYPES[kind])
    return {
        name: kinds.pop() if len(kinds) == 1 else "string" for name, kinds in sorted(seen.items())
    }


def known_types(connection: Connection) -> dict[str, str]:
    """`property_types` of all items, looked up again only after a change of the database."""
    version = (
        connection.exec_driver_sql("PRAGMA data_version").scalar_one(),  # changes of others
        connection.exec_driver_sql("SELECT total_changes()").scalar_one(),  # and of one's own
    )
    known: tuple[tuple[int, int], dict[str, str]] | None = connection.info.get("types")
    if known is None or known[0] != version:
        known = connection.info["types"] = (version, property_types(connection))
    return known[1]


def queryables_document(types: Mapping[str, str]) -> dict[str, Any]:
    """The JSON Schema of what a filter may name."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "title": "STAC Queryables.",
        "properties": {**_OF_EVERY_ITEM, **{name: {"type": one} for name, one in types.items()}},
        "additionalProperties": True,
    }
