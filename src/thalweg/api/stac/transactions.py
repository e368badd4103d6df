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

from thalweg.api.files import stored_href, with_served_assets
from thalweg.api.items import collection_of
from thalweg.api.services import Services, services_of
from thalweg.catalog.ledger import Document
from thalweg.errors import CollectionNotFound, InvalidRequest, ItemExists


def client_of(services: Services) -> AsyncBaseTransactionsClient:
    """What writes to the service's backend."""
    if services.database is None:
        return StoredTransactions()
    from stac_fastapi.pgstac.transactions import TransactionsClient

    class StoredPgstacTransactions(StoredAssets, TransactionsClient):  # type: ignore[misc]
        """stac-fastapi.pgstac's client."""

    return StoredPgstacTransactions()


class StoredAssets:
    """Stores what `/stac` shows: links to `/files` become the hrefs that they were made of, so that
    what was got can be put back."""

    async def create_item(self, *, request: Request, item: Any, **given: Any) -> Any:
        await collection_of(services_of(request), given["collection_id"])
        return await self._next("create_item", request, item=item, **given)

    async def update_item(self, *, request: Request, item: Any, **given: Any) -> Any:
        return await self._next("update_item", request, item=item, **given)

    async def patch_item(self, *, request: Request, patch: Any, **given: Any) -> Any:
        return await self._next("patch_item", request, patch=patch, **given)

    async def create_collection(self, collection: Any, *, request: Request, **given: Any) -> Any:
        return await self._next("create_collection", request, collection=collection, **given)

    async def update_collection(self, *, request: Request, collection: Any, **given: Any) -> Any:
        return await self._next("update_collection", request, collection=collection, **given)

    async def patch_collection(self, *, request: Request, patch: Any, **given: Any) -> Any:
        return await self._next("patch_collection", request, patch=patch, **given)

    async def _next(self, name: str, request: Request, **given: Any) -> Any:
        for what in ("item", "collection", "patch"):
            if what in given:
                _store_assets(request, given[what])
        written = await getattr(super(), name)(request=request, **given)
        shown = isinstance(written, dict) and "assets" in written
        return with_served_assets(request, written) if shown else written


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


class StoredTransactions(StoredAssets, EmbeddedTransactions):  # type: ignore[misc]
    """Writes to the workspace's own catalogue, by links to `/files` too."""


def _store_assets(request: Request, given: Any) -> None:
    """Puts hrefs in the place of links to `/files`, in a body as stac-fastapi has read it."""
    if isinstance(given, list):
        for operation in given:
            if hasattr(operation, "value"):
                operation.value = _stored(request, operation.value)
        return
    for one in getattr(given, "features", None) or [given]:
        for name, asset in (one.assets or {}).items():
            if isinstance(asset, dict):
                one.assets[name] = _stored(request, asset)
            elif asset is not None:
                asset.href = stored_href(request, asset.href)


def _stored(request: Request, value: Any) -> Any:
    """A value of JSON with no link to `/files`."""
    if isinstance(value, dict):
        return {name: _stored(request, one) for name, one in value.items()}
    return stored_href(request, value) if isinstance(value, str) else value


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
