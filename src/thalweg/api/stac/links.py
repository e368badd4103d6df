"""Links that stac-fastapi leaves to its clients."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from stac_fastapi.types.core import AsyncBaseCoreClient
from stac_fastapi.types.requests import get_base_url

from thalweg.catalog.ledger import Document

MOST_CHILDREN = 1000


class Browseable(AsyncBaseCoreClient):  # type: ignore[misc]
    """A client whose landing page leads to every collection."""

    async def landing_page(self, request: Request, **_: Any) -> Document:
        page: Document = await super().landing_page(request=request)
        found = await self.all_collections(request=request, limit=MOST_CHILDREN)
        page["links"] += [_child(one) for one in found["collections"]]
        return page


def _child(collection: Document) -> Document:
    (link,) = [one for one in collection["links"] if one["rel"] == "self"]
    title = {"title": collection["title"]} if collection.get("title") else {}
    return {**link, "rel": "child", **title}


def queryables_link(request: Request, collection_id: str) -> dict[str, str]:
    """The link of a collection to what a filter of its items may name."""
    return {
        "rel": "http://www.opengis.net/def/rel/ogc/1.0/queryables",
        "type": "application/schema+json",
        "title": "Queryables",
        "href": f"{get_base_url(request)}collections/{collection_id}/queryables",
    }
