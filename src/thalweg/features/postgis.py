"""Tables of features in PostGIS, in the schema `features`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import shapely

from thalweg.features.schema import SCHEMA
from thalweg.features.tables import (
    GEOMETRY,
    ID,
    Column,
    FeatureTable,
    Kind,
    check_name,
    no_table,
)
from thalweg.storage.postgres import connected

if TYPE_CHECKING:
    import psycopg

ROWS_AT_ONCE = 1 << 14
_WGS84 = 4326
TYPES: Mapping[Kind, str] = {
    "integer": "bigint",
    "number": "double precision",
    # Else the order of texts would be another in each database.
    "text": 'text COLLATE "C"',
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp with time zone",
}
_KINDS: dict[str, Kind] = {
    **{told.removesuffix(' COLLATE "C"'): kind for kind, told in TYPES.items()},
    "integer": "integer",
    "smallint": "integer",
    "real": "number",
    "numeric": "number",
    "character varying": "text",
}
COLUMNS_QUERY = """
SELECT c.relname, a.attname, format_type(a.atttypid, NULL), obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = to_regnamespace('features') AND c.relkind = 'r'
    AND position(' ' IN c.relname) = 0
ORDER BY c.relname COLLATE "C", a.attnum
"""
"""For `described`; a table that is being made has a space in its name."""


class PostgisTables:
    """`FeatureStore` over a database.

    Raises `DatabaseUnavailable`, which may pass, or `DatabaseError`.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def tables(self) -> list[FeatureTable]:
        with connected(self.url) as connection:
            return list(described(connection.execute(COLUMNS_QUERY)).values())

    def table(self, name: str) -> FeatureTable:
        with connected(self.url) as connection:
            return _one(connection, name)

    def put(self, table: FeatureTable, rows: Iterable[pa.RecordBatch]) -> FeatureTable:
        check_name(table.name)
        with connected(self.url) as connection, connection.transaction():
            # Two that put the same table come one after the other.
            connection.execute(
                "SELECT pg_advisory_xact_lock(hashtext(%s))", [f"{SCHEMA}.{table.name}"]
            )
            connection.execute("SET LOCAL TimeZone = 'UTC'")
            new = f"{table.name} (new)"
            count, bounds = _loaded(connection, table, new, rows)
            _put_in_place(connection, table, new, {"bounds": bounds, "count": count})
            return _one(connection, table.name)

    def rows(self, name: str) -> Iterator[pa.RecordBatch]:
        from psycopg import sql

        with connected(self.url) as connection:
            table = _one(connection, name)
            columns = [sql.Identifier(one.name) for one in table.columns]
            query = sql.SQL("SELECT {}, ST_AsBinary({}) FROM {} ORDER BY {}").format(
                sql.SQL(", ").join([sql.Identifier(ID), *columns]),
                sql.Identifier(GEOMETRY),
                sql.Identifier(SCHEMA, name),
                sql.Identifier(ID),
            )
            connection.execute("SET LOCAL TimeZone = 'UTC'")
            with connection.cursor("rows") as cursor:
                cursor.execute(query)
                while found := cursor.fetchmany(ROWS_AT_ONCE):
                    values = [list(column) for column in zip(*found, strict=True)]
                    yield pa.record_batch(values, schema=table.schema)

    def remove(self, name: str) -> None:
        from psycopg import sql

        with connected(self.url) as connection:
            _one(connection, name)
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(SCHEMA, name)))


def _one(connection: psycopg.Connection, name: str) -> FeatureTable:
    held = described(connection.execute(COLUMNS_QUERY))
    if name not in held:
        raise no_table(name, held)
    return held[name]


def described(rows: Iterable[Sequence[Any]]) -> dict[str, FeatureTable]:
    """The tables that are of features, by name, with what their comments tell."""
    columns: dict[str, dict[str, str]] = {}
    comments: dict[str, str | None] = {}
    for name, column, kind, comment in rows:
        columns.setdefault(name, {})[column] = kind
        comments[name] = comment
    return {
        name: _table(name, held, told_by(comments[name]))
        for name, held in columns.items()
        if ID in held and held.get(GEOMETRY) == "geometry"
    }


def _table(name: str, held: Mapping[str, str], told: Mapping[str, Any]) -> FeatureTable:
    bounds = told.get("bounds")
    return FeatureTable(
        name,
        tuple(
            Column(column, _KINDS.get(kind, "text"))
            for column, kind in held.items()
            if column not in (ID, GEOMETRY)
        ),
        told.get("title") or name,
        told.get("description") or "",
        tuple(bounds) if bounds else None,
        told.get("count") or 0,
    )


def told_by(comment: str | None) -> dict[str, Any]:
    """What the comment of a table tells: JSON that was put there, or text by somebody else."""
    try:
        told = json.loads(comment or "{}")
    except ValueError:
        return {"description": comment}
    return told if isinstance(told, dict) else {"description": comment}


def _loaded(
    connection: psycopg.Connection, table: FeatureTable, name: str, rows: Iterable[pa.RecordBatch]
) -> tuple[int, list[float] | None]:
    """Makes the table and its indexes; gives the count of its rows and their bounds."""
    from psycopg import sql

    new = sql.Identifier(SCHEMA, name)
    types = {
        ID: "bigint PRIMARY KEY",
        **{one.name: TYPES[one.kind] for one in table.columns},
        GEOMETRY: f"geometry(Geometry, {_WGS84}) NOT NULL",
    }
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind))
        for column, kind in types.items()
    ]
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(new))
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(new, sql.SQL(", ").join(columns)))
    count = 0
    boxes: list[Any] = []
    copy = sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(new)
    with connection.cursor() as cursor, cursor.copy(copy) as stream:
        for batch in rows:
            shapes = shapely.from_wkb(batch[GEOMETRY].to_numpy(zero_copy_only=False))
            stream.write(_csv(batch, shapes))
            count += batch.num_rows
            if batch.num_rows:
                boxes.append(shapely.total_bounds(shapes))
    connection.execute(
        sql.SQL("CREATE INDEX ON {} USING gist ({})").format(new, sql.Identifier(GEOMETRY))
    )
    connection.execute(sql.SQL("ANALYZE {}").format(new))
    return count, shapely.total_bounds(
        shapely.box(*zip(*boxes, strict=True))
    ).tolist() if boxes else None


def _put_in_place(
    connection: psycopg.Connection, table: FeatureTable, new: str, told: Mapping[str, Any]
) -> None:
    from psycopg import sql

    name = sql.Identifier(SCHEMA, table.name)
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(name))
    connection.execute(
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(
            sql.Identifier(SCHEMA, new), sql.Identifier(table.name)
        )
    )
    comment = json.dumps({"title": table.title, "description": table.description, **told})
    connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(name, sql.Literal(comment)))


def _csv(batch: pa.RecordBatch, shapes: Any) -> bytes:
    """Rows as PostgreSQL's CSV, geometries as EWKB in hexadecimal."""
    ewkb = shapely.to_wkb(shapely.set_srid(shapes, _WGS84), hex=True, include_srid=True)
    columns = []
    for field in batch.schema:
        column = batch[field.name]
        if field.name == GEOMETRY:
            column = pa.array(ewkb, pa.string())
        elif pa.types.is_timestamp(field.type):
            column = column.cast(pa.timestamp("ms")).cast(pa.string())
        columns.append(column)
    sink = pa.BufferOutputStream()
    table = pa.record_batch(columns, names=batch.schema.names)
    pa_csv.write_csv(table, sink, pa_csv.WriteOptions(include_header=False))
    return bytes(sink.getvalue())
