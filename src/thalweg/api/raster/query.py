"""`/api/raster`: windows and values of an item's raster, in one request each."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Body, Depends, FastAPI, Query, Request, Response
from pydantic import BaseModel, Field
from rio_tiler.constants import WGS84_CRS
from rio_tiler.models import ImageData, PointData
from titiler.core.resources.enums import ImageType

from thalweg.api.parts import Part
from thalweg.api.raster.checks import checked_area, checked_vertices
from thalweg.api.raster.colormaps import Colormap
from thalweg.api.raster.conditional import ConditionalRoute, validate
from thalweg.api.raster.parameters import Bands, Rendering, colormap_of
from thalweg.api.raster.paths import CollectionId, ItemId, raster_in
from thalweg.api.raster.reader import SPECIAL, opened
from thalweg.api.raster.rendering import rendered
from thalweg.api.raster.source import RETURN_PERIOD, Raster, scaled
from thalweg.api.services import Held, Services
from thalweg.catalog.geometries import box_geometry, checked_box
from thalweg.errors import InvalidRequest

PREFIX = "/api/raster"
TITLE = "windows and values of one raster: extract, point, clip, preview"
_PREVIEW = 512


class Format(StrEnum):
    """What a window is answered as."""

    TIF = "tif"
    PNG = "png"
    NPY = "npy"
    JPEG = "jpeg"
    WEBP = "webp"


class Value(BaseModel):
    """The value of one band at a place."""

    band: str
    return_period: float | None = Field(description="In years, where the band stands for one.")
    value: float | None = Field(description="Null where there is no data, or no measurement.")
    unit: str | None
    meaning: str | None = Field(
        description="What is there instead of a measurement, such as permanent_water."
    )


class Values(BaseModel):
    """The values of a raster's bands at a place."""

    collection: str
    item: str
    lon: float
    lat: float
    values: list[Value]


def degrees(bbox: str) -> tuple[float, float, float, float]:
    """A box as text; raises `InvalidRequest` for one that has no area or crosses 180 degrees."""
    try:
        numbers = [float(part) for part in bbox.split(",")]
    except ValueError as error:
        raise InvalidRequest(
            f"bbox {bbox[:64]!r} is no box", hint="give west,south,east,north in degrees"
        ) from error
    west, south, east, north = checked_box(numbers)
    if not (west < east and south < north):
        raise InvalidRequest(
            "the box has no area, or crosses the antimeridian",
            hint="give west,south,east,north; over the antimeridian, ask for each side",
        )
    return west, south, east, north


Bbox = Annotated[
    str, Query(description="West,south,east,north in degrees.", examples=["29.9,-2.1,30.1,-1.9"])
]
Longitude = Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False)]
Latitude = Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False)]
_Size = Annotated[int | None, Query(gt=0, description="In pixels. Default: the raster's own.")]
_Form = Annotated[Format, Query(alias="format", description="Arrays have the file's own values.")]


router = APIRouter(prefix=PREFIX, tags=["Raster queries"], route_class=ConditionalRoute)


async def _raster_of(
    request: Request,
    services: Held,
    collection_id: CollectionId,
    item_id: ItemId,
    asset: Annotated[str, Query(description="Which of the item's assets.")] = "data",
) -> Raster:
    """The raster that a path names."""
    raster = await raster_in(services, collection_id, item_id, asset)
    validate(request, [raster])
    return raster


Named = Annotated[Raster, Depends(_raster_of)]
AskedBands = Annotated[Bands, Depends()]
Look = Annotated[Rendering, Depends()]
Colours = Annotated[Colormap | None, Depends(colormap_of)]
_IMAGES: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        200: {
            "description": "The window, as a picture or an array.",
            "content": {ImageType(one).mediatype: {} for one in Format},
        }
    },
}


def _answer(image: ImageData, form: Format, colormap: Colormap | None, look: Rendering) -> Response:
    content, media_type = rendered(image, ImageType(form), colormap, **look.as_dict())
    return Response(content, media_type=media_type)


