"""The H3 cells of a place: a country, an area of any file, a box or a polygon."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import h3.api.numpy_int as h3
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from thalweg.domain.tiles import BoundingBox
from thalweg.errors import TooManyCells
from thalweg.hexagons.cells import Cells, cell_polygons
from thalweg.hexagons.sphere import area_km2, cut_at_antimeridian, narrowed, subdivided

type Rule = Literal["centre", "overlap"]

MOST_CELLS = 50_000_000
# h3 takes an outline with an edge of more than half a turn to cross the antimeridian.
_WIDEST = 180.0


@dataclass(frozen=True)
class Seeds:
    """The cells of a place at one resolution, sorted, each once.

    `shares` is the part of each cell's area that the place covers, 0..1: only with `overlap`.
    """

    cells: Cells
    resolution: int
    rule: Rule
    shares: NDArray[np.float64] | None = None


def box(bounds: BoundingBox) -> BaseGeometry:
    """A bounding box as an outline; over the antimeridian where west > east.

    Its edges have points on the way, so that none spans half a turn.
    """
    spans = (
        [(bounds.west, bounds.east)]
        if bounds.west <= bounds.east
        else [(bounds.west, 180.0), (-180.0, bounds.east)]
    )
    boxes = [shapely.box(west, bounds.south, east, bounds.north) for west, east in spans]
    return shapely.segmentize(shapely.union_all(boxes), 90)


def seed(
    outline: BaseGeometry, resolution: int, rule: Rule = "centre", *, most: int = MOST_CELLS
) -> Seeds:
    """The cells of an outline in WGS 84, polygon or multipolygon, with or without holes.

    `centre` takes the cells whose centre is inside, so that neighbours share none; `overlap` those
    that share any of it, with their covered shares. As h3's own polygon functions have it, edges
    are straight in longitude and latitude. Raises `TooManyCells` for about more than `most`.
    """
    place = cut_at_antimeridian(outline)
    _check_count(place, resolution, most)
    pieces = [_cells(polygon, resolution, rule) for polygon in narrowed(place, _WIDEST)]
    cells = np.unique(np.concatenate([np.empty(0, np.uint64), *pieces]))
    shares = covered_shares(cells, place) if rule == "overlap" else None
    return Seeds(cells, resolution, rule, shares)


def covered_shares(cells: Cells, outline: BaseGeometry) -> NDArray[np.float64]:
    """The share of each cell's area that lies in an outline, 0..1.

    Both areas are those of the authalic sphere with edges straight in longitude and latitude (see
    `sphere.area_km2`), so the shares that neighbouring outlines have of a cell add up to theirs
    together. Only the two cells that hold a pole differ notably from their true outline.
    """
    polygons = cell_polygons(cells)
    parts = np.array(subdivided(outline), object)
    cell, part = shapely.STRtree(parts).query(polygons, predicate="intersects")
    inside = shapely.contains_properly(parts[part], polygons[cell])
    covered = np.empty(len(cell), np.float64)
    whole = area_km2(polygons)
    covered[inside] = whole[cell[inside]]
    cut = shapely.intersection(polygons[cell[~inside]], parts[part[~inside]])
    covered[~inside] = area_km2(cut)
    return np.minimum(np.bincount(cell, covered, minlength=len(cells)) / whole, 1.0)


def _cells(polygon: Polygon, resolution: int, rule: Rule) -> Cells:
    shape = h3.geo_to_h3shape(polygon.__geo_interface__)
    contain = "center" if rule == "centre" else "overlap"
    return np.asarray(h3.h3shape_to_cells_experimental(shape, resolution, contain), np.uint64)


def _check_count(place: BaseGeometry, resolution: int, most: int) -> None:
    area = float(area_km2(np.array([place], object))[0])
    about = area / h3.average_hexagon_area(resolution, "km^2")
    if about > most:
        raise TooManyCells(
            f"about {about:,.0f} cells at resolution {resolution}; {most:,} are the most",
            hint=f"choose a resolution of at most "
            f"{resolution - math.ceil(math.log(about / most, 7))}, or a smaller place",
        )
