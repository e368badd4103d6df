"""`/basemap`: Natural Earth's countries as vector tiles, so that maps need nobody else's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow.parquet as pq
import shapely
from fastapi import APIRouter, Path, Response
from shapely import STRtree

from thalweg.hexagons.outlines import Scale, outlines_file
from thalweg.hexagons.sphere import Geometries
from thalweg.web.vector_tiles import Layer, clipped, encoded, tile_bounds

MOST_ZOOM = 8
"""Maps draw the tiles of this zoom at all larger ones: the outlines have no more to tell."""
_DETAIL_FROM = 4
_MEDIA_TYPE = "application/vnd.mapbox-vector-tile"

router = APIRouter(prefix="/basemap", include_in_schema=False)


@dataclass(frozen=True)
class _Countries:
    names: tuple[str, ...]
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
    near = np.sort(held.tree.query(shapely.box(*tile_bounds(z, x, y))))
    if not len(near):
        return b""
    names = [held.names[n] for n in near]
    layers = [
        Layer("countries", list(clipped(held.outlines[near], z, x, y)), names),
        Layer("names", list(held.labels[near]), names),
    ]
    return encoded(layers, z, x, y)


@lru_cache
def _countries(scale: Scale) -> _Countries:
    table = pq.read_table(outlines_file(scale), columns=["name", "geometry"], use_threads=False)
    outlines = shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False))
    there = ~shapely.is_empty(outlines)
    outlines, names = outlines[there], np.array(table["name"].to_pylist(), object)[there]
    return _Countries(
        tuple(names),
        outlines,
        np.array([_label_point(outline) for outline in outlines], object),
        STRtree(outlines),
    )


def _label_point(outline: shapely.Geometry) -> shapely.Geometry:
    """The centre of the largest part, or a point in it where its centre is outside."""
    parts = shapely.get_parts(outline)
    largest = parts[int(np.argmax(shapely.area(parts)))]
    centre = shapely.centroid(largest)
    return centre if shapely.contains(largest, centre) else shapely.point_on_surface(largest)
