"""Polygons of longitude and latitude on the globe: their areas, and the antimeridian.

Edges are straight in longitude and latitude, as in GeoJSON and in h3's own polygon tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.affinity import translate
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

type Geometries = NDArray[np.object_]

AUTHALIC_RADIUS_KM = 6371.007180918475
_WORLD = shapely.box(-180, -90, 180, 90)


def area_km2(geometries: Geometries) -> NDArray[np.float64]:
    """The area of each polygon or multipolygon on the authalic sphere, latitudes as they are.

    Exact for edges straight in longitude and latitude: the area is the integral of sin(latitude)
    over longitude around the outline (Green's theorem), in closed form along each edge. So the
    areas of parts add up to that of the whole. Lines and points have none.
    """
    return enclosed(geometries, _ring_integrals) * AUTHALIC_RADIUS_KM**2


def enclosed(
    geometries: Geometries, ring_integrals: Callable[[Geometries], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """What each polygon or multipolygon encloses, from what each ring does, of either sign."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    is_shell = np.diff(part, prepend=-1) > 0
    areas = np.abs(ring_integrals(rings)) * np.where(is_shell, 1, -1)
    return np.bincount(owner[part], areas, minlength=len(geometries))


def _ring_integrals(rings: Geometries) -> NDArray[np.float64]:
    points, ring = shapely.get_coordinates(rings, return_index=True)
    radians = np.radians(points)
    lon_step, lat_step = np.diff(radians, axis=0).T
    middle = (radians[1:, 1] + radians[:-1, 1]) / 2
    mean_sine = np.sin(middle) * np.sinc(lat_step / (2 * math.pi))
    within = ring[1:] == ring[:-1]
    return np.bincount(ring[1:][within], (lon_step * mean_sine)[within], minlength=len(rings))


def crosses_antimeridian(geometries: Geometries) -> NDArray[np.bool_]:
    """Whether any outline steps over more than half a turn of longitude away from a pole."""
    crossing = np.zeros(len(geometries), np.bool_)
    west, _, east, _ = shapely.bounds(geometries).T
    wide = np.flatnonzero(east - west > 180)
    parts, owner = shapely.get_parts(geometries[wide], return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    step = np.abs(np.diff(points[:, 0]))
    at_pole = np.abs(points[1:, 1] + points[:-1, 1]) == 180
    jumps = (ring[1:] == ring[:-1]) & (step > 180) & ~at_pole
    crossing[wide[owner[part[ring[1:][jumps]]]]] = True
    return crossing


def cut_at_antimeridian(geometry: BaseGeometry) -> BaseGeometry:
    """The same place as a valid geometry of polygons within -180..180 degrees of longitude.

    Points more than half a turn apart are taken to be joined over the antimeridian; a ring that
    goes round the globe encloses the pole of its hemisphere. What is cut already stays as it is.
    """
    parts = shapely.get_parts(geometry)
    whole = [
        _wrapped(_unrolled(part)) if crosses else part
        for part, crosses in zip(parts, crosses_antimeridian(parts), strict=True)
    ]
    return polygons_of(shapely.union_all([polygons_of(part) for part in whole]))


def cut_line_at_antimeridian(line: BaseGeometry) -> BaseGeometry:
    """A line or multiline within -180..180 degrees of longitude.

    Points more than half a turn apart are taken to be joined over the antimeridian.
    """
    parts = [_wrapped(LineString(_unwound(part))) for part in shapely.get_parts(line)]
    return shapely.multilinestrings(shapely.get_parts(parts))


def polygons_of(geometry: BaseGeometry) -> BaseGeometry:
    """The valid polygons of a geometry, without the lines and points that mending left."""
    valid = shapely.make_valid(geometry)
    parts = shapely.get_parts(shapely.get_parts(valid))
    areas = parts[shapely.get_dimensions(parts) == 2]
    return areas[0] if len(areas) == 1 else shapely.multipolygons(areas)


def _unrolled(polygon: Polygon) -> Polygon:
    """The polygon with longitudes that never jump, beyond 180 degrees where need be."""
    shell = _without_jumps(polygon.exterior)
    holes = [_without_jumps(ring) for ring in polygon.interiors]
    west = min(x for x, _ in shell)
    return Polygon(shell, [_turned_beyond(hole, west) for hole in holes])


def _without_jumps(ring: LineString) -> list[tuple[float, float]]:
    lon, lat = _unwound(ring).T
    points = list(zip(lon.tolist(), lat.tolist(), strict=True))
    if abs(lon[-1] - lon[0]) > 180:
        pole = math.copysign(90, lat.sum())
        points += [(points[-1][0], pole), (points[0][0], pole), points[0]]
    return points


def _unwound(line: LineString) -> NDArray[np.float64]:
    """The points of a line [n, 2], none more than half a turn from the one before."""
    lon, lat = np.asarray(line.coords)[:, :2].T
    return np.column_stack([np.unwrap(lon, period=360), lat])


def _turned_beyond(ring: list[tuple[float, float]], west: float) -> list[tuple[float, float]]:
    turn = 360 * math.ceil((west - min(x for x, _ in ring)) / 360)
    return [(x + turn, y) for x, y in ring]


def _wrapped(geometry: BaseGeometry) -> BaseGeometry:
    valid = shapely.make_valid(geometry)
    west, _, east, _ = valid.bounds
    turns = range(math.floor((west + 180) / 360), math.ceil((east + 180) / 360))
    return shapely.union_all(
        [shapely.intersection(translate(valid, -360 * turn), _WORLD) for turn in turns]
    )


def subdivided(geometry: BaseGeometry, most: int = 256) -> list[Polygon]:
    """Polygons of at most so many points that make up the same place: quick to search."""
    return _divided(geometry, lambda polygon: shapely.get_num_coordinates(polygon) <= most)


def narrowed(geometry: BaseGeometry, width: float) -> list[Polygon]:
    """Polygons of at most so many degrees of longitude that make up the same place."""
    return _divided(geometry, lambda polygon: polygon.bounds[2] - polygon.bounds[0] <= width)


def _divided(geometry: BaseGeometry, is_small: Callable[[Polygon], bool]) -> list[Polygon]:
    found: list[Polygon] = []
    pending = [part for part in shapely.get_parts(geometry) if part.area > 0]
    while pending:
        polygon = pending.pop()
        if is_small(polygon):
            found.append(polygon)
            continue
        for half in _halves(polygon.bounds):
            parts = shapely.get_parts(shapely.intersection(polygon, half))
            pending.extend(part for part in parts if part.area > 0)
    return found


def _halves(bounds: tuple[float, float, float, float]) -> tuple[Polygon, Polygon]:
    west, south, east, north = bounds
    if east - west > north - south:
        middle = (west + east) / 2
        return shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)
    middle = (south + north) / 2
    return shapely.box(west, south, east, middle), shapely.box(west, middle, east, north)
