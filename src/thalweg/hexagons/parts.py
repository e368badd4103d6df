"""Features shared out among H3 cells: which cell has which part of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import h3.api.numpy_int as h3
import numpy as np
import shapely
from numpy.typing import NDArray

from thalweg.errors import TooManyCells
from thalweg.hexagons.cells import Cells, cell_polygons
from thalweg.hexagons.ellipsoid import areas_km2, lengths_km
from thalweg.hexagons.faces import unit_vectors
from thalweg.hexagons.places import seed
from thalweg.hexagons.sphere import AUTHALIC_RADIUS_KM, Geometries, subdivided

type Floats = NDArray[np.float64]
type Indices = NDArray[np.intp]
type Rule = Literal["centroid", "each", "share"]

# Of a cell's edge: so near to each other that no cell between is farther than next to one of them.
_SPACING = 0.3
_MOST_PLACES = 50_000_000
# What holds a cell that is not even next to its outline holds most of that cell's neighbours too,
# and no cell is smaller than half the average.
_CELLS_TO_HOLD_ONE = 2
_POINTS_OF_A_PIECE = 256
_POINT = 0


@dataclass(frozen=True)
class Parts:
    """Parts [n] of features: in which cell each is, and how much of the feature.

    `weight` is what it adds to a count. Only lines have a length, and only polygons an area.
    """

    feature: Indices
    cell: Cells
    weight: Floats
    length_km: Floats
    area_km2: Floats


def parts(geometries: Geometries, resolution: int, rule: Rule) -> Parts:
    """Shares sound geometries of longitude and latitude out among cells.

    `centroid`: each is whole, in the cell of its centroid. `each`: it counts 1 in every cell that
    it shares anything with. `share`: it counts by the share of its length, area or points there, so
    that its counts add up to 1. With either its length and area are shared out, and add up to those
    of the whole. Cells' edges are straight in longitude and latitude, as in `places.seed`; points
    lie where h3 says. Raises `TooManyCells`.
    """
    home = cells_at(centroids(geometries), resolution)
    feature, cell, share = np.arange(len(geometries)), home, np.ones(len(geometries))
    if rule != "centroid":
        feature, cell, share = _shared_out(geometries, home, resolution)
    return Parts(
        feature,
        cell,
        share if rule == "share" else np.ones(len(share)),
        share * lengths_km(geometries)[feature],
        share * areas_km2(geometries)[feature],
    )


def cells_at(points: Floats, resolution: int) -> Cells:
    """The cells of points [n, 2] of longitude and latitude."""
    lon, lat = points.T
    found = map(h3.latlng_to_cell, lat.tolist(), lon.tolist(), [resolution] * len(points))
    return np.fromiter(found, np.uint64, len(points))


def centroids(geometries: Geometries) -> Floats:
    """Longitude and latitude [n, 2] of each centroid.

    That of a part is taken in the plane of longitude and latitude; those of several parts are
    averaged on the sphere by area, length or number, also over the antimeridian.
    """
    if (shapely.get_type_id(geometries) == _POINT).all():
        points: Floats = shapely.get_coordinates(geometries)
        return points
    parts, owner = shapely.get_parts(geometries, return_index=True)
    parts, owner = parts[~shapely.is_empty(parts)], owner[~shapely.is_empty(parts)]
    points = shapely.get_coordinates(shapely.centroid(parts))
    several = np.flatnonzero(np.bincount(owner, minlength=len(geometries)) > 1)
    found = points[np.searchsorted(owner, np.arange(len(geometries)))]
    if len(several):
        lon, lat = np.radians(points).T
        vectors = unit_vectors(lat, lon) * _measures(parts)[:, None]
        x, y, z = (np.bincount(owner, axis, minlength=len(geometries)) for axis in vectors.T)
        averaged = np.degrees(np.column_stack([np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))]))
        found[several] = averaged[several]
    return found


def _measures(geometries: Geometries) -> Floats:
    """Areas of polygons, lengths of lines, the number of points."""
    dimensions = shapely.get_dimensions(geometries)
    measures: Floats = np.select(
        [dimensions == 2, dimensions == 1],
        [areas_km2(geometries), lengths_km(geometries)],
        shapely.get_num_coordinates(geometries),
    )
    return measures


def _shared_out(
    geometries: Geometries, home: Cells, resolution: int
) -> tuple[Indices, Cells, Floats]:
    """(feature, cell, share) of each part; the shares of a feature add up to 1."""
    cells, which = np.unique(home, return_inverse=True)
    polygons = cell_polygons(cells)
    shapely.prepare(polygons)
    whole = shapely.get_type_id(geometries) == _POINT
    whole |= shapely.contains_properly(polygons[which], geometries)
    scattered = ~whole & (shapely.get_dimensions(geometries) == 0)
    feature, cell, measure = (
        np.concatenate(both)
        for both in zip(
            _points_by_cell(geometries, np.flatnonzero(scattered), resolution),
            _cut_by_cell(geometries, np.flatnonzero(~whole & ~scattered), resolution),
            strict=True,
        )
    )
    # What is too small to be cut stays whole.
    rest = np.setdiff1d(np.arange(len(geometries)), feature[measure > 0])
    feature = np.concatenate([feature[measure > 0], rest])
    cell = np.concatenate([cell[measure > 0], home[rest]])
    measure = np.concatenate([measure[measure > 0], np.ones(len(rest))])
    return _merged(feature, cell, measure)


def _merged(feature: Indices, cell: Cells, measure: Floats) -> tuple[Indices, Cells, Floats]:
    """One part for each feature and cell, with its share of the feature."""
    cells, which = np.unique(cell, return_inverse=True)
    keys, part = np.unique(feature * max(len(cells), 1) + which, return_inverse=True)
    owner, which = np.divmod(keys, max(len(cells), 1))
    measures = np.bincount(part, measure, minlength=len(keys))
    return owner, cells[which], measures / np.bincount(owner, measures)[owner]


def _points_by_cell(
    geometries: Geometries, chosen: Indices, resolution: int
) -> tuple[Indices, Cells, Floats]:
    points, owner = shapely.get_coordinates(geometries[chosen], return_index=True)
    return chosen[owner], cells_at(points, resolution), np.ones(len(points))


def _cut_by_cell(
    geometries: Geometries, chosen: Indices, resolution: int
) -> tuple[Indices, Cells, Floats]:
    """Lines and polygons cut along the edges of cells, with the measure of each piece."""
    pieces, owner = _small_pieces(geometries[chosen])
    cells = _cells_near(geometries[chosen], resolution)
    polygons = cell_polygons(cells)
    piece, cell = shapely.STRtree(polygons).query(pieces, predicate="intersects")
    shapely.prepare(polygons)
    cut = pieces[piece]
    over_edge = ~shapely.contains_properly(polygons[cell], cut)
    cut[over_edge] = shapely.intersection(cut[over_edge], polygons[cell[over_edge]])
    return (
        chosen[owner[piece]],
        cells[cell],
        _measures_of(cut, shapely.get_dimensions(pieces)[piece]),
    )


def _measures_of(cut: Geometries, dimensions: NDArray[np.int32]) -> Floats:
    """The measures of what was cut; of what only touches an edge none."""
    return np.where(shapely.get_dimensions(cut) == dimensions, _measures(cut), 0.0)


def _small_pieces(geometries: Geometries) -> tuple[Geometries, Indices]:
    """Single lines and polygons of few points that make up the geometries, and whose they are."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    large = shapely.get_num_coordinates(parts) > _POINTS_OF_A_PIECE
    pieces, owners = [parts[~large]], [owner[~large]]
    for index in np.flatnonzero(large).tolist():
        divide = subdivided if parts[index].geom_type == "Polygon" else _divided_line
        small = np.array(divide(parts[index]), object)
        pieces.append(small)
        owners.append(np.full(len(small), owner[index]))
    return np.concatenate(pieces), np.concatenate(owners)


