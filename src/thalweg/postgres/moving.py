"""A workspace's catalogue and features into a database, and back into its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from thalweg.catalog import pgstac
from thalweg.catalog.ledger import Catalog, Document
from thalweg.features.tables import FeatureStore


@dataclass(frozen=True)
class Moved:
    """What was moved. `left_out` are the items that a database cannot hold."""

    collections: int
    items: int
    tables: int
    features: int
    left_out: tuple[str, ...] = ()


def load(catalog: Catalog, features: FeatureStore, database: FeatureStore, url: str) -> Moved:
    """Brings a database to what a workspace holds; `preparing.prepare` comes before.

    Tables of features that the workspace has not are left as they are.
    """
    loaded = pgstac.load_catalog(catalog, url)
    tables, count = _copy(features, database)
    return Moved(loaded.collections, loaded.items, tables, count, loaded.left_out)


def load_back(catalog: Catalog, features: FeatureStore, database: FeatureStore, url: str) -> Moved:
    """Brings a workspace to what a database holds more or otherwise; nothing is deleted."""
    held = {one["id"]: one for one in catalog.collections()}
    collections = items = 0
    for collection in pgstac.read_collections(url):
        if not _alike(collection, held.get(collection["id"])):
            catalog.put_collection(collection)
            collections += 1
        known = {one["id"]: one for one in catalog.items(collection["id"])}
        changed = _changed(pgstac.read_items(url, collection["id"]), known)
        catalog.put_items(changed)
        items += len(changed)
    tables, count = _copy(database, features)
    return Moved(collections, items, tables, count)


def _changed(items: Iterator[Document], known: dict[str, Document]) -> list[Document]:
    return [item for item in items if not _alike(item, known.get(item["id"]))]


def _copy(source: FeatureStore, target: FeatureStore) -> tuple[int, int]:
    """Copies all tables; gives how many, and how many features."""
    tables = source.tables()
    for table in tables:
        target.put(table, source.rows(table.name))
    return len(tables), sum(table.count for table in tables)


def _alike(one: Any, other: Any) -> bool:
    """Equal but for what is null, which pgSTAC leaves out."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = {name for held in (one, other) for name, value in held.items() if value is not None}
        return all(_alike(one.get(name), other.get(name)) for name in names)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return bool(one == other)
