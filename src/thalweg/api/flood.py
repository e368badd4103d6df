"""`/api/flood`: depths in metres by what is asked for, and not by the ids of items."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import rasterio
import shapely
from fastapi import APIRouter, Depends, FastAPI, Query
from fastapi.concurrency import run_in_threadpool
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from rasterio.features import shapes
from rio_tiler.constants import WGS84_CRS

from thalweg.api.items import items_of
from thalweg.api.parts import Part
from thalweg.api.raster.checks import box_km2
from thalweg.api.raster.paths import MOST_RASTERS, readable
from thalweg.api.raster.query import Bbox, Latitude, Longitude, degrees, values_of
from thalweg.api.raster.reader import (
    SPECIAL,
    CatalogReader,
    Mosaic,
    MosaicBackend,
    gdal_environment,
    opened,
)
from thalweg.api.raster.rendering import is_depth
from thalweg.api.raster.source import Raster
from thalweg.api.services import Held, Services
from thalweg.catalog.arrays import check_one_scenario, is_raster
from thalweg.catalog.geometries import GeoJson, box_geometry
from thalweg.catalog.item_search import ItemSearch
from thalweg.catalog.ledger import Document
from thalweg.catalog.search import coordinates
from thalweg.catalog.stac import DATA_ASSET, PREFIX
from thalweg.domain.coordinates import NONE
from thalweg.domain.ellipsoid import SEMI_MAJOR_M, authalic_q
from thalweg.domain.units import convert
from thalweg.errors import (
    AmbiguousScenario,
    InvalidRequest,
    OutsideData,
    RequestTooLarge,
    UnknownCoordinate,
)

_PATH = "/api/flood"
TITLE = "depths of floods in metres: at a point, along a line, in a box"
_MOST_ITEMS = 1000
_MOST_SAMPLES = 500
_MOST_OUTLINED = 1_000_000
_HAZARDS = {"op": "not", "args": [{"op": "isNull", "args": [{"property": f"{PREFIX}peril"}]}]}
_DIMENSIONS = ("peril", "defence", "year", "scenario")

router = APIRouter(prefix=_PATH, tags=["Flood"])


@dataclass(frozen=True)
class Choice:
    """A scenario by meaning: what is None is not asked for."""

    collection: str | None
    peril: str | None
    defence: str | None
    year: str | None
    scenario: str | None


async def choice_of(
    peril: Annotated[str | None, Query(examples=["fluvial"])] = None,
    defended: Annotated[
        bool | None, Query(description="With flood defences, or as if there were none.")
    ] = None,
    year: Annotated[int | None, Query(examples=[2050])] = None,
    scenario: Annotated[
        str | None, Query(description="Of climate; `none` for today's.", examples=["ssp245"])
    ] = None,
    collection: Annotated[str | None, Query(description="Where several have floods.")] = None,
) -> Choice:
    """What a request's parameters choose."""
    defence = None if defended is None else "defended" if defended else "undefended"
    return Choice(collection, peril, defence, None if year is None else str(year), scenario)


class Scenario(BaseModel):
    """What was chosen; null is a dimension that does not apply."""

    collection: str
    items: list[str]
    peril: str | None
    defended: bool | None
    year: int | None
    scenario: str | None


class Depth(BaseModel):
    """The depth that is reached once in so many years."""

    return_period: float = Field(description="In years.")
    annual_probability: float
    depth: float | None = Field(description="In metres; null where it is not known.")


class DepthCurve(Scenario):
    """The depths at a place."""

    lon: float
    lat: float
    unit: str = "m"
    permanent_water: bool
    curve: list[Depth]
    reached_at: float | None = Field(
        description="The shortest return period at which `threshold` is reached, if at any."
    )


class ProfilePoint(BaseModel):
    """A place along a line."""

    distance_km: float
    lon: float
    lat: float
    depth: float | None
    permanent_water: bool


class Profile(Scenario):
    """The depths along a line."""

    return_period: float
    unit: str = "m"
    points: list[ProfilePoint]


