"""`/flood`: floods by scenario and return period on a map, and the depths at a place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from thalweg.api.items import items_of
from thalweg.api.raster.paths import readable
from thalweg.api.raster.query import values_of
from thalweg.api.raster.reader import opened
from thalweg.api.raster.rendering import style_of
from thalweg.api.raster.source import RETURN_PERIOD, Raster, scaled
from thalweg.api.services import Held, Services
from thalweg.catalog.arrays import is_raster
from thalweg.catalog.geometries import box_geometry
from thalweg.catalog.item_search import ItemSearch
from thalweg.catalog.ledger import Document
from thalweg.catalog.stac import PREFIX
from thalweg.domain.coordinates import NONE
from thalweg.domain.tiles import Tile
from thalweg.domain.units import convert
from thalweg.errors import NothingFound, OutsideData, UnknownValue
from thalweg.web.curve import Depth, charted
from thalweg.web.documents import collections_of, depth_bands, union
from thalweg.web.pages import PageRoute, is_partial, rendered
from thalweg.web.pipelines import Pipelines
from thalweg.web.scenarios import Choice, Scenario, Titles, choose, nearest_period

_MOST_SCENARIOS = 2000
_MOST_RASTERS = 64
_STOPS = 6

router = APIRouter(prefix="/flood", route_class=PageRoute, include_in_schema=False)

Longitude = Annotated[float | None, Query(ge=-180, le=180, allow_inf_nan=False)]
Latitude = Annotated[float | None, Query(ge=-90, le=90, allow_inf_nan=False)]


@dataclass(frozen=True)
class Legend:
    """The colours of depths in metres, from the least to the greatest drawn."""

    stops: tuple[tuple[float, str], ...]
    water: bool


@dataclass(frozen=True)
class Explored:
    """What the page shows: a scenario of a collection, its rasters, and one return period."""

    collection: Document
    others: tuple[Document, ...]
    choice: Choice
    items: tuple[Document, ...]
    periods: tuple[float, ...]
    period: float
    query: Mapping[str, str]
    """The choice as the parameters of a link, without the return period."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        return union([item["bbox"] for item in self.items])

    @property
    def tiles(self) -> str:
        """The tiles' path, in which the return period is still to be put."""
        collection = f"raster/collections/{self.collection['id']}"
        if len(self.items) == 1:
            return f"{collection}/items/{self.items[0]['id']}/{_TILES}"
        return f"{collection}/{_TILES}&{urlencode({'filter': _as_text(self.choice.scenario)})}"

    @property
    def preview(self) -> str:
        """The path of a picture of the first raster."""
        item = f"raster/collections/{self.collection['id']}/items/{self.items[0]['id']}"
        return f"{item}/preview.png?return_period={self.period:g}&max_size=800"

    def link(self, **more: Any) -> str:
        """The query of a link to this, or with other values."""
        told = {**self.query, "return_period": f"{self.period:g}", **more}
        return urlencode({name: value for name, value in told.items() if value is not None})


_TILES = "tiles/WebMercatorQuad/{z}/{x}/{y}.png?return_period={return_period}"


@router.get("", response_class=Response)
async def flood(
    request: Request, services: Held, lon: Longitude = None, lat: Latitude = None
) -> Response:
    """The page; or for HTMX what changes with the choice."""
    shown = await _explored(request, services)
    if shown is None:
        return rendered(request, "flood_none.html")
    raster = readable(services, shown.items[0])
    at = None
    if lon is not None and lat is not None and not is_partial(request):
        at = await _place(services, shown, lon, lat)
    return rendered(
        request,
        "flood_panel.html" if is_partial(request) else "flood.html",
        shown=shown,
        legend=_legend(raster, shown.period),
        lon=lon,
        lat=lat,
        at=at,
    )


@router.get("/point", response_class=Response)
async def point(
    request: Request, services: Held, lon: Longitude = None, lat: Latitude = None
) -> Response:
    """The depths at a place by return period, as a part of the page or a page of its own."""
    shown = await _explored(request, services)
    if shown is None:
        raise NothingFound("no flood depths are catalogued")
    at = None if lon is None or lat is None else await _place(services, shown, lon, lat)
    template = "flood_point.html" if is_partial(request) else "flood_point_page.html"
    return rendered(request, template, shown=shown, lon=lon, lat=lat, at=at)


