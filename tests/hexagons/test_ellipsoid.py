from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from thalweg.hexagons.ellipsoid import areas_km2, lengths_km

GEOD = Geod(ellps="WGS84")
ELLIPSOID_KM2 = 510_065_621.724

places = st.tuples(st.floats(-179, 178), st.floats(-75, 75))
steps = st.floats(-0.01, 0.01)


def area(geometry: shapely.Geometry) -> float:
    return float(areas_km2(np.array([geometry], object))[0])


def length(geometry: shapely.Geometry) -> float:
    return float(lengths_km(np.array([geometry], object))[0])


@given(place=places, dx=steps, dy=steps)
def test_short_lines_are_as_long_as_geodesics(
    place: tuple[float, float], dx: float, dy: float
) -> None:
    x, y = place
    line = shapely.LineString([(x, y), (x + dx, y + dy), (x, y + 0.01)])
    assert length(line) == pytest.approx(GEOD.geometry_length(line) / 1000, rel=1e-6, abs=1e-9)


@given(place=places, width=st.floats(1e-5, 1e-3), height=st.floats(2e-4, 1e-3))
def test_buildings_are_as_large_as_geodesic_ones(
    place: tuple[float, float], width: float, height: float
) -> None:
    x, y = place
    polygon = shapely.Polygon([(x, y), (x + width, y), (x + width / 3, y + height)])
    geodesic = abs(GEOD.geometry_area_perimeter(polygon)[0]) / 1e6
    assert area(polygon) == pytest.approx(geodesic, rel=1e-4)


@given(place=places, share=st.floats(0.1, 0.9), dx=st.floats(0.1, 1), dy=st.floats(-0.9, 0.9))
def test_the_parts_of_a_line_are_as_long_as_the_whole(
    place: tuple[float, float], share: float, dx: float, dy: float
) -> None:
    x, y = place
    middle = (x + share * dx, y + share * dy)
    parts = [[(x, y), middle], [middle, (x + dx, y + dy)]]
    whole = shapely.LineString([(x, y), (x + dx, y + dy)])
    assert sum(length(shapely.LineString(one)) for one in parts) == pytest.approx(
        length(whole), rel=1e-11
    )


def test_the_world_is_as_large_as_the_ellipsoid() -> None:
    lon, lat = np.meshgrid(np.arange(-180.0, 180), np.arange(-90.0, 90))
    boxes = shapely.box(lon, lat, lon + 1, lat + 1).ravel()
    assert areas_km2(boxes).sum() == pytest.approx(ELLIPSOID_KM2, rel=1e-11)


def test_a_quarter_of_the_meridian() -> None:
    meridian = shapely.LineString([(7, lat) for lat in range(91)])
    assert length(meridian) == pytest.approx(10_001.965729, rel=1e-9)


def test_holes_do_not_count_and_each_kind_has_its_own_measure() -> None:
    outer, hole = shapely.box(10, 10, 10.2, 10.2), shapely.box(10.05, 10.05, 10.1, 10.1)
    assert area(outer.difference(hole)) == pytest.approx(area(outer) - area(hole), rel=1e-12)
    kinds = np.array([shapely.Point(1, 1), outer, shapely.LineString([(0, 0), (0, 1)])], object)
    assert (areas_km2(kinds) > 0).tolist() == [False, True, False]
    assert (lengths_km(kinds) > 0).tolist() == [False, False, True]
