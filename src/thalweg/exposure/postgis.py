"""Tables of buildings in PostGIS, in the schema `geo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import shapely

from thalweg.exposure.table import GEOMETRY
from thalweg.storage.postgres import connected

if TYPE_CHECKING:
    import psycopg

SCHEMA = "geo"
ROWS_AT_ONCE = 50_000
_WGS84 = 4326
_TYPES = {
    "id": "text NOT NULL",
    "longitude": "double precision NOT NULL",
    "latitude": "double precision NOT NULL",
    "area_m2": "double precision",
    "height_m": "real",
    "confidence": "real",
    "source": "text NOT NULL",
    "cell": "bigint NOT NULL",
    "country": "text",
    "tile": "text NOT NULL",
    GEOMETRY: "geometry(Geometry, 4326) NOT NULL",
}


def copy_buildings(path: Path, url: str, table: str, fingerprint: str) -> int | None:
    """Puts a table of buildings in the place of `geo.table`; gives its rows.

    All or nothing: readers see the earlier table until the whole of the new one is there. None
    where the table is of that fingerprint already. Raises `DatabaseUnavailable`, which may pass, or
    `DatabaseError`.
    """
    with connected(url) as connection, connection.transaction():
        # Two that load the same table come one after the other.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"{SCHEMA}.{table}"])
        if _fingerprint(connection, table) == fingerprint:
            return None
        _prepare(connection)
        rows = _loaded(connection, path, f"{table} (new)")
        _put_in_place(connection, table, fingerprint)
    return rows


def _prepare(connection: psycopg.Connection) -> None:
    held = "SELECT 1 FROM pg_extension WHERE extname = 'postgis'"
    if connection.execute(held).fetchone() is None:
        connection.execute("CREATE EXTENSION postgis")
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")


def _loaded(connection: psycopg.Connection, path: Path, table: str) -> int:
    from psycopg import sql

    name = sql.Identifier(SCHEMA, table)
    columns = sql.SQL(", ".join(f"{column} {kind}" for column, kind in _TYPES.items()))
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(name))
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(name, columns))
    copy = sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(name)
    rows = 0
    with connection.cursor() as cursor, cursor.copy(copy) as stream, pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=list(_TYPES)):
            stream.write(_csv(batch))
            rows += batch.num_rows
    for column, method in ((GEOMETRY, "gist"), ("cell", "btree")):
        connection.execute(
            sql.SQL("CREATE INDEX ON {} USING {} ({})").format(
                name, sql.SQL(method), sql.Identifier(column)
            )
        )
    return rows


def _put_in_place(connection: psycopg.Connection, table: str, fingerprint: str) -> None:
    from psycopg import sql

    old, new = sql.Identifier(SCHEMA, table), sql.Identifier(SCHEMA, f"{table} (new)")
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(old))
    connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(new, sql.Identifier(table)))
    told = sql.SQL("COMMENT ON TABLE {} IS {}").format(old, sql.Literal(fingerprint))
    connection.execute(told)


def _fingerprint(connection: psycopg.Connection, table: str) -> str | None:
    """What the table of that name was made as; None where there is none."""
    row = connection.execute(
        "SELECT obj_description(to_regclass(format('%%I.%%I', %s::text, %s::text)), 'pg_class')",
        [SCHEMA, table],
    ).fetchone()
    return row[0] if row else None


def _csv(batch: pa.RecordBatch) -> bytes:
    """Rows as PostgreSQL's CSV, geometries as EWKB in hexadecimal."""
    geometries = shapely.from_wkb(batch[GEOMETRY].to_numpy(zero_copy_only=False))
    ewkb = shapely.to_wkb(shapely.set_srid(geometries, _WGS84), hex=True, include_srid=True)
    place = batch.schema.get_field_index(GEOMETRY)
    batch = batch.set_column(place, GEOMETRY, pa.array(ewkb, pa.string()))
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(batch, sink, pa_csv.WriteOptions(include_header=False))
    return bytes(sink.getvalue())