async def _explored(request: Request, services: Services) -> Explored | None:
    """What a request asks for; None where no flood depths are catalogued."""
    wished = dict(request.query_params)
    floods = [
        one for one in await collections_of(services) if await _has_depths(services, one["id"])
    ]
    if not floods:
        return None
    collection = next((one for one in floods if one["id"] == wished.get("collection")), floods[0])
    pipelines: Pipelines = request.app.state.pipelines
    titles = await run_in_threadpool(pipelines.titles)
    choice = choose(await _scenarios(services, collection, titles), wished, titles)
    found = await items_of(
        services,
        ItemSearch([collection["id"]], filter=_as_json(choice.scenario), limit=_MOST_RASTERS),
    )
    items = tuple(item for item in found if is_raster(item))
    periods = tuple(float(band[RETURN_PERIOD]) for band in depth_bands(items[0]))
    return Explored(
        collection,
        tuple(floods),
        choice,
        items,
        periods,
        nearest_period(periods, wished.get("return_period", "")),
        {"collection": collection["id"], **choice.scenario},
    )


async def _has_depths(services: Services, collection: str) -> bool:
    found = await items_of(services, ItemSearch([collection], limit=1))
    return any(is_raster(item) and depth_bands(item) for item in found)


async def _scenarios(services: Services, collection: Document, titles: Titles) -> list[Scenario]:
    """The scenarios of a collection: those of one of its places, for they are everywhere alike."""
    values = {
        name.removeprefix(PREFIX): values
        for name, values in collection.get("summaries", {}).items()
        if name.startswith(PREFIX) and isinstance(values, list)
    }
    places = [name for name in values if all(_is_tile(str(one)) for one in values[name])]
    known = list(titles.dimensions)
    names = sorted(
        (name for name in values if name not in places),
        key=lambda name: (known.index(name) if name in known else len(known), name),
    )
    place = _as_json({name: str(values[name][0]) for name in places})
    found = await items_of(
        services, ItemSearch([collection["id"]], filter=place, limit=_MOST_SCENARIOS)
    )
    scenarios = {
        tuple(str(item["properties"].get(PREFIX + name, NONE)) for name in names)
        for item in found
        if is_raster(item)
    }
    return [dict(zip(names, one, strict=True)) for one in sorted(scenarios)]


def _is_tile(value: str) -> bool:
    try:
        Tile.parse(value)
    except UnknownValue:
        return False
    return True


def _as_json(scenario: Scenario) -> Document | None:
    """CQL2 for the items of a scenario; None for all."""
    conditions: list[Document] = []
    for name, value in scenario.items():
        prop = {"property": PREFIX + name}
        conditions.append(
            {"op": "isNull", "args": [prop]}
            if value == NONE
            else {"op": "=", "args": [prop, value]}
        )
    if len(conditions) > 1:
        return {"op": "and", "args": conditions}
    return conditions[0] if conditions else None


def _as_text(scenario: Scenario) -> str:
    return " AND ".join(
        f'"{PREFIX}{name}" IS NULL'
        if value == NONE
        else f"\"{PREFIX}{name}\" = '{value.replace("'", "''")}'"
        for name, value in scenario.items()
    )


def _legend(raster: Raster, period: float) -> Legend:
    band = raster.periods()[period]
    told = raster.bands[band - 1]
    style = style_of(raster, band)
    low, high = style.range
    stops = []
    for n in range(_STOPS):
        share = n / (_STOPS - 1)
        metres = convert(scaled(told, low + (high - low) * share), told["unit"], "m")
        red, green, blue = style.colormap.table[round(255 * share)][:3]
        stops.append((round(metres, 3), f"#{red:02x}{green:02x}{blue:02x}"))
    return Legend(tuple(stops), bool(raster.special))


async def _place(services: Services, shown: Explored, lon: float, lat: float) -> Document:
    """The depths at a place and their chart; what is wrong where there are none."""
    search = ItemSearch(
        [shown.collection["id"]],
        place=box_geometry([lon, lat, lon, lat]),
        filter=_as_json(shown.choice.scenario),
        limit=_MOST_RASTERS,
    )
    items = [item for item in await items_of(services, search) if is_raster(item)]
    depths: list[Depth] = []
    for item in items:
        raster = readable(services, item)
        try:
            depths = await run_in_threadpool(_depths, services, raster, lon, lat)
        except OutsideData:
            continue
        if any(one.told != "no data" for one in depths):
            break
    return {"depths": depths, "chart": charted(depths) if depths else None}


def _depths(services: Services, raster: Raster, lon: float, lat: float) -> list[Depth]:
    with opened(services, raster) as reader:
        values = values_of(raster, reader.point(lon, lat))
    return [
        Depth(value.return_period, None, (value.meaning or "").replace("_", " "))
        if value.value is None
        else Depth(value.return_period, convert(value.value, value.unit or "m", "m"))
        for value in sorted(values, key=lambda one: one.return_period or 0)
        if value.return_period is not None
    ]
