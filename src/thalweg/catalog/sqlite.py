"""The catalogue in one SQLite file, in WAL mode: many readers, one writer at a time.

Open a file with one SQLite library only in a process: two (the standard library's and pysqlite3,
say) would drop each other's locks.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import batched
from pathlib import Path
from shutil import disk_usage
from types import TracebackType
from typing import Any, Self

from sqlalchemy import (
    URL,
    Connection,
    create_engine,
    delete,
    event,
    select,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DBAPIError

from thalweg.catalog import layers as source_catalogue
from thalweg.catalog import schema, statements
from thalweg.catalog.functions import add_functions
from thalweg.catalog.item_search import (
    Found,
    ItemSearch,
    Page,
    search_collections,
    search_items,
)
from thalweg.catalog.ledger import Artifact, Catalog, Document, Lineage, Ref, Source
from thalweg.catalog.queryables import known_types, property_types
from thalweg.domain.layers import Layer, Theme
from thalweg.errors import (
    CatalogBusy,
    CatalogError,
    CatalogUnreadable,
    DiskFull,
    ThalwegError,
)

BUSY_SECONDS = 30.0
_LAST_CHARACTER = "\U0010ffff"

_sources, _artifacts, _inputs = schema.sources, schema.artifacts, schema.inputs
_collections, _items = schema.collections, schema.items


def open_catalog(path: Path, *, busy_seconds: float = BUSY_SECONDS) -> Catalog:
    """The catalogue in the file at `path`, made or migrated where needed.

    A write that waits longer than `busy_seconds` for another process raises `CatalogBusy`. Raises
    `CatalogUnreadable` where the file is no catalogue, `CatalogTooNew` where a newer Thalweg
    wrote it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    catalog = SqliteCatalog(path, busy_seconds)
    try:
        catalog.migrate()
    except BaseException:
        catalog.close()
        raise
    return catalog


