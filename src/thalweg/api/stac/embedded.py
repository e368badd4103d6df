"""STAC from the workspace's own catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attr
from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from stac_fastapi.extensions.filter.client import AsyncBaseFiltersClient
from stac_fastapi.pgstac.models.links import (
    CollectionLinks,
    CollectionSearchPagingLinks,
    ItemCollectionLinks,
    ItemLinks,
    PagingLinks,
    SearchLinks,
)

from thalweg.api.files import with_served_assets
from thalweg.api.services import services_of
from thalweg.api.stac import asked
from thalweg.api.stac.asked import Asked
from thalweg.api.stac.fields import answer, only_fields
from thalweg.api.stac.links import Browseable, queryables_link
from thalweg.catalog.ledger import Document
from thalweg.catalog.queryables import queryables_document


@attr.s
class EmbeddedClient(Browseable):
    """stac-fastapi's client over `Catalog`; links are made as stac-fastapi.pgstac makes them."""

    async def all_collections(self, request: Request, **given: Any) -> Document | JSONResponse:
        wanted = asked.of_parameters(request, **given)
        found = await _in_thread(
            services_of(request).catalog.find_collections, wanted.search, wanted.offset
        )
        linked = [await _linked_collection(request, one) for one in found.collections]
        beyond = wanted.offset + len(linked)
        before = max(min(wanted.offset, found.matched) - wanted.search.limit, 0)
        pages = CollectionSearchPagingLinks(
            request=request,
            next={"body": {"offset": beyond}} if beyond < found.matched else None,
            prev={"body": {"offset": before}} if wanted.offset else None,
        )
        return answer(
            wanted,
            {
                "collections": [only_fields(one, wanted) for one in linked],
                "links": await pages.get_links(),
                "numberMatched": found.matched,
                "numberReturned": len(linked),
            },
        )

    async def get_collection(self, collection_id: str, request: Request, **_: Any) -> Document:
        found = await _in_thread(services_of(request).catalog.collection, collection_id)
        return await _linked_collection(request, found)

    async def get_item(
        self, item_id: str, collection_id: str, request: Request, **_: Any
    ) -> Document:
        catalog = services_of(request).catalog
        await _in_thread(catalog.collection, collection_id)
        item = await _in_thread(catalog.item, collection_id, item_id)
        return await _linked_item(request, item)

    async def item_collection(
        self, collection_id: str, request: Request, **given: Any
    ) -> Document | JSONResponse:
        await _in_thread(services_of(request).catalog.collection, collection_id)
        wanted = asked.of_parameters(request, collections=[collection_id], **given)
        found = await _found(request, wanted)
        links = ItemCollectionLinks(collection_id=collection_id, request=request)
        return answer(wanted, {**found, "links": await links.get_links(found["links"])})

    async def get_search(self, request: Request, **given: Any) -> Document | JSONResponse:
        wanted = asked.of_parameters(request, **given)
        return await _searched(request, wanted)

    async def post_search(self, _model: Any, request: Request, **_: Any) -> Document | JSONResponse:
        return await _searched(request, await asked.of_body(request))


@attr.s
class EmbeddedFilters(AsyncBaseFiltersClient):  # type: ignore[misc]
    """The queryables of the workspace's own catalogue."""

    async def get_queryables(
        self, request: Request, collection_id: str | None = None, **_: Any
    ) -> Document:
        catalog = services_of(request).catalog
        if collection_id is not None:
            await _in_thread(catalog.collection, collection_id)
        types = await _in_thread(catalog.property_types, collection_id)
        return {**queryables_document(types), "$id": str(request.url)}


async def _searched(request: Request, wanted: Asked) -> Document | JSONResponse:
    found = await _found(request, wanted)
    links = await SearchLinks(request=request).get_links(found["links"])
    return answer(wanted, {**found, "links": links})


async def _found(request: Request, wanted: Asked) -> Document:
    page = await _in_thread(services_of(request).catalog.find_items, wanted.search)
    items = [only_fields(await _linked_item(request, one), wanted) for one in page.items]
    pages = PagingLinks(
        request=request,
        next=page.next.removeprefix("next:") or None,
        prev=page.previous.removeprefix("prev:") or None,
    )
    return {
        "type": "FeatureCollection",
        "features": items,
        "links": await pages.get_links(),
        "numberReturned": len(items),
    }


async def _linked_item(request: Request, item: Document) -> Document:
    links = ItemLinks(collection_id=item["collection"], item_id=item["id"], request=request)
    return {
        **with_served_assets(request, item),
        "links": await links.get_links(item.get("links")),
    }


async def _linked_collection(request: Request, collection: Document) -> Document:
    links = CollectionLinks(collection_id=collection["id"], request=request)
    made = await links.get_links(collection.get("links"))
    served = with_served_assets(request, collection)
    return {**served, "links": [*made, queryables_link(request, collection["id"])]}


async def _in_thread[**P, T](function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    return await run_in_threadpool(function, *args, **named)
