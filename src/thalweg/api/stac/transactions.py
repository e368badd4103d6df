"""Writing items and collections through `/stac`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attr
import jsonpatch
from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from json_merge_patch import merge
from stac_fastapi.extensions.transaction import AsyncBaseTransactionsClient

from thalweg.api.services import Services, services_of
from thalweg.catalog.ledger import Document
from thalweg.errors import CollectionNotFound, InvalidRequest, ItemExists


def client_of(services: Services) -> AsyncBaseTransactionsClient:
    """What writes to the service's backend."""
    if services.database is None:
        return EmbeddedTransactions()
    from stac_fastapi.pgstac.transactions import TransactionsClient

    return TransactionsClient()


@attr.s
class EmbeddedTransactions(AsyncBaseTransactionsClient):  # type: ignore[misc]
    """Writes to the workspace's own catalogue."""

    async def create_item(
        self, collection_id: str, item: Any, request: Request, **_: Any
    ) -> Document | None:
        given = item.model_dump(mode="json", exclude_none=False)
        many = given["type"] == "FeatureCollection"
        items = [_of(collection_id, one) for one in (given["features"] if many else [given])]
        await _write(request, lambda catalog: catalog.put_items(items, new=True))
        return None if many else items[0]

    async def update_item(
        self, collection_id: str, item_id: str, item: Any, request: Request, **_: Any
    ) -> Document:
        given = _of(collection_id, item.model_dump(mode="json"), item_id)
        await _write(request, lambda catalog: catalog.put_items([given], new=False))
        return given

    async def patch_item(
        self, collection_id: str, item_id: str, patch: Any, request: Request, **_: Any
    ) -> Document:
        catalog = services_of(request).catalog
        before = await run_in_threadpool(catalog.item, collection_id, item_id)
        given = _of(collection_id, _patched(before, patch), item_id)
        await _write(request, lambda catalog: catalog.put_items([given], new=False))
        return given

    async def delete_item(
        self, item_id: str, collection_id: str, request: Request, **_: Any
    ) -> None:
        await _write(request, lambda catalog: catalog.delete_item(collection_id, item_id))

    async def create_collection(self, collection: Any, request: Request, **_: Any) -> Document:
        given: Document = collection.model_dump(mode="json")
        catalog = services_of(request).catalog
        try:
            await run_in_threadpool(catalog.collection, given["id"])
        except CollectionNotFound:
            await _write(request, lambda catalog: catalog.put_collection(given))
            return given
        raise ItemExists(f"there is a collection {given['id']!r} already")

    async def update_collection(
        self, collection_id: str, collection: Any, request: Request, **_: Any
    ) -> Document:
        return await self._replaced(collection_id, collection.model_dump(mode="json"), request)

    async def patch_collection(
        self, collection_id: str, patch: Any, request: Request, **_: Any
    ) -> Document:
        catalog = services_of(request).catalog
        before = await run_in_threadpool(catalog.collection, collection_id)
        return await self._replaced(collection_id, _patched(before, patch), request)

    async def delete_collection(self, collection_id: str, request: Request, **_: Any) -> None:
        await _write(request, lambda catalog: catalog.delete_collection(collection_id))

    async def _replaced(self, collection_id: str, given: Document, request: Request) -> Document:
        await run_in_threadpool(services_of(request).catalog.collection, collection_id)
        if given["id"] != collection_id:
            raise InvalidRequest(f"the collection's id is {given['id']!r}, not {collection_id!r}")
        await _write(request, lambda catalog: catalog.put_collection(given))
        return given


async def _write(request: Request, change: Callable[[Any], None]) -> None:
    await run_in_threadpool(change, services_of(request).catalog)


def _of(collection_id: str, item: Document, item_id: str | None = None) -> Document:
    """The item in its collection; raises `InvalidRequest` where it belongs elsewhere."""
    if item.get("collection") not in (None, collection_id):
        raise InvalidRequest(f"the item's collection is {item['collection']!r}")
    if item_id is not None and item["id"] != item_id:
        raise InvalidRequest(f"the item's id is {item['id']!r}, not {item_id!r}")
    if item.get("geometry") is None:
        raise InvalidRequest("the item has no geometry")
    return {**item, "collection": collection_id}


def _patched(before: Document, patch: Any) -> Document:
    if isinstance(patch, list):
        operations = [one.model_dump(mode="json", by_alias=True) for one in patch]
        try:
            patched: Document = jsonpatch.apply_patch(before, operations)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
            raise InvalidRequest(f"the patch does not fit: {error}") from error
        return patched
    merged: Document = merge(before, patch.model_dump(mode="json", exclude_unset=True))
    return merged
