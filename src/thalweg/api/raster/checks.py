"""What a request for a raster may not be, looked at before anything is opened."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import morecantile
import orjson
from fastapi import Query, Request

from thalweg.api.services import services_of
from thalweg.catalog.geometries import checked_geometry, shape_of, well_formed_geometry
from thalweg.errors import InvalidRequest, RequestTooLarge

TILE_MATRIX_SETS = morecantile.TileMatrixSets(
    {name: morecantile.tms.get(name) for name in ("WebMercatorQuad", "WorldCRS84Quad")}
)
MOST_ZOOM = 24
MOST_SIDE = 2048
_MOST_COVER_SCALE = 20
_MOST_FEATURES = 50
_NUMBERS = ("lon", "lat", "minx", "miny", "maxx", "maxy")
_CRS_PARAMETERS = ("crs", "coord_crs", "dst_crs")
# Degrees, feet and metres of places on earth are far less; from 1e15 metres on PROJ takes seconds
# to turn them round the globe, and from 1e19 on for ever.
_FARTHEST = 1e9
# A CRS by anything else may be an address that GDAL goes to.
_CRS = re.compile(r"(EPSG|OGC|ESRI|IAU_\d{4}):[A-Za-z0-9]{1,10}", re.IGNORECASE)


def check_picture(
    width: Annotated[int | None, Query(ge=1, le=MOST_SIDE)] = None,
    height: Annotated[int | None, Query(ge=1, le=MOST_SIDE)] = None,
) -> None:
    """The sides of a picture that is of no raster; FastAPI refuses what they may not be."""


async def check_request(request: Request) -> None:
    """Raises `InvalidRequest` and `RequestTooLarge`."""
    _check_numbers(request.path_params)
    _check_tile(request.path_params)
    for name in _CRS_PARAMETERS:
        given = request.query_params.get(name)
        if given is not None and not _CRS.fullmatch(given):
            raise InvalidRequest(f"{name} is no CRS by name", hint="such as EPSG:3857")
    if request.method == "POST":
        _check_cover_scale(request.query_params.get("cover_scale", ""))
        await _check_features(request)


def checked_area(request: Request, geometry: Mapping[str, Any]) -> None:
    """Raises `RequestTooLarge` for a geometry whose box is larger than `serve.max_area`."""
    west, south, east, north = box_in_degrees(request, shape_of(geometry).bounds)
    east += 360 if east < west else 0
    area, most = box_km2(west, south, east, north), services_of(request).settings.serve.max_area
    if area > most:
        raise RequestTooLarge(
            f"the place has {area:,.0f} km2; {most:,.0f} are the most",
            hint="ask for a smaller place, or raise serve.max_area",
        )


def box_in_degrees(request: Request, box: Sequence[float]) -> Sequence[float]:
    """West, south, east and north of a box in the `coord_crs` of a request, if it names one.

    West exceeds east over the antimeridian. Raises `InvalidRequest` for a place that has none.
    """
    crs = request.query_params.get("coord_crs")
    if crs is None:
        return box
    from rasterio.errors import RasterioError
    from rasterio.warp import transform_bounds

    if max(map(abs, box)) > _FARTHEST:
        raise InvalidRequest("the geometry is not on the globe")
    try:
        found: Sequence[float] = transform_bounds(crs, "EPSG:4326", *box)
    except RasterioError as error:
        raise InvalidRequest(f"the place has no longitudes and latitudes from {crs}") from error
    if not all(map(math.isfinite, found)):
        raise InvalidRequest(f"the place is not where {crs} holds")
    return found


def box_km2(west: float, south: float, east: float, north: float) -> float:
    """The area of a box in degrees on the WGS 84 ellipsoid, in km2."""
    import numpy as np

    from thalweg.domain.ellipsoid import SEMI_MAJOR_M, authalic_q

    low, high = authalic_q(np.radians([south, north]))
    return float(SEMI_MAJOR_M**2 / 2 * (high - low) * math.radians(east - west) / 1e6)


def checked_vertices(request: Request, geometry: Any) -> dict[str, Any]:
    """A geometry of a request, in its `coord_crs`.

    Raises `InvalidRequest`, and `RequestTooLarge` for too many vertices.
    """
    import shapely

    if not isinstance(geometry, Mapping):
        raise InvalidRequest("the body is a GeoJSON geometry, or a feature of one")
    in_degrees = "coord_crs" not in request.query_params
    checked = checked_geometry(geometry) if in_degrees else well_formed_geometry(geometry)
    most = services_of(request).settings.serve.max_vertices
    vertices = shapely.get_num_coordinates(shape_of(checked))
    if vertices > most:
        raise RequestTooLarge(
            f"the geometry has {vertices} vertices; {most} are the most",
            hint="simplify it, or raise serve.max_vertices",
        )
    return checked


def _check_cover_scale(given: str) -> None:
    """The array of shares is that many times larger, each way, than what is read."""
    if given.isdecimal() and int(given) > _MOST_COVER_SCALE:
        raise RequestTooLarge(
            f"cover_scale is {given[:9]}; {_MOST_COVER_SCALE} is the most", hint="10 is enough"
        )


def _check_numbers(path: Mapping[str, Any]) -> None:
    numbers = {}
    for name in _NUMBERS:
        if name in path:
            try:
                numbers[name] = float(path[name])
            except ValueError as error:
                raise InvalidRequest(f"{name} is no number") from error
    for name, value in numbers.items():
        if not abs(value) <= _FARTHEST:
            raise InvalidRequest(f"{name} is no coordinate of a place on the globe")
    if "minx" in numbers and not (
        numbers["minx"] < numbers["maxx"] and numbers["miny"] < numbers["maxy"]
    ):
        raise InvalidRequest(
            "the box has no area, or is upside down", hint="give west, south, east, north"
        )


def _check_tile(path: Mapping[str, Any]) -> None:
    if "z" not in path:
        return
    try:
        z, x, y = (int(path[name]) for name in "zxy")
    except ValueError as error:
        raise InvalidRequest("z, x and y are whole numbers") from error
    if not 0 <= z <= MOST_ZOOM:
        raise InvalidRequest(f"z is {z}", hint=f"give 0 to {MOST_ZOOM}")
    held = TILE_MATRIX_SETS.list()
    if path["tileMatrixSetId"] not in held:
        raise InvalidRequest(
            "there is no such tile matrix set", hint=f"there are {', '.join(sorted(held))}"
        )
    matrix = TILE_MATRIX_SETS.get(path["tileMatrixSetId"]).matrix(z)
    if not (0 <= x < matrix.matrixWidth and 0 <= y < matrix.matrixHeight):
        raise InvalidRequest(
            f"there is no tile {z}/{x}/{y}",
            hint=f"x is below {matrix.matrixWidth} and y below {matrix.matrixHeight}",
        )


async def _check_features(request: Request) -> None:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("the body is no JSON") from error
    if not isinstance(body, Mapping):
        raise InvalidRequest("the body is a GeoJSON feature")
    features = body.get("features", [body])
    if not isinstance(features, list) or not 0 < len(features) <= _MOST_FEATURES:
        raise RequestTooLarge(
            "the body has no features, or too many", hint=f"give 1 to {_MOST_FEATURES}"
        )
    for one in features:
        geometry = one.get("geometry") if isinstance(one, Mapping) else None
        checked_area(request, checked_vertices(request, geometry))
