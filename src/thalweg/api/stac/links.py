"""Links that stac-fastapi leaves to its clients."""

from __future__ import annotations

from fastapi import Request
from stac_fastapi.types.requests import get_base_url


def queryables_link(request: Request, collection_id: str) -> dict[str, str]:
    """The link of a collection to what a filter of its items may name."""
    return {
        "rel": "http://www.opengis.net/def/rel/ogc/1.0/queryables",
        "type": "application/schema+json",
        "title": "Queryables",
        "href": f"{get_base_url(request)}collections/{collection_id}/queryables",
    }