class SqliteCatalog:
    """`Catalog` over one SQLite file; use `open_catalog`."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self.path = path
        # In AUTOCOMMIT the driver begins nothing by itself: `_write` says BEGIN IMMEDIATE, so that
        # a writer waits for the lock before it reads, and never fails half way for want of it.
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)),
            isolation_level="AUTOCOMMIT",
            json_serializer=canonical_json,
            connect_args={"timeout": busy_seconds},
        )
        event.listen(self._engine, "connect", _prepare)

    def migrate(self) -> None:
        """Bring the tables to `schema.REVISION`, unless they are there."""
        with self._read() as connection:
            if _revision(connection, str(self.path)) == schema.REVISION:
                return
        with self._write() as connection:
            found = _revision(connection, str(self.path))
            if found != schema.REVISION:
                from thalweg.catalog.migrate import upgrade  # 1 s of Alembic, rarely needed

                upgrade(connection, found, where=str(self.path))

    # Writing ------------------------------------------------------------------------------------

    def record(self, artifact: Artifact, item: Document | None = None) -> None:
        with self._write() as connection:
            artifact_id = statements.record_artifact(connection, artifact)
            if item is not None:
                statements.record_items(connection, [(artifact_id, item)])

    def record_items(self, items: Iterable[tuple[Document, Ref]]) -> None:
        with self._write() as connection:
            statements.record_items(
                connection, [(statements.current_id(connection, ref), item) for item, ref in items]
            )

    def put_collection(self, collection: Document) -> None:
        statement = upsert(_collections).values(id=collection["id"], document=collection)
        with self._write() as connection:
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[_collections.c.id],
                    set_={"document": statement.excluded.document},
                )
            )

    def put_items(self, items: Iterable[Document], *, new: bool | None = None) -> None:
        with self._write() as connection:
            for item in items:
                statements.check_collection(connection, item["collection"])
                statements.check_item(connection, item["collection"], item["id"], new)
                statements.put_item(connection, item, artifact_id=None)

    def delete_item(self, collection_id: str, item_id: str) -> None:
        with self._write() as connection:
            statements.check_item(connection, collection_id, item_id, new=False)
            connection.execute(
                delete(_items).where(
                    _items.c.collection_id == collection_id, _items.c.id == item_id
                )
            )

    def delete_collection(self, collection_id: str) -> None:
        with self._write() as connection:
            statements.check_collection(connection, collection_id)
            connection.execute(delete(_items).where(_items.c.collection_id == collection_id))
            connection.execute(delete(_collections).where(_collections.c.id == collection_id))

    def record_sources(self, sources: Iterable[Source]) -> None:
        rows = [source.to_json() for source in sources]
        if not rows:
            return
        statement = upsert(_sources)
        keys = [column.name for column in _sources.primary_key]
        changed = {c.name: statement.excluded[c.name] for c in _sources.c if c.name not in keys}
        with self._write() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=keys, set_=changed), rows
            )

    def forget_sources(self, pipeline: str, sources: Iterable[Ref]) -> None:
        with self._write() as connection:
            for zone, key in sources:
                connection.execute(
                    delete(_sources).where(
                        _sources.c.pipeline == pipeline,
                        _sources.c.zone == zone,
                        _sources.c.key == key,
                    )
                )

    # Reading ------------------------------------------------------------------------------------

    def sources(self, pipeline: str, zone: str | None = None, prefix: str = "") -> Iterator[Source]:
        query = select(_sources).where(_sources.c.pipeline == pipeline)
        if zone is not None:
            query = query.where(_sources.c.zone == zone)
        if prefix:
            # LIKE would take "rwa/" for "RWA/".
            query = query.where(_sources.c.key.between(prefix, prefix + _LAST_CHARACTER))
        with self._read() as connection:
            for row in statements.stream(
                connection, query.order_by(_sources.c.zone, _sources.c.key)
            ):
                yield Source(**row._mapping)

    def artifacts(
        self,
        pipeline: str | None = None,
        kind: str | None = None,
        current: bool | None = True,
        *,
        whole: bool = True,
    ) -> Iterator[Artifact]:
        asked = {"pipeline": pipeline, "kind": kind, "current": current}
        query = select(_artifacts).where(
            *[_artifacts.c[name] == value for name, value in asked.items() if value is not None]
        )
        with self._read() as connection:
            if whole:
                yield from statements.read_artifacts(connection, query)
            else:
                yield from statements.read_artifacts_in_short(connection, query)

    def find(self, zone: str, key: str) -> Artifact | None:
        query = select(_artifacts).where(_artifacts.c.zone == zone, _artifacts.c.key == key)
        with self._read() as connection:
            return next(statements.read_artifacts(connection, query), None)

    def by_fingerprint(self, fingerprints: Iterable[str]) -> list[Artifact]:
        found: list[Artifact] = []
        with self._read() as connection:
            for page in batched(sorted(set(fingerprints)), statements.PAGE):
                query = select(_artifacts).where(
                    _artifacts.c.fingerprint.in_(page), _artifacts.c.current
                )
                found.extend(statements.read_artifacts(connection, query))
        return sorted(found, key=lambda artifact: artifact.ref)

    def lineage(self, zone: str, key: str) -> Lineage:
        with self._read() as connection:
            start = Ref(zone, key)
            return Lineage(
                upstream=tuple(statements.walk(connection, start, upwards=True)),
                downstream=tuple(statements.walk(connection, start, upwards=False)),
            )

    def collections(self) -> list[Document]:
        with self._read() as connection:
            query = select(_collections.c.document).order_by(_collections.c.id)
            return list(connection.scalars(query))

    def collection(self, collection_id: str) -> Document:
        query = select(_collections.c.document).where(_collections.c.id == collection_id)
        with self._read() as connection:
            document: Document | None = connection.scalar(query)
        if document is None:
            raise statements.no_collection(collection_id)
        return document

    def items(self, collection_id: str) -> Iterator[Document]:
        self.collection(collection_id)
        return self._items(collection_id)

    def _items(self, collection_id: str) -> Iterator[Document]:
        query = select(_items.c.document).where(_items.c.collection_id == collection_id)
        with self._read() as connection:
            for row in statements.stream(connection, query.order_by(_items.c.id)):
                yield row.document

    def item(self, collection_id: str, item_id: str) -> Document:
        query = select(_items.c.document).where(
            _items.c.collection_id == collection_id, _items.c.id == item_id
        )
        with self._read() as connection:
            document: Document | None = connection.scalar(query)
        if document is None:
            raise statements.no_item(collection_id, item_id)
        return document

    # Searching ----------------------------------------------------------------------------------

    def find_items(self, search: ItemSearch) -> Page:
        with self._read() as connection:
            return search_items(connection, search, known_types(connection))

    def find_collections(self, search: ItemSearch, offset: int = 0) -> Found:
        with self._read() as connection:
            return search_collections(connection, search, offset)

    def property_types(self, collection_id: str | None = None) -> dict[str, str]:
        with self._read() as connection:
            return property_types(connection, collection_id)

    # The source catalogue -----------------------------------------------------------------------

    def put_layers(
        self, layers: Iterable[Layer], themes: Iterable[Theme] = (), *, pipeline: str | None = None
    ) -> None:
        given = list(layers)
        bare = [Theme(name) for name in sorted({layer.theme for layer in given})]
        with self._write() as connection:
            source_catalogue.put_themes(connection, [*bare, *themes])
            source_catalogue.put_layers(connection, given)
            if pipeline is not None:
                declared = [layer.id for layer in given]
                source_catalogue.mark_undeclared(connection, pipeline, declared)

    def layers(self, theme: str | None = None, pipeline: str | None = None) -> list[Layer]:
        with self._read() as connection:
            return source_catalogue.read_layers(connection, theme=theme, pipeline=pipeline)

    def layer(self, layer_id: str) -> Layer:
        with self._read() as connection:
            return source_catalogue.read_layer(connection, layer_id)

    def themes(self) -> list[Theme]:
        with self._read() as connection:
            return source_catalogue.read_themes(connection)

    # Transactions -------------------------------------------------------------------------------

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise _named(error, self.path) from error

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._read() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                # Nothing to roll back where SQLite did so itself (a full disk): the driver knows.
                connection.connection.rollback()
                raise


def canonical_json(value: Any) -> str:
    """JSON with one spelling for equal values, so that the database can compare coordinates."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


