"""titiler's paths of one item with the item named in the query, as leafmap asks."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse

from thalweg.api.items import item_of
from thalweg.api.services import Held
from thalweg.catalog.stac import DATA_ASSET
from thalweg.errors import InvalidRequest

_REST = re.compile(r"[\w,.:+-]+(/[\w,.:+@-]+)*", re.ASCII)

router = APIRouter()
CollectionId = Annotated[str, Query(alias="collection")]
ItemId = Annotated[str, Query(alias="item")]


@router.get("/stac/bounds", include_in_schema=False)
async def bounds(services: Held, collection: CollectionId, item: ItemId) -> dict[str, Any]:
    """The box of an item, in degrees."""
    found = await item_of(services, collection, item)
    return {"bounds": found["bbox"], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}


@router.get("/stac/assets", include_in_schema=False)
async def assets(services: Held, collection: CollectionId, item: ItemId) -> list[str]:
    """The assets that there are pictures of."""
    found = await item_of(services, collection, item)
    return [name for name in found["assets"] if name == DATA_ASSET]


@router.get("/stac/{rest:path}", include_in_schema=False)
async def by_query(
    request: Request, rest: str, collection: CollectionId, item: ItemId
) -> RedirectResponse:
    """Leads to the path of the item, which looks at all other parameters."""
    if not _REST.fullmatch(rest) or ".." in rest:
        raise InvalidRequest("there is no such path of an item", hint="/docs tells what paths are")
    given = request.query_params.multi_items()
    for name, value in given:
        if name == "assets" and value != DATA_ASSET:
            raise InvalidRequest(f"items have no asset {value[:64]!r}", hint=f"give {DATA_ASSET}")
    kept = [one for one in given if one[0] not in ("collection", "item", "assets")]
    base = str(request.base_url).rstrip("/")
    path = f"/raster/collections/{quote(collection, safe='')}/items/{quote(item, safe='')}/{rest}"
    return RedirectResponse(f"{base}{path}?{urlencode(kept)}" if kept else base + path, 307)
