"""`/catalogue`: searching items, and the page of one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from thalweg.api.files import served_href
from thalweg.api.items import collection_of, item_of, items_of
from thalweg.api.services import Held, Services
from thalweg.api.stac import asked
from thalweg.catalog.arrays import is_raster
from thalweg.catalog.ledger import Document, Lineage
from thalweg.catalog.stac import DATA_ASSET, PREFIX
from thalweg.domain.tiles import BoundingBox
from thalweg.errors import UsageError
from thalweg.web.documents import bands_of, collections_of, depth_bands
from thalweg.web.pages import PageRoute, is_partial, rendered
from thalweg.web.snippets import snippets_of

PAGE = 24
MOST = 480
_NEAREST = 12

router = APIRouter(prefix="/catalogue", route_class=PageRoute, include_in_schema=False)


@router.get("", response_class=Response)
async def catalogue(
    request: Request,
    services: Held,
    q: Annotated[str, Query(max_length=200)] = "",
    collection: Annotated[str, Query(max_length=256)] = "",
    bbox: Annotated[str, Query(max_length=200)] = "",
    begin: Annotated[str, Query(max_length=10)] = "",
    end: Annotated[str, Query(max_length=10)] = "",
    show: Annotated[int, Query(ge=1, le=MOST)] = PAGE,
) -> Response:
    """Items by words, collection, box and time; all of them where nothing is asked for."""
    collections = await collections_of(services)
    body: Document = {"limit": show + 1}
    if collection:
        body["collections"] = [collection]
    if bbox.strip():
        body["bbox"] = _box(bbox)
    if begin or end:
        body["datetime"] = f"{_moment(begin, '00:00:00')}/{_moment(end, '23:59:59')}"
    if q.split():
        body["filter"] = _every_word(q.split())
    search = asked.of_json(request, body).search
    found = await items_of(services, search)
    return rendered(
        request,
        "found.html" if is_partial(request) else "catalogue.html",
        items=found[:show],
        more=min(show + PAGE, MOST) if len(found) > show else 0,
        collections=collections,
        titles={one["id"]: one.get("title", one["id"]) for one in collections},
        chosen=next((one for one in collections if one["id"] == collection), None),
        asked={"q": q, "collection": collection, "bbox": bbox, "begin": begin, "end": end},
        is_raster=is_raster,
    )


@router.get("/{collection_id}/{item_id}", response_class=Response)
async def item(request: Request, services: Held, collection_id: str, item_id: str) -> Response:
    """One item: what it looks like, what it is, where it comes from, how to open it."""
    found = await item_of(services, collection_id, item_id)
    collection = await collection_of(services, collection_id)
    assets = {
        name: {**asset, "href": served_href(request, asset["href"])}
        for name, asset in found["assets"].items()
    }
    drawn = is_raster(found)
    return rendered(
        request,
        "item.html",
        item=found,
        collection=collection,
        assets=assets,
        bands=bands_of(found),
        depths=depth_bands(found),
        is_drawn=drawn,
        facts=_facts(found["properties"]),
        lineage=_lineage(services, found),
        nearest=_NEAREST,
        snippets=snippets_of(request, found, assets, is_raster=drawn),
    )


def _facts(properties: Document) -> dict[str, Any]:
    """What is told of an item apart from what the page shows elsewhere."""
    # By name, for PostgreSQL keeps no order of properties.
    named = {name: properties[name] for name in sorted(properties) if name.startswith(PREFIX)}
    wanted = ("proj:code", "proj:shape", "table:row_count", "processing:lineage")
    return {**named, **{name: properties[name] for name in wanted if name in properties}}


def _lineage(services: Services, item: Document) -> Lineage | None:
    """What the item's file was made from, as far as the workspace's ledger knows."""
    href = item["assets"].get(DATA_ASSET, {}).get("href", "")
    for name in services.workspace.zone_urls:
        root = services.workspace.zone(name).href("x")[:-1]
        if href.startswith(root) and services.catalog.find(name, href.removeprefix(root)):
            return services.catalog.lineage(name, href.removeprefix(root))
    return None


def _every_word(words: list[str]) -> Document:
    """CQL2 for: each word is in the id or the title, whatever its case."""
    conditions = [_word(one) for one in words]
    return {"op": "and", "args": conditions} if len(conditions) > 1 else conditions[0]


def _word(word: str) -> Document:
    escaped = "".join(f"\\{one}" if one in "\\%_" else one for one in word)
    pattern = {"op": "casei", "args": [f"%{escaped}%"]}
    names = ("id", "title")
    likes = [
        {"op": "like", "args": [{"op": "casei", "args": [{"property": name}]}, pattern]}
        for name in names
    ]
    return {"op": "or", "args": likes}


def _box(text: str) -> list[float]:
    box = BoundingBox.parse(text)
    return [box.west, box.south, box.east, box.north]


def _moment(day: str, time: str) -> str:
    if not day:
        return ".."
    if len(day) != 10:
        raise UsageError(f"{day!r} is no date", hint="write it as 2050-12-31")
    return f"{day}T{time}Z"