class Extent(Scenario):
    """What is flooded in a box; areas are on the WGS 84 ellipsoid."""

    return_period: float
    threshold: float
    flooded_km2: float
    permanent_water_km2: float
    without_data_km2: float
    box_km2: float
    mean_depth: float | None = Field(description="In metres, of what is flooded.")
    deepest: float | None


class ExtentFeature(BaseModel):
    """The flooded place, and its figures."""

    type: str = "Feature"
    geometry: dict[str, Any] | None
    properties: Extent


Chosen = Annotated[Choice, Depends(choice_of)]
Threshold = Annotated[
    float, Query(ge=0, allow_inf_nan=False, description="The least depth that counts, in metres.")
]
ReturnPeriod = Annotated[float, Query(gt=0, allow_inf_nan=False, description="In years.")]


@router.get("/point")
async def point(
    services: Held,
    lon: Longitude,
    lat: Latitude,
    choice: Chosen,
    return_period: Annotated[
        list[float] | None, Query(description="Only these, in years. Default: all.")
    ] = None,
    threshold: Annotated[float | None, Query(gt=0, allow_inf_nan=False)] = None,
) -> DepthCurve:
    """The depth at a place over return periods."""
    items = await hazards(services, box_geometry([lon, lat, lon, lat]), choice)
    rasters = [readable(services, item) for item in items]
    return await run_in_threadpool(
        _curve, services, items, rasters, lon, lat, return_period, threshold
    )


@router.get("/profile")
async def profile(
    services: Held,
    line: Annotated[
        str,
        Query(
            description="Places in degrees: lon,lat;lon,lat and so on.",
            examples=["29.9,-2.1;30.1,-1.9"],
        ),
    ],
    return_period: ReturnPeriod,
    choice: Chosen,
    samples: Annotated[int, Query(ge=2, le=_MOST_SAMPLES)] = 100,
) -> Profile:
    """The depth at places in even steps along a line."""
    given = _line(line)
    place: GeoJson = {"type": "LineString", "coordinates": [list(one) for one in given.coords]}
    items = await hazards(services, place, choice)
    rasters = [readable(services, item) for item in items]
    points = await run_in_threadpool(_along, services, rasters, given, samples, return_period)
    return Profile(**_scenario(items), return_period=return_period, points=points)


@router.get("/extent")
async def extent(
    services: Held,
    bbox: Bbox,
    return_period: ReturnPeriod,
    choice: Chosen,
    threshold: Threshold = 0.0,
    geometry: Annotated[
        bool, Query(description="Whether to outline it, or to give figures alone.")
    ] = True,
) -> ExtentFeature:
    """What is flooded in a box to a depth or more: its area, and its outline."""
    box = degrees(bbox)
    items = await hazards(services, box_geometry(box), choice)
    rasters = tuple(readable(services, item) for item in items)
    figures, outline = await run_in_threadpool(
        _flooded, services, rasters, box, return_period, threshold, geometry
    )
    told = Extent(**_scenario(items), return_period=return_period, threshold=threshold, **figures)
    return ExtentFeature(geometry=outline, properties=told)


async def hazards(services: Services, place: GeoJson, choice: Choice) -> list[Document]:
    """The items of one scenario of floods that are at a place.

    Raises `OutsideData`, `UnknownCoordinate` for a value that no item there has, and
    `AmbiguousScenario`; both name what there is.
    """
    collections = [choice.collection] if choice.collection else None
    search = ItemSearch(collections, place=place, filter=_HAZARDS, limit=_MOST_ITEMS)
    found = [one for one in await items_of(services, search) if _is_hazard(one)]
    if not found:
        raise OutsideData(
            "no depths of floods are catalogued there", hint="/stac/collections tells what is where"
        )
    for name in _DIMENSIONS:
        found = _with(found, name, getattr(choice, name))
    try:
        check_one_scenario(found)
    except AmbiguousScenario as error:
        hint = error.hint.replace("defence (", "defended: true or false (")
        raise AmbiguousScenario(error.message, hint=hint) from error
    if len(found) > MOST_RASTERS:
        raise RequestTooLarge(
            f"{len(found)} rasters are there; {MOST_RASTERS} are the most",
            hint="ask for a smaller place",
        )
    return found


