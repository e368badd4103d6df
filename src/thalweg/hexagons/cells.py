"""Many H3 cells at once: their ids as text, centres and outlines.

Cells are uint64 ids. Longitude and latitude are degrees in WGS 84, which h3 takes as spherical.
"""

from __future__ import annotations

from itertools import chain

import h3.api.numpy_int as h3
import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from thalweg.hexagons.sphere import Geometries, crosses_antimeridian, cut_at_antimeridian

type Cells = NDArray[np.uint64]

_DIGITS_OF_AN_ID = 15


def cell_strings(cells: Cells) -> pa.StringArray:
    """The ids as hexadecimal text, as web maps take them: 15 digits, for the uppermost is 0."""
    digits = np.frombuffer(cells.astype(">u8").tobytes().hex().encode(), np.uint8)
    offsets = np.arange(len(cells) + 1, dtype=np.int32) * _DIGITS_OF_AN_ID
    return pa.StringArray.from_buffers(
        len(cells), pa.py_buffer(offsets), pa.py_buffer(digits.reshape(-1, 16)[:, 1:].copy())
    )


def cell_centres(cells: Cells) -> NDArray[np.float64]:
    """Longitude and latitude of the centres, [cells, 2]."""
    centres = np.array([h3.cell_to_latlng(cell) for cell in cells.tolist()], np.float64)
    return centres.reshape(-1, 2)[:, ::-1]


def cell_polygons(cells: Cells) -> Geometries:
    """The outlines, counter-clockwise; cut where they cross the antimeridian or hold a pole."""
    if not len(cells):
        return np.empty(0, object)
    boundaries = [h3.cell_to_boundary(cell) for cell in cells.tolist()]
    corners = [len(boundary) for boundary in boundaries]
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(boundaries)), np.float64)
    points = flat.reshape(-1, 2)[:, ::-1]
    rings = shapely.linearrings(points, indices=np.repeat(np.arange(len(cells)), corners))
    polygons: Geometries = shapely.polygons(rings)
    for index in np.flatnonzero(crosses_antimeridian(polygons)):
        polygons[index] = shapely.orient_polygons(cut_at_antimeridian(polygons[index]))
    return polygons
