"""What a path names: an item's raster, or those of a search, as titiler's `path_dependency`."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import orjson
from fastapi import Path, Query, Request
from morecantile import Tile
from rio_tiler.errors import EmptyMosaicError

from thalweg.api.items import collection_of, item_of, items_of
from thalweg.api.raster.checks import TILE_MATRIX_SETS, box_in_degrees
from thalweg.api.raster.conditional import validate
from thalweg.api.raster.reader import Mosaic
from thalweg.api.raster.source import Raster, raster_of
from thalweg.api.services import Held, Services, services_of
from thalweg.api.stac import asked
from thalweg.catalog.arrays import check_one_scenario, is_raster
from thalweg.catalog.geometries import GeoJson, box_geometry, shape_of
from thalweg.catalog.item_search import ItemSearch
from thalweg.catalog.ledger import Document
from thalweg.errors import InvalidRequest, OutsideData, RequestTooLarge

MOST_RASTERS = 64
_LONGEST_SEARCH = 4096
_SEARCHED = ("collections", "ids", "bbox", "intersects", "datetime", "filter", "filter-lang")

CollectionId = Annotated[str, Path(description="The id of a collection.")]
ItemId = Annotated[str, Path(description="The id of an item.")]


async def item_raster(
    request: Request,
    services: Held,
    collection_id: CollectionId,
    item_id: ItemId,
    checksum: Annotated[
        str | None,
        Query(
            pattern="^[0-9a-f]{8,64}$",
            description="The beginning of the file's SHA-256: the answer may then be kept forever.",
        ),
    ] = None,
) -> Raster:
    """The raster of the item that a path names."""
    raster = await raster_in(services, collection_id, item_id)
    validate(request, [raster], checksum)
    return raster


async def raster_in(
    services: Services, collection_id: str, item_id: str, asset: str = "data"
) -> Raster:
    """The raster of an item of the service's backend."""
    item = await item_of(services, collection_id, item_id)
    return readable(services, item, asset)


def readable(services: Services, item: Document, asset: str = "data") -> Raster:
    """The raster of an item, by the service's zones and limits."""
    zones = [services.workspace.zone(name) for name in services.workspace.zone_urls]
    return raster_of(item, zones, services.settings.serve.max_pixels, asset)


async def collection_mosaic(
    request: Request,
    services: Held,
    collection_id: CollectionId,
    ids: Annotated[
        str | None, Query(description="Only these items, by their ids and commas.")
    ] = None,
    datetime: Annotated[str | None, Query(description="Only items of that time.")] = None,
    filter_: Annotated[
        str | None,
        Query(
            alias="filter",
            description="Only items that this CQL2 text is true of.",
            examples=["\"thalweg:peril\" = 'fluvial'"],
        ),
    ] = None,
) -> Mosaic:
    """The rasters of a collection at the place that a path names."""
    await collection_of(services, collection_id)
    said = {
        "collections": [collection_id],
        "ids": ids.split(",") if ids else None,
        "datetime": datetime,
        "filter_expr": filter_,
        "filter_lang": "cql2-text",
    }
    return await _mosaic(request, collection_id, asked.of_parameters(request, **said).search)


async def search_mosaic(
    request: Request,
    search_id: Annotated[str, Path(description="The id that registering a search gives.")],
) -> Mosaic:
    """The rasters of a registered search at the place that a path names."""
    search = asked.of_json(request, read_search(search_id)).search
    return await _mosaic(request, "search", search)


def search_id(body: Document) -> str:
    """The id of a search: the search itself, packed, so that nothing need be kept."""
    unknown = sorted(set(body) - {*_SEARCHED, "metadata"})
    if unknown:
        raise InvalidRequest(
            f"a mosaic's search takes no {unknown[0][:64]!r}",
            hint=f"it takes {', '.join(_SEARCHED)}",
        )
    said = {name: body[name] for name in _SEARCHED if body.get(name) is not None}
    packed = zlib.compress(orjson.dumps(said, option=orjson.OPT_SORT_KEYS), 9)
    text = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    if len(text) > _LONGEST_SEARCH:
        raise RequestTooLarge(
            f"the search is {len(text)} characters long when packed; {_LONGEST_SEARCH} are the "
            "most",
            hint="name fewer ids, or a simpler place",
        )
    return text


def read_search(text: str) -> Document:
    """The search of an id; raises `InvalidRequest`."""
    try:
        packed = base64.urlsafe_b64decode(text[:_LONGEST_SEARCH] + "=" * (-len(text) % 4))
        unpacking = zlib.decompressobj()
        # Few bytes may unpack to very many.
        said: Any = orjson.loads(unpacking.decompress(packed, 1 << 16))
    except (binascii.Error, zlib.error, orjson.JSONDecodeError, ValueError) as error:
        raise InvalidRequest(
            "that is no id of a search", hint="POST the search to /raster/searches/register"
        ) from error
    if not isinstance(said, dict) or set(said) - set(_SEARCHED):
        raise InvalidRequest("that is no id of a search")
    return said


async def _mosaic(request: Request, name: str, search: ItemSearch) -> Mosaic:
    place = await _place(request)
    services = services_of(request)
    found = await items_of(services, _within(search, place))
    items = [item for item in found if is_raster(item)]
    if not items:
        if "z" in request.path_params:
            raise EmptyMosaicError("no raster of the search is on the tile")
        raise OutsideData(
            "no raster of the search is there", hint="see /stac/search for where there are some"
        )
    if place is not None and len(items) > MOST_RASTERS:
        raise RequestTooLarge(
            f"more than {MOST_RASTERS} rasters are there", hint="narrow the search by filter or ids"
        )
    check_one_scenario(items)
    rasters = tuple(readable(services, item) for item in items)
    validate(request, rasters)
    return Mosaic(name, rasters)


def _within(search: ItemSearch, place: GeoJson | None) -> ItemSearch:
    """The search, held to the place that is read."""
    if place is None:
        return replace(search, limit=MOST_RASTERS)
    condition = search.filter
    if search.place is not None:
        inside = {"op": "s_intersects", "args": [{"property": "geometry"}, search.place]}
        condition = {"op": "and", "args": [inside, condition]} if condition else inside
    return replace(search, place=place, filter=condition, limit=MOST_RASTERS + 1)


async def _place(request: Request) -> GeoJson | None:
    """The place that a path names by tile, box or point, or that a body has; None for all."""
    path = request.path_params
    if "z" in path:
        tms = TILE_MATRIX_SETS.get(path["tileMatrixSetId"])
        return _box(tms.bounds(Tile(int(path["x"]), int(path["y"]), int(path["z"]))))
    if "minx" in path:
        corners = [float(path[name]) for name in ("minx", "miny", "maxx", "maxy")]
        return _box(box_in_degrees(request, corners))
    if "lon" in path:
        lon, lat = float(path["lon"]), float(path["lat"])
        return _box(box_in_degrees(request, [lon, lat, lon, lat]))
    if request.method == "POST":
        body = orjson.loads(await request.body())
        features = body.get("features", [body])
        boxes = [shape_of(one["geometry"]).bounds for one in features]
        wests, souths, easts, norths = zip(*boxes, strict=True)
        return _box(box_in_degrees(request, [min(wests), min(souths), max(easts), max(norths)]))
    return None


def _box(corners: Sequence[float]) -> GeoJson:
    west, south, east, north = corners
    return box_geometry(
        [
            min(max(west, -180), 180),
            min(max(south, -90), 90),
            min(max(east, -180), 180),
            min(max(north, -90), 90),
        ]
    )
