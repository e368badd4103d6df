"""The pixels of each building: which of a raster's pixels tell how deep a building stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import numba
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.warp import transform as reproject

from thalweg.domain.ellipsoid import ECCENTRICITY_SQUARED, SEMI_MAJOR_M
from thalweg.exposure.footprints import Rings
from thalweg.raster.grid import Grid, same_crs

type Floats = NDArray[np.float64]
type Geometries = NDArray[np.object_]

_LONLAT = "EPSG:4326"
# Of a pixel. What lies this near to an edge lies on it: (30 - 28) * 3600 need not be whole.
_SNAP = 1e-6
_TOUCHED = 1e-6
_QUADRANT_SEGMENTS = 8


class Rule(StrEnum):
    """How a building's depth is taken from a raster.

    `centroid` takes the pixel that holds the centroid. `max` takes the deepest of the pixels whose
    centre lies in the footprint, `mean` their mean; a footprint that holds no centre has the pixel
    of its centroid. `any` takes the deepest of all pixels that the footprint shares anything with.
    """

    CENTROID = "centroid"
    MAX = "max"
    MEAN = "mean"
    ANY = "any"

    @property
    def needs_footprint(self) -> bool:
        return self is not Rule.CENTROID

    @property
    def needs_geometries(self) -> bool:
        """Whether it matters which way the rings of a footprint turn."""
        return self is Rule.ANY


@dataclass(frozen=True)
class PixelLists:
    """Building k has the pixels `rows[first[k]:first[k + 1]]` and `cols[...]`, counted from the
    upper left corner of a grid; they may lie outside it."""

    first: NDArray[np.int64]
    rows: NDArray[np.int32]
    cols: NDArray[np.int32]

    @classmethod
    def joined(cls, lists: Sequence[PixelLists]) -> Self:
        """The lists of all buildings, one after the other."""
        counts = np.concatenate([np.zeros(1, np.int64), *(np.diff(one.first) for one in lists)])
        none = np.zeros(0, np.int32)
        rows = np.concatenate([none, *(one.rows for one in lists)])
        return cls(np.cumsum(counts), rows, np.concatenate([none, *(one.cols for one in lists)]))


def pixel_lists(
    grid: Grid,
    longitude: Floats,
    latitude: Floats,
    footprints: Geometries | Rings | None,
    rule: Rule,
    buffer_m: float = 0.0,
) -> PixelLists:
    """The pixels of buildings in a grid of any CRS, by the rule.

    `longitude`, `latitude` [n] are the centroids in degrees. `footprints` [n], polygons and points
    in degrees, are needed but for `centroid`: as geometries where a buffer in metres on the WGS 84
    ellipsoid is to be added to them first, which makes discs of points, or rings must turn as
    `Rings.of` has them, for `any`. A place on the edge of two pixels lies in the right or lower
    one; a footprint holds those centres on its own edge that it holds by this.
    """
    turns = _turns(grid, longitude)
    cols, rows = _positions(grid, longitude, latitude, turns)
    if not rule.needs_footprint or footprints is None:
        first = np.arange(len(longitude) + 1, dtype=np.int64)
        return PixelLists(first, _floor(rows), _floor(cols))
    if not isinstance(footprints, Rings):
        wide = buffered(footprints, latitude, buffer_m) if buffer_m else footprints
        footprints = Rings.of(wide)
    lon, lat = footprints.corners.T
    x, y = _positions(grid, lon, lat, turns[footprints.owners] if turns.any() else 0.0)
    return PixelLists(
        *_list_pixels(
            x,
            y,
            footprints.ring_ends,
            footprints.last_ring,
            _floor(rows),
            _floor(cols),
            rule is Rule.ANY,
        )
    )


def buffered(geometries: Geometries, latitude: Floats, metres: float) -> Geometries:
    """Geometries in degrees with a margin in metres, in the plane that touches the WGS 84 ellipsoid
    at each one's `latitude`; arcs have eight segments a quadrant."""
    sine = np.sin(np.radians(latitude))
    root = 1 - ECCENTRICITY_SQUARED * sine**2
    along = np.radians(SEMI_MAJOR_M * np.cos(np.radians(latitude)) / np.sqrt(root))
    up = np.radians(SEMI_MAJOR_M * (1 - ECCENTRICITY_SQUARED) / root**1.5)
    scale = np.column_stack([along, up])
    wide = shapely.buffer(_scaled(geometries, scale), metres, quad_segs=_QUADRANT_SEGMENTS)
    return _scaled(wide, 1 / scale)


def _scaled(geometries: Geometries, scale: Floats) -> Geometries:
    points, owner = shapely.get_coordinates(geometries, return_index=True)
    scaled: Geometries = shapely.set_coordinates(geometries.copy(), points * scale[owner])
    return scaled


def _turns(grid: Grid, longitude: Floats) -> Floats:
    """The degrees, 0 or a whole turn, that bring each centroid onto a grid of longitudes."""
    if not same_crs(grid.crs, _LONLAT):
        return np.zeros(len(longitude))
    west, _, east, _ = grid.bounds
    turns = np.zeros(len(longitude))
    for turn in (360.0, -360.0):
        outside = (longitude < west) | (longitude >= east)
        turned = longitude + turn
        turns[outside & (turned >= west) & (turned < east)] = turn
    return turns


