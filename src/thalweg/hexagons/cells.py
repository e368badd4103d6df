"""Many H3 cells at once: their ids as text, centres and outlines.

Cells are uint64 ids. Longitude and latitude are degrees in WGS 84, which h3 takes as spherical.
"""

from __future__ import annotations

import h3.api.numpy_int as h3
import numpy as np
import shapely
from numpy.typing import NDArray

from thalweg.hexagons.sphere import Geometries, crosses_antimeridian, cut_at_antimeridian

type Cells = NDArray[np.uint64]

# The first of a cell's sixteen digits is 0, and is not written.
_SHIFTS = np.arange(56, -1, -4, dtype=np.uint64)
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)


def cell_strings(cells: Cells) -> list[str]:
    """The ids as hexadecimal text, as web maps take them."""
    nibbles = (cells[:, None] >> _SHIFTS & np.uint64(15)).astype(np.uint8)
    texts: list[str] = _DIGITS[nibbles].view(f"S{len(_SHIFTS)}")[:, 0].astype(str).tolist()
    return texts


def cell_centres(cells: Cells) -> NDArray[np.float64]:
    """Longitude and latitude of the centres, [cells, 2]."""
    centres = np.array([h3.cell_to_latlng(cell) for cell in cells.tolist()], np.float64)
    return centres.reshape(-1, 2)[:, ::-1]


def cell_polygons(cells: Cells) -> Geometries:
    """The outlines, counter-clockwise; cut where they cross the antimeridian or hold a pole."""
    boundaries = [h3.cell_to_boundary(cell) for cell in cells.tolist()]
    points = np.array([point for boundary in boundaries for point in boundary], np.float64)
    owner = np.repeat(np.arange(len(cells)), [len(boundary) for boundary in boundaries])
    rings = shapely.linearrings(points.reshape(-1, 2)[:, ::-1], indices=owner)
    polygons: Geometries = shapely.polygons(rings)
    for index in np.flatnonzero(crosses_antimeridian(polygons)):
        polygons[index] = shapely.orient_polygons(cut_at_antimeridian(polygons[index]))
    return polygons
