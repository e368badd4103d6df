"""`/basemap`: Natural Earth's countries as vector tiles, so that maps need nobody else's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow.parquet as pq
import shapely
from fastapi import APIRouter, Path, Response
from numpy.typing import NDArray
from pyproj import Transformer
from shapely import STRtree

from thalweg.features import mvt
from thalweg.hexagons.outlines import Scale, outlines_file
from thalweg.hexagons.sphere import Geometries

MOST_ZOOM = 8
"""Maps draw the tiles of this zoom at all larger ones: the outlines have no more to tell."""
_DETAIL_FROM = 4
_HALF_THE_WORLD_M = 20_037_508.342789244
_MOST_LATITUDE = 85.0511287798
_HALF_A_PIXEL = 4  # in units of a tile that is drawn 512 pixels wide
_MEDIA_TYPE = "application/vnd.mapbox-vector-tile"

router = APIRouter(prefix="/basemap", include_in_schema=False)


@dataclass(frozen=True)
class _Countries:
    """Their names, outlines and where the names stand, in Web Mercator."""

    names: NDArray[np.object_]
    outlines: Geometries
    labels: Geometries
    tree: STRtree


@router.get("/{z}/{x}/{y}.mvt", response_class=Response)
def tile(
    z: int = Path(ge=0, le=MOST_ZOOM),
    x: int = Path(ge=0, lt=1 << MOST_ZOOM),
    y: int = Path(ge=0, lt=1 << MOST_ZOOM),
) -> Response:
    """The countries in a tile, and their names; 204 at sea and where no outlines were made."""
    content = _tile(z, x, y)
    headers = {"Cache-Control": "public, max-age=86400"}
    if not content:
        return Response(status_code=204, headers=headers)
    return Response(content, headers=headers, media_type=_MEDIA_TYPE)


@lru_cache(maxsize=512)
def _tile(z: int, x: int, y: int) -> bytes:
    scale: Scale = "10m" if z >= _DETAIL_FROM else "50m"
    if not outlines_file(scale).exists():
        return b""
    held = _countries(scale)
    box = _box(z, x, y)
    around = mvt.BUFFER / mvt.EXTENT * (box[2] - box[0])
    near = np.sort(held.tree.query(shapely.buffer(shapely.box(*box), around, join_style="mitre")))
    if not len(near):
        return b""
    names = held.names[near]
    labels = mvt.on_tile(held.labels[near], box)
    # Each name stands on the one tile that it is of.
    there = shapely.within(labels, shapely.box(0, 0, mvt.EXTENT - 1, mvt.EXTENT - 1))
    outlines = mvt.on_tile(held.outlines[near], box, _HALF_A_PIXEL)
    return _layer("countries", outlines, names) + _layer("names", labels[there], names[there])


def _layer(name: str, geometries: Geometries, names: NDArray[np.object_]) -> bytes:
    return mvt.layer(name, geometries, {"name": names.tolist()})


def _box(z: int, x: int, y: int) -> tuple[float, float, float, float]:
    """West, south, east and north of a tile in metres of Web Mercator."""
    side = 2 * _HALF_THE_WORLD_M / 2**z
    west, north = x * side - _HALF_THE_WORLD_M, _HALF_THE_WORLD_M - y * side
    return west, north - side, west + side, north


@lru_cache
def _countries(scale: Scale) -> _Countries:
    table = pq.read_table(outlines_file(scale), columns=["name", "geometry"], use_threads=False)
    outlines = shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False))
    there = ~shapely.is_empty(outlines)
    outlines, names = outlines[there], np.array(table["name"].to_pylist(), object)[there]
    labels = np.array([_label_point(outline) for outline in outlines], object)
    placed = _projected(outlines)
    return _Countries(names, placed, _projected(labels), STRtree(placed))


def _projected(geometries: Geometries) -> Geometries:
    longitude, latitude = shapely.get_coordinates(geometries).T
    there = Transformer.from_crs(4326, 3857, always_xy=True)
    moved = there.transform(longitude, np.clip(latitude, -_MOST_LATITUDE, _MOST_LATITUDE))
    projected: Geometries = shapely.set_coordinates(geometries.copy(), np.column_stack(moved))
    return projected


def _label_point(outline: shapely.Geometry) -> shapely.Geometry:
    """The centre of the largest part, or a point in it where its centre is outside."""
    parts = shapely.get_parts(outline)
    largest = parts[int(np.argmax(shapely.area(parts)))]
    centre = shapely.centroid(largest)
    return centre if shapely.contains(largest, centre) else shapely.point_on_surface(largest)