# The file itself --------------------------------------------------------------------------------


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    add_functions(connection)


def _revision(connection: Connection, where: str) -> str | None:
    """The revision that the file stands at; None where it holds no table yet."""
    names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
    tables = set(names.scalars())
    if "alembic_version" in tables:
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if tables:
        raise CatalogUnreadable(
            f"an SQLite file, but no catalogue: it holds the tables {', '.join(sorted(tables))}",
            hint="give the path of a catalogue, or of a file that does not exist yet",
            where=where,
        )
    return None


def _named(error: DBAPIError, path: Path) -> ThalwegError:
    code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_IOERR and disk_usage(path.parent).free < _LEAST_ROOM:
        code = sqlite3.SQLITE_FULL
    kind, hint = _ERRORS.get(code, (CatalogError, ""))
    return kind(str(error.orig), hint=hint, where=str(path))


# SQLite's shared memory grows by 32 KiB, and where it cannot, says "disk I/O error" only.
_LEAST_ROOM = 1 << 16

_ERRORS: dict[int, tuple[type[ThalwegError], str]] = {
    sqlite3.SQLITE_BUSY: (CatalogBusy, "wait for the other process, then try again"),
    sqlite3.SQLITE_LOCKED: (CatalogBusy, "wait for the other process, then try again"),
    sqlite3.SQLITE_FULL: (DiskFull, "make room on the disk that holds the catalogue"),
    sqlite3.SQLITE_NOTADB: (
        CatalogUnreadable,
        "move it away and run again: files that are sound are taken over",
    ),
    sqlite3.SQLITE_CORRUPT: (CatalogUnreadable, "restore a copy, or rebuild it from the files"),
    sqlite3.SQLITE_CANTOPEN: (CatalogUnreadable, "is the folder there, and may you write to it?"),
    sqlite3.SQLITE_READONLY: (CatalogUnreadable, "may you write to the file and its folder?"),
}
