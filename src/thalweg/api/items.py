"""Items as the service's backend holds them, for the parts that read their files."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi.concurrency import run_in_threadpool

from thalweg.api.services import Services
from thalweg.catalog.item_search import ItemSearch
from thalweg.catalog.ledger import Document
from thalweg.catalog.statements import no_collection, no_item


async def item_of(services: Services, collection_id: str, item_id: str) -> Document:
    """An item; raises `CollectionNotFound` and `ItemNotFound`."""
    if services.database is None:
        await collection_of(services, collection_id)
        return await run_in_threadpool(services.catalog.item, collection_id, item_id)
    found = await _called(services, "SELECT get_item($1, $2)", item_id, collection_id)
    if found is None:
        await collection_of(services, collection_id)
        raise no_item(collection_id, item_id)
    return _document(found)


async def collection_of(services: Services, collection_id: str) -> Document:
    """A collection; raises `CollectionNotFound`."""
    if services.database is None:
        return await run_in_threadpool(services.catalog.collection, collection_id)
    found = await _called(services, "SELECT get_collection($1)", collection_id)
    if found is None:
        raise no_collection(collection_id)
    return _document(found)


async def items_of(services: Services, search: ItemSearch) -> list[Document]:
    """The first items of a search, as many as its `limit`; raises what searching does."""
    if services.database is None:
        page = await run_in_threadpool(services.catalog.find_items, search)
        return page.items
    from thalweg.api.stac.postgres import as_pgstac

    asked = orjson.dumps(as_pgstac(search)).decode()
    found = await _called(services, "SELECT search($1::text::jsonb)", asked)
    return list(_document(found)["features"])


async def _called(services: Services, statement: str, *values: Any) -> Any:
    assert services.database is not None
    async with services.database.connection() as connection:
        return await connection.fetchval(statement, *values)


def _document(found: Any) -> Document:
    document: Document = found if isinstance(found, dict) else orjson.loads(found)
    return document