@router.get("/extract/{collection_id}/{item_id}", **_IMAGES)
def extract(
    request: Request,
    services: Held,
    raster: Named,
    bbox: Bbox,
    bands: AskedBands,
    look: Look,
    colormap: Colours,
    form: _Form = Format.TIF,
    width: _Size = None,
    height: _Size = None,
) -> Response:
    """The pixels that share area with a box."""
    box = degrees(bbox)
    checked_area(request, box_geometry(box))
    with opened(services, raster) as reader:
        image = reader.part(
            reader.snapped(box, WGS84_CRS),
            dst_crs=reader.crs,
            bounds_crs=reader.crs,
            width=width,
            height=height,
            **bands.as_dict(),
        )
    return _answer(image, form, colormap, look)


@router.post("/clip/{collection_id}/{item_id}", **_IMAGES)
def clip(
    request: Request,
    services: Held,
    raster: Named,
    geometry: Annotated[
        dict[str, Any],
        Body(
            description="A GeoJSON geometry, or a feature of one, in degrees.",
            examples=[
                {
                    "type": "Polygon",
                    "coordinates": [[[29.9, -2.1], [30.1, -2.1], [30, -1.9], [29.9, -2.1]]],
                }
            ],
        ),
    ],
    bands: AskedBands,
    look: Look,
    colormap: Colours,
    form: _Form = Format.TIF,
    width: _Size = None,
    height: _Size = None,
) -> Response:
    """The pixels that a geometry touches; the others are without data."""
    shape = checked_vertices(request, geometry.get("geometry", geometry))
    checked_area(request, shape)
    with opened(services, raster) as reader:
        image = reader.feature(
            shape,
            dst_crs=reader.crs,
            shape_crs=WGS84_CRS,
            width=width,
            height=height,
            align_bounds_with_dataset=not (width or height),
            **bands.as_dict(),
        )
    return _answer(image, form, colormap, look)


@router.get("/preview/{collection_id}/{item_id}", **_IMAGES)
def preview(
    services: Held,
    raster: Named,
    bands: AskedBands,
    look: Look,
    colormap: Colours,
    form: _Form = Format.PNG,
    max_size: Annotated[
        int, Query(gt=0, le=4096, description="The longer side, in pixels.")
    ] = _PREVIEW,
) -> Response:
    """The whole raster, made small."""
    with opened(services, raster) as reader:
        image = reader.preview(max_size=max_size, **bands.as_dict())
    return _answer(image, form, colormap, look)


@router.get("/point/{collection_id}/{item_id}")
def point(
    services: Held, raster: Named, lon: Longitude, lat: Latitude, bands: AskedBands
) -> Values:
    """The values of the pixel at a place: for a hazard, its curve over return periods."""
    with opened(services, raster) as reader:
        found = reader.point(lon, lat, coord_crs=WGS84_CRS, **bands.as_dict())
    return Values(
        collection=raster.collection,
        item=raster.item,
        lon=lon,
        lat=lat,
        values=values_of(raster, found),
    )


def values_of(raster: Raster, found: PointData) -> list[Value]:
    """The values of rio-tiler's point, in the bands' units."""
    special = found.metadata.get(SPECIAL)
    values = []
    for n, name in enumerate(found.band_names):
        band = raster.bands[int(name.removeprefix("b")) - 1]
        known = not np.ma.getmaskarray(found.array)[n]
        values.append(
            Value(
                band=band["name"],
                return_period=band.get(RETURN_PERIOD),
                value=scaled(band, found.array.data[n]) if known else None,
                unit=band.get("unit"),
                meaning=None if special is None else raster.special.get(int(special[n])),
            )
        )
    return values


def install(app: FastAPI, _services: Services) -> None:
    """Adds the four queries."""
    app.include_router(router)


RASTER_QUERIES = Part(PREFIX, TITLE, install)
