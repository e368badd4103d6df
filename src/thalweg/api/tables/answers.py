"""Rows of tables as answers: JSON, GeoJSON, CSV, GeoParquet and Arrow, a page at a time."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv as pa_csv
import shapely
from fastapi import Request, Response

from thalweg.api.caching import cache_headers, etag_of, is_held
from thalweg.api.tables.asked import Format, to_token
from thalweg.hexagons.cells import cell_polygons
from thalweg.hexagons.export import written
from thalweg.hexagons.queries import Query, Reader, Value
from thalweg.hexagons.sphere import Geometries

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
    """One page of rows; `told` goes into the JSON beside them."""
    etag = etag_of(str(request.url), *sorted(str(one.path) for one in query.tables))
    headers = cache_headers(request, etag)
    if is_held(request, etag):
        return Response(status_code=304, headers=headers)
    # One more than asked for says whether there is more.
    found = reader.rows(query, limit + 1)
    rows, links = found[:limit], [{"rel": "self", "href": str(request.url)}]
    if len(found) > limit:
        last = rows.slice(limit - 1)
        token = to_token((last[query.keys[0]][0].as_py(), last["series"][0].as_py()))
        url = str(request.url.include_query_params(token=token))
        links.append({"rel": "next", "href": url})
        headers["Link"] = f'<{url}>; rel="next"'
    body = _body(reader, rows, query, kind, {**told, "links": links})
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


def _body(
    reader: Reader, rows: pa.Table, query: Query, kind: Format, told: Mapping[str, Any]
) -> bytes:
    if kind == "json":
        return orjson.dumps(
            {
                **told,
                "columns": [value_json(one) for one in query.values],
                "numberReturned": len(rows),
                ("cells" if "cell" in query.keys else "areas"): orjson.Fragment(
                    _listed(reader.as_json(rows))
                ),
            }
        )
    if kind == "geojson":
        return _geojson(reader, rows, told)
    if kind == "arrow":
        return _arrow(rows)
    return _file(rows, f".{kind}")


def _geojson(reader: Reader, rows: pa.Table, told: Mapping[str, Any]) -> bytes:
    outlines = outlines_as_geojson(cell_polygons(rows["cell"].to_numpy()))
    names = zip(rows["h3"].to_pylist(), rows["series"].to_pylist(), strict=True)
    features = [
        {
            "type": "Feature",
            "id": f"{h3}:{series}",
            "geometry": outline,
            "properties": orjson.Fragment(row),
        }
        for (h3, series), outline, row in zip(names, outlines, reader.as_json(rows), strict=True)
    ]
    return orjson.dumps(
        {
            "type": "FeatureCollection",
            "features": features,
            "numberReturned": len(rows),
            "links": told["links"],
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def outlines_as_geojson(outlines: Geometries) -> list[Any]:
    """As orjson takes them: a cell has one ring, whose points stay numpy's, unless it was cut."""
    points, owner = shapely.get_coordinates(outlines, return_index=True)
    points = points.round(_DECIMALS)
    bounds = np.searchsorted(owner, np.arange(len(outlines) + 1)).tolist()
    shown: list[Any] = [
        {"type": "Polygon", "coordinates": [points[start:end]]} for start, end in pairwise(bounds)
    ]
    for cut in np.flatnonzero(shapely.get_type_id(outlines) != shapely.GeometryType.POLYGON):
        shape = shapely.set_coordinates(outlines[cut], points[bounds[cut] : bounds[cut + 1]])
        shown[cut] = orjson.Fragment(shapely.to_geojson(shape))
    return shown


def _listed(texts: Iterable[str]) -> str:
    return f"[{','.join(texts)}]"


def _arrow(rows: pa.Table) -> bytes:
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, rows.schema) as writer:
        writer.write_table(rows)
    return stream.getvalue()


def _file(rows: pa.Table, suffix: str) -> bytes:
    if "cell" not in rows.column_names:
        text = io.BytesIO()
        pa_csv.write_csv(rows, text)
        return text.getvalue()
    with TemporaryDirectory(prefix="thalweg-") as folder:
        path = Path(folder) / f"cells{suffix}"
        written(rows, path, shape="centroid" if suffix == ".csv" else "polygon")
        return path.read_bytes()
