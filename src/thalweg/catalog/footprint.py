"""Where a grid or box lies on the globe: outline and bounding box in WGS 84, as in GeoJSON."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from rasterio._err import CPLE_BaseError  # rasterio.errors has no name for GDAL's own errors
from rasterio.crs import CRS
from rasterio.warp import transform as reproject

from thalweg.domain.tiles import BoundingBox
from thalweg.errors import WrongCrs
from thalweg.raster.grid import Grid

type Point = tuple[float, float]
type Ring = list[Point]

EDGE_SEGMENTS = 32
_DIGITS = 9
_WGS84 = CRS.from_epsg(4326)


def footprint(grid: Grid, *, where: str = "") -> tuple[dict[str, Any], list[float]]:
    """The outline of a grid as GeoJSON geometry, and its bbox [west, south, east, north].

    Longitude and latitude in WGS 84, rounded to 9 decimals. Where the CRS is not geographic, each
    edge is followed in `EDGE_SEGMENTS` straight steps. A grid across the antimeridian gives a
    MultiPolygon cut there, and a bbox whose west is greater than its east (RFC 7946, 5.2); an
    overhang of up to one pixel, as half-pixel grids have, is cut off instead. A grid over a pole
    reaches all longitudes up to it. Raises `WrongCrs` where no coordinates come out.
    """
    ring = _unwrapped(_outline(grid, where))
    if abs(ring[-1][0] - ring[0][0]) > 180:
        ring = _over_the_pole(ring)
    return _placed(_without_overhang(ring, grid))


def box_footprint(box: BoundingBox) -> tuple[dict[str, Any], list[float]]:
    """The outline and bbox of a box, as `footprint` gives those of a grid."""
    east = box.east if box.west <= box.east else box.east + 360
    corners = [(box.west, box.south), (east, box.south), (east, box.north), (box.west, box.north)]
    return _placed([*corners, corners[0]])


def _placed(ring: Ring) -> tuple[dict[str, Any], list[float]]:
    """A closed ring, whose longitudes never jump, as geometry and bbox."""
    west, east = min(x for x, _ in ring), max(x for x, _ in ring)
    turn = 360 * math.floor((west + 180) / 360)
    ring = [(x - turn, y) for x, y in ring]
    if east - turn <= 180:
        return _polygon([ring]), _bbox([ring])
    parts = [_clipped(ring, 180, keep=-1), [(x - 360, y) for x, y in _clipped(ring, 180, keep=1)]]
    if east - west >= 360:
        return _polygon(parts), _bbox(parts)
    south, north = _bbox(parts)[1::2]
    return _polygon(parts), [*_bbox(parts[:1])[:1], south, *_bbox(parts[1:])[2:3], north]


def _outline(grid: Grid, where: str) -> Ring:
    """The closed outer edge, counter-clockwise on a north-up grid."""
    crs = CRS.from_user_input(grid.crs)
    steps = 1 if crs.is_geographic else EDGE_SEGMENTS
    width, height = grid.width, grid.height
    corners = [(0, 0), (0, height), (width, height), (width, 0), (0, 0)]
    pixels = [
        (
            start[0] + (end[0] - start[0]) * step / steps,
            start[1] + (end[1] - start[1]) * step / steps,
        )
        for start, end in pairwise(corners)
        for step in range(steps)
    ]
    a, b, c, d, e, f = grid.transform
    xs = [a * col + b * row + c for col, row in [*pixels, (0, 0)]]
    ys = [d * col + e * row + f for col, row in [*pixels, (0, 0)]]
    if crs == _WGS84:
        return list(zip(xs, ys, strict=True))
    try:
        xs, ys = reproject(crs, _WGS84, xs, ys)
    except CPLE_BaseError as error:
        raise _off_the_globe(grid, where) from error
    if not all(map(math.isfinite, [*xs, *ys])):
        raise _off_the_globe(grid, where)
    return list(zip(xs, ys, strict=True))


def _off_the_globe(grid: Grid, where: str) -> WrongCrs:
    return WrongCrs(
        f"the grid reaches beyond where {grid.crs[:40]} has coordinates",
        hint="is this the CRS of the file, and is its origin right?",
        where=where,
    )


def _unwrapped(ring: Ring) -> Ring:
    """The ring with longitudes that never jump by more than half a turn between points."""
    followed = ring[:1]
    # The edges of a geographic grid may be longer than half a turn: those say what they mean.
    if len(ring) <= 5:
        return list(ring)
    for x, y in ring[1:]:
        turns = round((x - followed[-1][0]) / 360)
        followed.append((x - 360 * turns, y))
    return followed


def _over_the_pole(ring: Ring) -> Ring:
    pole = math.copysign(90, sum(y for _, y in ring))
    return [*ring, (ring[-1][0], pole), (ring[0][0], pole), ring[0]]


def _without_overhang(ring: Ring, grid: Grid) -> Ring:
    if not CRS.from_user_input(grid.crs).is_geographic:
        return ring
    pixel = abs(grid.transform[0])
    west, east = min(x for x, _ in ring), max(x for x, _ in ring)
    low = -180.0 if -180 - pixel <= west else -math.inf
    high = 180.0 if east <= 180 + pixel else math.inf
    return [(min(max(x, low), high), min(max(y, -90.0), 90.0)) for x, y in ring]


def _clipped(ring: Ring, meridian: float, *, keep: int) -> Ring:
    """The closed ring's part west (keep=-1) or east (keep=1) of a meridian (Sutherland-Hodgman)."""
    return _closed(list(_clip(ring, meridian, keep)))


def _clip(ring: Ring, meridian: float, keep: int) -> Iterator[Point]:
    for (x0, y0), (x1, y1) in pairwise(ring):
        if (x0 - meridian) * keep >= 0:
            yield x0, y0
        if (x0 - meridian) * (x1 - meridian) < 0:
            yield meridian, y0 + (y1 - y0) * (meridian - x0) / (x1 - x0)


def _closed(ring: Ring) -> Ring:
    return ring if ring[0] == ring[-1] else [*ring, ring[0]]


def _polygon(rings: list[Ring]) -> dict[str, Any]:
    outlines = [[_position(point) for point in _counter_clockwise(ring)] for ring in rings]
    if len(outlines) == 1:
        return {"type": "Polygon", "coordinates": outlines}
    return {"type": "MultiPolygon", "coordinates": [[outline] for outline in outlines]}


def _counter_clockwise(ring: Ring) -> Ring:
    area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(ring))
    return ring if area > 0 else ring[::-1]


def _bbox(rings: list[Ring]) -> list[float]:
    xs, ys = zip(*(point for ring in rings for point in ring), strict=True)
    return [*_position((min(xs), min(ys))), *_position((max(xs), max(ys)))]


def _position(point: Point) -> list[float]:
    return [round(value, _DIGITS) + 0.0 for value in point]  # + 0.0: no -0.0