def _divided_line(line: shapely.LineString) -> list[shapely.LineString]:
    points = shapely.get_coordinates(line)
    step = _POINTS_OF_A_PIECE - 1
    return [
        shapely.LineString(points[start : start + step + 1])
        for start in range(0, len(points) - 1, step)
    ]


def _cells_near(geometries: Geometries, resolution: int) -> Cells:
    """All cells that lines and polygons share anything with, and some of those around.

    Along lines and outlines the neighbourhood of places so dense that no cell is missed; inside of
    polygons that are large enough to hold a cell those whose centre is there.
    """
    edge = math.degrees(h3.average_hexagon_edge_length(resolution, "km") / AUTHALIC_RADIUS_KM)
    step = _SPACING * edge
    count = shapely.length(geometries).sum() / step
    if count > _MOST_PLACES:
        raise TooManyCells(
            f"about {count / 3:,.0f} cells of resolution {resolution} along lines and outlines",
            hint="choose a coarser resolution",
        )
    points = shapely.get_coordinates(shapely.segmentize(geometries, step))
    places = np.unique(np.rint(points / step).astype(np.int64), axis=0) * step
    places[:, 1] = np.clip(places[:, 1], -90, 90)
    along = np.unique(cells_at(places, resolution)).tolist()
    around = [h3.grid_disk(cell, 1) for cell in along]
    large = areas_km2(geometries) > _CELLS_TO_HOLD_ONE * h3.average_hexagon_area(resolution, "km^2")
    inside = [seed(one, resolution).cells for one in geometries[large]]
    return np.unique(np.concatenate([np.empty(0, np.uint64), *around, *inside]))
