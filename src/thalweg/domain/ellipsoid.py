"""The WGS 84 ellipsoid."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SEMI_MAJOR_M = 6378137.0
FLATTENING = 1 / 298.257223563
ECCENTRICITY_SQUARED = FLATTENING * (2 - FLATTENING)
_ECCENTRICITY = math.sqrt(ECCENTRICITY_SQUARED)


def authalic_q(latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Snyder's q of geodetic latitudes in radians (Map Projections, USGS 1987, eq. 3-12).

    Between two latitudes and two longitudes lie `SEMI_MAJOR_M**2 / 2` times the difference of q
    times the difference of longitude in radians, in m2.
    """
    sine = np.sin(latitude)
    within = sine / (1 - ECCENTRICITY_SQUARED * sine**2)
    beyond = np.arctanh(_ECCENTRICITY * sine) / _ECCENTRICITY
    q: NDArray[np.float64] = (1 - ECCENTRICITY_SQUARED) * (within + beyond)
    return q
