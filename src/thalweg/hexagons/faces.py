"""The icosahedron that H3 is drawn on, and the plane of hexagons that each of its faces holds.

On a face, H3 projects gnomonically and takes the nearest hexagon centre. In terms of the unit
vector u of a place that projection is linear-fractional, so the axial coordinates of its hexagon
are q = (u . Q) / (u . C) and r = (u . R) / (u . C), to be rounded. See H3's documentation,
"Overview of the H3 Geospatial Indexing System", and Snyder (1987), Map Projections, p. 164.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FACES = 20
# (latitude, longitude) in radians, as H3 places them; the other ten lie opposite.
_CENTRES_OF_TEN = (
    (0.803582649718989942, 1.248397419617396099),
    (1.307747883455638156, 2.536945009877921159),
    (1.054751253523952054, -1.347517358900396623),
    (0.600191595538186799, -0.450603909469755746),
    (0.491715428198773866, 0.401988202911306943),
    (0.172745327415618701, 1.678146885280433686),
    (0.605929321571350690, 2.953923329812411617),
    (0.427370518328979641, -1.888876200336285401),
    (-0.079066118549212831, -0.733429513380867741),
    (-0.230961644455383637, 0.506495587332349035),
)
# From a face's centre to its corner measures this many hexagons of resolution 0, squared.
_SPACINGS_OF_RESOLUTION_0 = (3 + math.sqrt(5)) / 2
# How far the hexagons of an odd resolution are turned against those of an even one.
_CLASS_III_TURN = math.asin(math.sqrt(3 / 28))


def unit_vectors(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 3) from latitudes and longitudes in radians, on the sphere, after broadcasting."""
    cosine = np.cos(lat)
    east, north = cosine * np.cos(lon), cosine * np.sin(lon)
    vectors = np.empty((*east.shape, 3))
    vectors[..., 0], vectors[..., 1], vectors[..., 2] = east, north, np.sin(lat)
    return vectors


def spacings(resolution: int) -> float:
    """Hexagons, centre to centre, to the radian at the centre of a face."""
    return float(_SPACINGS_OF_RESOLUTION_0 * math.sqrt(7) ** resolution)


def face_centres() -> NDArray[np.float64]:
    """(20, 3): the unit vector of each face's centre."""
    lat, lon = np.array(_CENTRES_OF_TEN).T
    ten = unit_vectors(lat, lon)
    return np.concatenate([ten, -ten])


def face_bases(resolution: int) -> NDArray[np.float64]:
    """(20, 3, 3): for each face the vectors Q, R and C."""
    centres = face_centres()
    turn = _CLASS_III_TURN if resolution % 2 else 0.0
    x = np.array([_towards(centre, _corner_of(centre, centres)) for centre in centres])
    y = np.cross(centres, x)
    turned_x = math.cos(turn) * x + math.sin(turn) * y
    turned_y = math.cos(turn) * y - math.sin(turn) * x
    scale = spacings(resolution)
    q = scale * (turned_x - turned_y / math.sqrt(3))
    r = scale * (2 / math.sqrt(3)) * turned_y
    return np.stack([q, r, centres], axis=1)


def _corner_of(centre: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """A corner of the face: as near to its centre as to those of two neighbours over its edges."""
    three = centres[np.argsort(-(centres @ centre))[:3]]
    corner = np.linalg.solve(three, np.ones(3))
    return np.asarray(corner / np.linalg.norm(corner))


def _towards(centre: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    tangent = other - (other @ centre) * centre
    return np.asarray(tangent / np.linalg.norm(tangent))