def _is_hazard(item: Document) -> bool:
    return is_raster(item) and all(map(is_depth, item["assets"][DATA_ASSET].get("bands", [{}])))


def _with(items: list[Document], name: str, wanted: str | None) -> list[Document]:
    if wanted is None:
        return items
    known = sorted({coordinates(one).get(name, NONE) for one in items})
    if wanted not in known:
        raise UnknownCoordinate(
            f"there is no {name} {wanted[:64]!r}", hint=f"there are {', '.join(known)}"
        )
    return [one for one in items if coordinates(one).get(name, NONE) == wanted]


def _scenario(items: list[Document]) -> dict[str, Any]:
    held = coordinates(items[0])
    defence, year = held.get("defence"), held.get("year")
    return {
        "collection": items[0]["collection"],
        "items": [one["id"] for one in items],
        "peril": held.get("peril"),
        "defended": None if defence is None else defence == "defended",
        "year": int(year) if year and year.isdecimal() else None,
        "scenario": held.get("scenario"),
    }


def _curve(
    services: Services,
    items: list[Document],
    rasters: list[Raster],
    lon: float,
    lat: float,
    periods: list[float] | None,
    threshold: float | None,
) -> DepthCurve:
    """Of the raster that has the pixel: the boxes of two may touch at the place."""
    for item, raster in zip(items, rasters, strict=True):
        with opened(services, raster) as reader:
            try:
                found = reader.point(lon, lat, coord_crs=WGS84_CRS, return_periods=periods)
            except OutsideData:
                continue
        values = values_of(raster, found)
        curve = [
            Depth(
                return_period=one.return_period,
                annual_probability=1 / one.return_period,
                depth=None if one.value is None else convert(one.value, str(one.unit), "m"),
            )
            for one in values
            if one.return_period is not None
        ]
        reached = [
            one.return_period
            for one in curve
            if threshold is not None and one.depth is not None and one.depth >= threshold
        ]
        return DepthCurve(
            **_scenario([item]),
            lon=lon,
            lat=lat,
            permanent_water=any(one.meaning is not None for one in values),
            curve=curve,
            reached_at=min(reached, default=None),
        )
    raise OutsideData(f"no pixel is at {lon:g}, {lat:g}", hint="it is on the edge of the data")


def _along(
    services: Services,
    rasters: list[Raster],
    line: shapely.LineString,
    samples: int,
    period: float,
) -> list[ProfilePoint]:
    from pyproj import Geod

    places = [line.interpolate(n / (samples - 1), normalized=True) for n in range(samples)]
    lons, lats = [one.x for one in places], [one.y for one in places]
    steps = Geod(ellps="WGS84").line_lengths(lons, lats)
    distances = np.concatenate([[0.0], np.cumsum(steps)]) / 1000
    depths: list[tuple[float | None, bool]] = [(None, False)] * samples
    for raster in reversed(rasters):  # where two meet, the first counts
        with opened(services, raster) as reader:
            for n, depth in _samples(reader, lons, lats, period):
                depths[n] = depth
    return [
        ProfilePoint(
            distance_km=round(float(distance), 6),
            lon=lon,
            lat=lat,
            depth=depth,
            permanent_water=wet,
        )
        for distance, lon, lat, (depth, wet) in zip(distances, lons, lats, depths, strict=True)
    ]


def _samples(
    reader: CatalogReader, lons: list[float], lats: list[float], period: float
) -> Iterator[tuple[int, tuple[float | None, bool]]]:
    """The depth, and whether there is permanent water, of each place in the raster, by number."""
    for n, (lon, lat) in enumerate(zip(lons, lats, strict=True)):
        try:
            found = reader.point(lon, lat, coord_crs=WGS84_CRS, return_periods=[period])
        except OutsideData:
            continue
        (value,) = values_of(reader.input, found)
        depth = None if value.value is None else convert(value.value, str(value.unit), "m")
        yield n, (depth, value.meaning is not None)


