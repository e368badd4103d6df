"""Lengths and areas on the WGS 84 ellipsoid, of geometries of longitude and latitude in degrees.

Edges are straight in longitude and latitude, as in GeoJSON and wherever this package cuts: so the
parts of a line or polygon add up to the whole. Each edge is integrated by Gauss and Legendre's rule
of five points, which is exact to rounding for edges of up to a degree or so.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from thalweg.domain.ellipsoid import ECCENTRICITY_SQUARED, SEMI_MAJOR_M, authalic_q
from thalweg.hexagons.sphere import Geometries, enclosed

type Floats = NDArray[np.float64]

_A = SEMI_MAJOR_M / 1000
_NODES, _WEIGHTS = (
    np.asarray(one) / 2 for one in np.polynomial.legendre.leggauss(5)
)  # of the interval from -1/2 to 1/2


def lengths_km(geometries: Geometries) -> Floats:
    """The length of each line or multiline; points and polygons have none.

    The integral of the root of (M d(lat))^2 + (N cos(lat) d(lon))^2, with M and N the radii of
    curvature along and across the meridian (Snyder, Map Projections, USGS 1987, eq. 4-18, 4-20).
    """
    lines = np.flatnonzero(shapely.get_dimensions(geometries) == 1)
    parts, owner = shapely.get_parts(geometries[lines], return_index=True)
    points, part = shapely.get_coordinates(parts, return_index=True)
    lon_step, lat_step, lat = _edges(points)
    bent = 1 - ECCENTRICITY_SQUARED * np.sin(lat) ** 2
    across = _A / np.sqrt(bent) * np.cos(lat) * lon_step[:, None]
    along = _A * (1 - ECCENTRICITY_SQUARED) / bent**1.5 * lat_step[:, None]
    lengths = np.hypot(along, across) @ _WEIGHTS
    within = part[1:] == part[:-1]
    owner = lines[owner[part[1:][within]]]
    return np.bincount(owner, lengths[within], minlength=len(geometries))


def areas_km2(geometries: Geometries) -> Floats:
    """The area of each polygon or multipolygon; lines and points have none.

    The integral over longitude of Snyder's q (eq. 3-12), the area below a latitude in units of
    a^2 / 2, around each ring.
    """
    areas = np.zeros(len(geometries))
    areal = np.flatnonzero(shapely.get_dimensions(geometries) == 2)
    areas[areal] = enclosed(geometries[areal], _ring_integrals) * (_A**2 / 2)
    return areas


def _ring_integrals(rings: Geometries) -> Floats:
    points, ring = shapely.get_coordinates(rings, return_index=True)
    lon_step, _, lat = _edges(points)
    first = np.searchsorted(ring, np.arange(len(rings)))
    # Counted from each ring's first point, so that small rings keep their digits.
    below = authalic_q(lat) - authalic_q(np.radians(points[first, 1]))[ring[1:], None]
    within = ring[1:] == ring[:-1]
    integrals = lon_step * (below @ _WEIGHTS)
    return np.bincount(ring[1:][within], integrals[within], minlength=len(rings))


def _edges(points: Floats) -> tuple[Floats, Floats, Floats]:
    """Steps of longitude and latitude [edges], and the latitudes of the nodes [edges, 5]."""
    lon, lat = np.radians(points).T
    lon_step, lat_step = np.diff(lon), np.diff(lat)
    middle = (lat[1:] + lat[:-1]) / 2
    return lon_step, lat_step, middle[:, None] + lat_step[:, None] * _NODES
