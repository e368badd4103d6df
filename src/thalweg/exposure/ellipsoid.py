"""Areas on the WGS 84 ellipsoid."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from thalweg.domain.ellipsoid import SEMI_MAJOR_M, authalic_q

type Geometries = NDArray[np.object_]

_POLYGON = 3


def area_m2(geometries: Geometries) -> NDArray[np.float64]:
    """The area of each polygon or multipolygon of longitude and latitude in m2; 0 for points.

    The polygon is taken to the cylindrical equal-area projection of the ellipsoid, where its area
    is that of the ring of its corners (Snyder, Map Projections, USGS 1987, eq. 3-12 and 10-1).
    Edges are straight there instead of geodesic: for edges of a kilometre the area of a building
    changes by less than a millionth.
    """
    areas = np.zeros(len(geometries))
    polygon = shapely.get_type_id(geometries) == _POLYGON
    simple = polygon & (shapely.get_num_interior_rings(geometries) == 0)
    areas[simple] = np.abs(_ring_areas(geometries[simple]))
    areas[~simple] = _areas_of_parts(geometries[~simple])
    return areas


def _areas_of_parts(geometries: Geometries) -> NDArray[np.float64]:
    parts, owner = shapely.get_parts(geometries, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    is_shell = np.diff(part, prepend=-1) > 0
    areas = np.abs(_ring_areas(rings)) * np.where(is_shell, 1, -1)
    return np.bincount(owner[part], areas, minlength=len(geometries))


def _ring_areas(rings: Geometries) -> NDArray[np.float64]:
    """The areas of rings, or of polygons of one ring each; negative for clockwise ones."""
    points, ring = shapely.get_coordinates(rings, return_index=True)
    first = np.searchsorted(ring, np.arange(len(rings)))
    # Counted from each ring's first point, so that small rings keep their digits.
    x = np.radians(points[:, 0] - points[first[ring], 0])
    q = authalic_q(np.radians(points[:, 1]))
    y = q - q[first[ring]]
    cross = x[:-1] * y[1:] - x[1:] * y[:-1]
    cross[ring[1:] != ring[:-1]] = 0
    return np.bincount(ring[1:], cross, minlength=len(rings)) / 2 * (SEMI_MAJOR_M**2 / 2)