def _flooded(
    services: Services,
    rasters: tuple[Raster, ...],
    box: tuple[float, float, float, float],
    period: float,
    threshold: float,
    outlined: bool,
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    together = MosaicBackend(Mosaic("flood", rasters))  # type: ignore[call-arg]  # attrs makes it
    with rasterio.Env(**gdal_environment(services)), together as mosaic:
        image, _ = mosaic.part(
            box, bounds_crs=WGS84_CRS, dst_crs=WGS84_CRS, return_periods=[period]
        )
    if outlined and image.width * image.height > _MOST_OUTLINED:
        raise RequestTooLarge(
            f"the box has {image.width} x {image.height} pixels; {_MOST_OUTLINED} are outlined "
            "at most",
            hint="ask for a smaller box, or for figures alone: geometry=false",
        )
    raster = rasters[0]
    band = raster.bands[raster.chosen(return_periods=[period])[0] - 1]
    metres = convert(1, band["unit"], "m")
    scale, offset = band.get("raster:scale", 1), band.get("raster:offset", 0)
    depths = (image.array.data[0] * scale + offset) * metres
    known = ~np.ma.getmaskarray(image.array)[0]
    flooded = known & (depths > 0) & (depths >= threshold)
    special = image.metadata.get(SPECIAL)
    water = np.zeros_like(known) if special is None else special[0] != 0
    areas = _pixel_km2(image.transform, image.height)
    inside = depths[flooded]
    weights = np.broadcast_to(areas[:, None], known.shape)[flooded]
    figures = {
        "flooded_km2": _area(flooded, areas),
        "permanent_water_km2": _area(water, areas),
        "without_data_km2": _area(~known & ~water, areas),
        "box_km2": box_km2(*box),
        "mean_depth": _mean(inside, weights),
        "deepest": round(float(inside.max()), 6) if inside.size else None,
    }
    return figures, _outline(flooded, image.transform) if outlined else None


def _pixel_km2(transform: Any, rows: int) -> NDArray[np.float64]:
    """The area of a pixel in each row of a grid in degrees, on the WGS 84 ellipsoid."""
    edges = np.radians(transform.f + transform.e * np.arange(rows + 1))
    width = math.radians(transform.a)
    return -(SEMI_MAJOR_M**2) / 2 * np.diff(authalic_q(edges)) * width / 1e6


def _mean(depths: NDArray[np.float64], weights: NDArray[np.float64]) -> float | None:
    return round(float(np.average(depths, weights=weights)), 6) if depths.size else None


def _area(which: NDArray[np.bool_], areas: NDArray[np.float64]) -> float:
    return float(which.sum(axis=1) @ areas)


def _outline(flooded: NDArray[np.bool_], transform: Any) -> dict[str, Any] | None:
    """The edges of the flooded pixels as a MultiPolygon in degrees."""
    found = shapes(flooded.astype(np.uint8), mask=flooded, transform=transform)
    parts = [geometry["coordinates"] for geometry, _ in found]
    return {"type": "MultiPolygon", "coordinates": parts} if parts else None


def _line(text: str) -> shapely.LineString:
    try:
        places = [tuple(map(float, one.split(","))) for one in text.split(";")]
    except ValueError:
        places = []
    on_globe = all(len(one) == 2 and abs(one[0]) <= 180 and abs(one[1]) <= 90 for one in places)
    if not (2 <= len(places) <= _MOST_SAMPLES and on_globe) or len(set(places)) < 2:
        raise InvalidRequest(
            f"line {text[:64]!r} is no line",
            hint=f"give 2 to {_MOST_SAMPLES} places in degrees, as lon,lat;lon,lat",
        )
    return shapely.LineString(places)


def install(app: FastAPI, _services: Services) -> None:
    """Adds the three questions."""
    app.include_router(router)


FLOOD = Part(_PATH, TITLE, install)
