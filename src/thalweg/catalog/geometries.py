"""Geometries and boxes that a request gives, checked before anything is done with them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from thalweg.errors import InvalidRequest

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

type GeoJson = dict[str, Any]

MOST_VERTICES = 20_000
_TYPES = {
    "Point",
    "MultiPoint",
    "LineString",
    "MultiLineString",
    "Polygon",
    "MultiPolygon",
    "GeometryCollection",
}
_DEEPEST = 8


def checked_geometry(given: Mapping[str, Any]) -> GeoJson:
    """A GeoJSON geometry in degrees as it was given; raises `InvalidRequest`."""
    checked = well_formed_geometry(given)
    west, south, east, north = shape_of(checked).bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise InvalidRequest(
            "the geometry is not on the globe",
            hint="give longitudes, then latitudes, in degrees; split it at the antimeridian",
        )
    return checked


def well_formed_geometry(given: Mapping[str, Any]) -> GeoJson:
    """A GeoJSON geometry in any reference system as it was given; raises `InvalidRequest`."""
    import shapely

    if str(given.get("type")) not in _TYPES:
        raise InvalidRequest("a geometry is GeoJSON of a known type", hint=", ".join(_TYPES))
    _check_vertices([given.get("coordinates"), given.get("geometries")])
    try:
        geometry = shapely.from_geojson(json.dumps(given))
    except (shapely.errors.ShapelyError, ValueError, TypeError) as error:
        raise InvalidRequest("the geometry is no valid GeoJSON") from error
    if geometry is None or geometry.is_empty:
        raise InvalidRequest("the geometry is empty")
    return dict(given)


def box_geometry(given: Sequence[float]) -> GeoJson:
    """A box of 4 or 6 numbers as a geometry, in two parts where it crosses the antimeridian.

    Heights are left out. Raises `InvalidRequest`.
    """
    west, south, east, north = checked_box(given)
    spans = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    rings = [[[w, south], [e, south], [e, north], [w, north], [w, south]] for w, e in spans]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings}
    return {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}


def checked_box(given: Sequence[float]) -> tuple[float, float, float, float]:
    """West, south, east and north of a box of 4 or 6 numbers; raises `InvalidRequest`."""
    if isinstance(given, (str, Mapping)) or not isinstance(given, Sequence):
        raise InvalidRequest("bbox is a list of numbers")
    if len(given) not in (4, 6):
        raise InvalidRequest(f"bbox has {len(given)} numbers", hint="give 4, or 6 with heights")
    if not all(isinstance(one, (int, float)) and math.isfinite(one) for one in given):
        raise InvalidRequest("bbox: every number must be finite")
    half = len(given) // 2
    (west, south), (east, north) = given[:2], given[half : half + 2]
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise InvalidRequest(
            "bbox is not on the globe, or upside down",
            hint="give west, south, east, north in degrees; west > east over the antimeridian",
        )
    return west, south, east, north


def spans_of(bbox: Sequence[float]) -> list[tuple[float, float, float, float]]:
    """West, east, south and north of the one or two parts of an item's box."""
    half = len(bbox) // 2
    (west, south), (east, north) = bbox[:2], bbox[half : half + 2]
    if west <= east:
        return [(west, east, south, north)]
    return [(west, 180.0, south, north), (-180.0, east, south, north)]


def shape_of(geometry: Mapping[str, Any]) -> BaseGeometry:
    """A checked geometry as a shape."""
    import shapely

    return shapely.from_geojson(json.dumps(geometry))


def _check_vertices(level: list[Any]) -> None:
    """Counts without recursion."""
    for _ in range(_DEEPEST):
        level = [below for one in level if isinstance(one, (list, Mapping)) for below in _in(one)]
        if len(level) > 4 * MOST_VERTICES:
            raise InvalidRequest(f"the geometry has more than {MOST_VERTICES} vertices")
        if not all(math.isfinite(one) for one in level if isinstance(one, (int, float))):
            raise InvalidRequest("the geometry has a coordinate that is not finite")
        if not any(isinstance(one, (list, Mapping)) for one in level):
            return
    raise InvalidRequest("the geometry is nested too deep")


def _in(node: Any) -> list[Any]:
    return list(node.values()) if isinstance(node, Mapping) else node
