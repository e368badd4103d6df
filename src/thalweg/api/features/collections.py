"""A table of features as a collection of tipg: what both backends have in common."""

from __future__ import annotations

from typing import Any

from morecantile import Tile, TileMatrixSet
from tipg.collections import Column

from thalweg.errors import NoSuchTile
from thalweg.features.tables import ARROW, GEOMETRY, ID, FeatureTable, Kind

_TYPES: dict[Kind, str] = {
    "integer": "bigint",
    "number": "float8",
    "text": "text",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamptz",
}
_SCHEMAS: dict[Kind, dict[str, str]] = {
    "integer": {"type": "integer", "format": "int64"},
    "number": {"type": "number"},
    "text": {"type": "string"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
}
assert set(_TYPES) == set(_SCHEMAS) == set(ARROW)
_WORLD = (-180.0, -90.0, 180.0, 90.0)


def described(table: FeatureTable) -> dict[str, Any]:
    """The fields of a `Collection` of tipg."""
    columns = [Column(name=ID, type="bigint")]
    columns += [Column(name=one.name, type=_TYPES[one.kind]) for one in table.columns]
    geometry = Column(
        name=GEOMETRY,
        type="geometry",
        geometry_type="Geometry",
        srid=4326,
        bounds=list(table.bounds or _WORLD),
    )
    times = [one for one in columns if one.is_datetime]
    return {
        "type": "Table",
        "id": table.name,
        "table": table.name,
        "title": table.title,
        "description": table.description or None,
        "table_columns": [*columns, geometry],
        "properties": [*columns, geometry],
        "id_column": columns[0],
        "geometry_column": geometry,
        "datetime_column": times[0] if times else None,
    }


def queryables(table: FeatureTable) -> dict[str, dict[str, str]]:
    """What a filter may name, as properties of a JSON Schema."""
    return {
        GEOMETRY: {"$ref": "https://geojson.org/schema/Geometry.json"},
        ID: {"title": ID, **_SCHEMAS["integer"]},
        **{one.name: {"title": one.name, **_SCHEMAS[one.kind]} for one in table.columns},
    }


def schema(table: FeatureTable, url: str) -> dict[str, Any]:
    """The JSON Schema of a table's features (OGC API - Features - Part 5)."""
    held = {
        name: {**told, **({"x-ogc-role": "id"} if name == ID else {})}
        for name, told in queryables(table).items()
        if name != GEOMETRY
    }
    geometry = {"x-ogc-role": "primary-geometry", "format": "geometry-any"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": url,
        "type": "object",
        "title": table.title,
        "description": table.description,
        "properties": {
            **{
                name: {**told, "x-ogc-propertySeq": at}
                for at, (name, told) in enumerate(held.items(), start=1)
            },
            GEOMETRY: geometry,
        },
    }


def check_tile(tms: TileMatrixSet, tile: Tile) -> None:
    """Raises `NoSuchTile` for what lies beyond the tile matrix."""
    if tms.minzoom <= tile.z <= tms.maxzoom:
        limits = tms.minmax(tile.z)
        x, y = limits["x"], limits["y"]
        if x["min"] <= tile.x <= x["max"] and y["min"] <= tile.y <= y["max"]:
            return
    raise NoSuchTile(
        f"there is no tile {tile.z}/{tile.x}/{tile.y}",
        hint=f"{tms.id} has the zooms {tms.minzoom} to {tms.maxzoom}",
    )
