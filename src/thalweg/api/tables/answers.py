"""Rows of tables as answers: JSON, GeoJSON, CSV, GeoParquet and Arrow, a page at a time."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pyarrow as pa
import shapely
from fastapi import Request, Response

from thalweg.api.caching import cache_headers, etag_of, is_held
from thalweg.api.tables.asked import Format, to_token
from thalweg.hexagons.cells import cell_polygons
from thalweg.hexagons.export import written
from thalweg.hexagons.queries import Query, Reader, Value

MEDIA_TYPES: Mapping[Format, str] = {
    "json": "application/json",
    "geojson": "application/geo+json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
FORMATS: dict[str, Any] = {
    media_type.partition(";")[0]: {} for name, media_type in MEDIA_TYPES.items() if name != "json"
}
# A centimetre or so.
_DECIMALS = 7


def page(
    request: Request, reader: Reader, query: Query, limit: int, kind: Format, **told: Any
) -> Response:
    """One page of rows of cells; `told` goes into the JSON beside them."""
    etag = etag_of(str(request.url), *sorted(str(one.path) for one in query.tables))
    headers = cache_headers(request, etag)
    if is_held(request, etag):
        return Response(status_code=304, headers=headers)
    # One more than asked for says whether there is more.
    found = reader.rows(query, limit + 1)
    rows, links = found[:limit], [{"rel": "self", "href": str(request.url)}]
    if len(found) > limit:
        last = rows.slice(limit - 1)
        token = to_token((last["cell"][0].as_py(), last["series"][0].as_py()))
        url = str(request.url.include_query_params(token=token))
        links.append({"rel": "next", "href": url})
        headers["Link"] = f'<{url}>; rel="next"'
    body = _body(rows, query, kind, {**told, "links": links})
    return Response(body, headers=headers, media_type=MEDIA_TYPES[kind])


def document(request: Request, query: Query | None, body: Mapping[str, Any]) -> Response:
    """A JSON document, which holds as long as the tables do that it was made from."""
    paths = sorted(str(one.path) for one in query.tables) if query else []
    text = orjson.dumps(body)
    etag = etag_of(str(request.url), *paths, text.decode())
    headers = cache_headers(request, etag)
    if is_held(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(text, headers=headers, media_type=MEDIA_TYPES["json"])


def value_json(value: Value) -> dict[str, Any]:
    """What a column is."""
    return {
        "name": value.name,
        "statistic": value.statistic,
        "label": value.label,
        "return_period": value.return_period,
        "unit": value.unit,
        "description": value.description,
    }


def records(rows: pa.Table) -> list[dict[str, Any]]:
    """The rows as JSON has them; the cell's number as text, since it is too long for some."""
    columns = [
        map(str, column.to_pylist()) if name == "cell" else column.to_pylist()
        for name, column in zip(rows.column_names, rows.columns, strict=True)
    ]
    names = rows.column_names
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _body(rows: pa.Table, query: Query, kind: Format, told: Mapping[str, Any]) -> bytes:
    if kind == "json":
        columns = [value_json(one) for one in query.values]
        numbers = {"columns": columns, "numberReturned": len(rows), "cells": records(rows)}
        return orjson.dumps({**told, **numbers})
    if kind == "geojson":
        return _geojson(rows, told)
    if kind == "arrow":
        return _arrow(rows)
    return _file(rows, f".{kind}")


def _geojson(rows: pa.Table, told: Mapping[str, Any]) -> bytes:
    outlines = cell_polygons(rows["cell"].to_numpy())
    rounded = shapely.to_geojson(
        shapely.transform(outlines, lambda points: points.round(_DECIMALS))
    )
    features = [
        {
            "type": "Feature",
            "id": f"{row['h3']}:{row['series']}",
            "geometry": orjson.Fragment(geometry),
            "properties": row,
        }
        for row, geometry in zip(records(rows), shapely.to_geojson(rounded).tolist(), strict=True)
    ]
    return orjson.dumps(
        {
            "type": "FeatureCollection",
            "features": features,
            "numberReturned": len(features),
            "links": told["links"],
        }
    )


def _arrow(rows: pa.Table) -> bytes:
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, rows.schema) as writer:
        writer.write_table(rows)
    return stream.getvalue()


def _file(rows: pa.Table, suffix: str) -> bytes:
    with TemporaryDirectory(prefix="thalweg-") as folder:
        path = Path(folder) / f"cells{suffix}"
        written(rows, path, shape="centroid" if suffix == ".csv" else "polygon")
        return path.read_bytes()
