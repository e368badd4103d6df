"""Buildings in Parquet with WKB geometries: GeoParquet, or plain Parquet in longitude, latitude."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from thalweg.errors import UnreadableBuildings
from thalweg.exposure.readers.reading import (
    ROWS_AT_ONCE,
    SourceFile,
    check_columns,
    read_batch,
    to_longitude_latitude,
)

GEOMETRY = "geometry"


def read_geoparquet(file: SourceFile) -> Iterator[pa.RecordBatch]:
    """A `Reader` of GeoParquet, and of Parquet whose column `geometry` holds WKB in WGS 84."""
    try:
        with pq.ParquetFile(file.path) as parquet:
            yield from _rows(file, parquet)
    except (pa.ArrowInvalid, OSError) as error:
        raise UnreadableBuildings(
            f"not a Parquet file, or damaged: {error}", where=file.key
        ) from error


def _rows(file: SourceFile, parquet: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    geometry, crs = _geometry_column(file, parquet.schema_arrow)
    named = {name: column for name, column in vars(file.columns).items() if column}
    named.pop("geometry", None)
    check_columns(file, file.columns, parquet.schema_arrow.names)
    transform = to_longitude_latitude(crs)
    wanted = list(dict.fromkeys([geometry, *named.values()]))
    row = 1
    for batch in parquet.iter_batches(ROWS_AT_ONCE, columns=wanted, use_threads=False):
        rows = np.arange(row, row + batch.num_rows, dtype=np.int64)
        row += batch.num_rows
        wkb = batch[geometry]
        if transform is not None:
            wkb = transformed(wkb, transform)
        yield read_batch(file, wkb, rows, {name: batch[held] for name, held in named.items()})


def transformed(wkb: pa.Array, transform: Any) -> pa.Array:
    """The same geometries in longitude and latitude; what is no WKB stays as it is."""
    raw = wkb.cast(pa.binary()).to_numpy(zero_copy_only=False)
    geometries = shapely.from_wkb(raw, on_invalid="ignore")
    moved = shapely.to_wkb(shapely.transform(geometries, transform))
    return pa.array(np.where(geometries == None, raw, moved), pa.binary())  # noqa: E711


def _geometry_column(file: SourceFile, schema: pa.Schema) -> tuple[str, str]:
    """The name of the column of WKB, and its CRS."""
    geo = json.loads((schema.metadata or {}).get(b"geo", b"{}"))
    name = file.columns.geometry or geo.get("primary_column", GEOMETRY)
    described = geo.get("columns", {}).get(name, {})
    if name not in schema.names:
        raise UnreadableBuildings(
            f"no column of geometries {name!r}",
            hint=f"it holds {', '.join(schema.names)}",
            where=file.key,
        )
    encoding = described.get("encoding", "WKB")
    kind = schema.field(name).type
    if encoding != "WKB" or not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise UnreadableBuildings(
            f"geometries are encoded as {encoding} in {kind}, not as WKB",
            hint="convert the file to WKB, with ogr2ogr say",
            where=file.key,
        )
    crs = described.get("crs")
    return name, json.dumps(crs) if crs else "OGC:CRS84"
