"""A workspace's catalogue in pgSTAC: PostgreSQL's own index of STAC."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thalweg.catalog.ledger import Catalog, Document
from thalweg.storage.postgres import postgres_errors

if TYPE_CHECKING:
    from pypgstac.db import PgstacDB

_READ_AS = {"number": "to_float", "array": "to_text_array"}


@dataclass(frozen=True)
class Loaded:
    """What was loaded. `left_out` are the items that have no place, which pgSTAC cannot hold."""

    collections: int
    items: int
    left_out: tuple[str, ...] = ()


def prepare(url: str) -> str:
    """Makes pgSTAC's tables in a database, or brings them up to date; gives their version.

    Raises `DatabaseUnavailable` and `DatabaseError`.
    """
    from pypgstac.migrate import Migrate

    with _connected(url) as database:
        return str(Migrate(database).run_migration())


def load_catalog(catalog: Catalog, url: str) -> Loaded:
    """Brings pgSTAC to what the catalogue holds: what is new or changed is put, what is gone is
    deleted, collection by collection.

    Properties are registered with their types, so that both answer the same. `prepare` comes
    before. Raises `DatabaseUnavailable` and `DatabaseError`.
    """
    from pypgstac.load import Loader, Methods

    left_out: list[str] = []
    items = 0
    collections = catalog.collections()
    with _connected(url) as database:
        loader = Loader(db=database)
        loader.load_collections(iter(collections), Methods.upsert)
        _delete(database, "collections", "TRUE", (), [one["id"] for one in collections])
        for collection in collections:
            placed = []
            for item in catalog.items(collection["id"]):
                if item.get("geometry"):
                    placed.append(item)
                else:
                    left_out.append(f"{collection['id']}/{item['id']}")
            if placed:
                loader.load_items(iter(placed), Methods.upsert)
            kept = [item["id"] for item in placed]
            _delete(database, "items", "collection = %s", (collection["id"],), kept)
            items += len(placed)
        _register(database, catalog.property_types())
    return Loaded(len(collections), items, tuple(left_out))


def read_collections(url: str) -> list[Document]:
    """The collections that pgSTAC holds; raises `DatabaseUnavailable` and `DatabaseError`."""
    with _connected(url) as database, database.connect() as connection:
        rows = connection.execute("SELECT content FROM pgstac.collections ORDER BY id")
        return [row[0] for row in rows]


def read_items(url: str, collection_id: str) -> Iterator[Document]:
    """The items of a collection that pgSTAC holds, whole, by id; raises as `read_collections`."""
    with _connected(url) as database, database.connect() as connection:
        rows = connection.execute(
            "SELECT pgstac.content_hydrate(items) FROM pgstac.items WHERE collection = %s "
            "ORDER BY id",
            [collection_id],
        )
        for (item,) in rows:
            yield {**item, "properties": {"datetime": None, **item["properties"]}}


def _delete(
    database: PgstacDB, table: str, where: str, values: tuple[str, ...], kept: list[str]
) -> None:
    """Deletes what is gone."""
    with database.connect() as connection:
        connection.execute(
            f"DELETE FROM pgstac.{table} WHERE {where} AND NOT id = ANY(%s)",  # noqa: S608
            [*values, kept],
        )
        connection.commit()


def _register(database: PgstacDB, types: dict[str, str]) -> None:
    with database.connect() as connection:
        for name, kind in types.items():
            connection.execute(
                "SELECT pgstac.upsert_queryable(%s, %s::jsonb, %s)",
                [name, json.dumps({"type": kind}), _READ_AS.get(kind, "to_text")],
            )
        connection.commit()


@contextmanager
def _connected(url: str) -> Iterator[PgstacDB]:
    from pypgstac.db import PgstacDB

    with postgres_errors(), PgstacDB(dsn=url) as database:
        yield database