def _positions(grid: Grid, x: Floats, y: Floats, turns: Floats | float) -> tuple[Floats, Floats]:
    """(columns, rows) of places, as fractions; those that have no place in the CRS are outside."""
    if same_crs(grid.crs, _LONLAT):
        x = x + turns
    else:
        x, y = (np.array(one) for one in reproject(_LONLAT, grid.crs, x, y))
    a, _, c, _, e, f = grid.transform
    return _snapped((x - c) / a), _snapped((y - f) / e)


def _snapped(positions: Floats) -> Floats:
    positions = np.where(np.isfinite(positions), positions, -1.0)
    whole = np.rint(positions)
    snapped: Floats = np.where(np.abs(positions - whole) < _SNAP, whole, positions)
    return np.clip(snapped, -(2.0**30), 2.0**30)


def _floor(positions: Floats) -> NDArray[np.int32]:
    return np.floor(positions).astype(np.int32)


@numba.njit(nogil=True, cache=True)
def _list_pixels(
    x: Any, y: Any, ring_ends: Any, last_ring: Any, own_row: Any, own_col: Any, touching: bool
) -> Any:
    buildings = own_row.size
    first = np.zeros(buildings + 1, np.int64)
    rows = np.empty(2 * buildings + 16, np.int32)
    cols = np.empty(2 * buildings + 16, np.int32)
    count = 0
    ring = 0
    for k in range(buildings):
        begin, end = ring, last_ring[k]
        ring = end
        if end > begin:
            start = ring_ends[begin - 1] if begin else 0
            stop = ring_ends[end - 1]
            top, bottom = np.floor(y[start:stop].min()), np.floor(y[start:stop].max())
            left, right = np.floor(x[start:stop].min()), np.floor(x[start:stop].max())
            for row in range(int(top), int(bottom) + 1):
                for col in range(int(left), int(right) + 1):
                    if touching:
                        held = _shared(x, y, ring_ends, begin, end, row, col) > _TOUCHED
                    else:
                        held = _inside(x, y, ring_ends, begin, end, row + 0.5, col + 0.5)
                    if held:
                        if count == rows.size:
                            rows, cols = _doubled(rows), _doubled(cols)
                        rows[count], cols[count] = row, col
                        count += 1
        if count == first[k]:
            if count == rows.size:
                rows, cols = _doubled(rows), _doubled(cols)
            rows[count], cols[count] = own_row[k], own_col[k]
            count += 1
        first[k + 1] = count
    return first, rows[:count].copy(), cols[:count].copy()


@numba.njit(nogil=True, cache=True)
def _doubled(values: Any) -> Any:
    more = np.empty(2 * values.size, values.dtype)
    more[: values.size] = values
    return more


@numba.njit(nogil=True, cache=True)
def _inside(x: Any, y: Any, ring_ends: Any, begin: int, end: int, row: float, col: float) -> bool:
    """Whether a place lies in a polygon: a ray from it crosses an odd number of edges."""
    odd = False
    start = ring_ends[begin - 1] if begin else 0
    for ring in range(begin, end):
        for i in range(start, ring_ends[ring] - 1):
            if (y[i] > row) != (y[i + 1] > row):
                crossing = x[i] + (row - y[i]) / (y[i + 1] - y[i]) * (x[i + 1] - x[i])
                if col < crossing:
                    odd = not odd
        start = ring_ends[ring]
    return odd


@numba.njit(nogil=True, cache=True)
def _shared(x: Any, y: Any, ring_ends: Any, begin: int, end: int, row: int, col: int) -> float:
    """The share of a pixel that a polygon covers: what lies under its edges, clipped to it."""
    area = 0.0
    start = ring_ends[begin - 1] if begin else 0
    for ring in range(begin, end):
        for i in range(start, ring_ends[ring] - 1):
            x0, x1 = x[i] - col, x[i + 1] - col
            low, high = max(min(x0, x1), 0.0), min(max(x0, x1), 1.0)
            if low < high:
                slope = (y[i + 1] - y[i]) / (x1 - x0)
                at_low = y[i] - row + (low - x0) * slope
                at_high = y[i] - row + (high - x0) * slope
                under = (high - low) * _mean_clamped(at_low, at_high)
                area += under if x1 > x0 else -under
        start = ring_ends[ring]
    return abs(area)


@numba.njit(nogil=True, cache=True)
def _mean_clamped(u: float, v: float) -> float:
    """The mean over all t between u and v of t clamped to 0..1."""
    if abs(v - u) < _SNAP:
        return min(max((u + v) / 2, 0.0), 1.0)
    return (_clamped_integral(v) - _clamped_integral(u)) / (v - u)


@numba.njit(nogil=True, cache=True)
def _clamped_integral(t: float) -> float:
    if t <= 0:
        return 0.0
    return t * t / 2 if t < 1 else t - 0.5
