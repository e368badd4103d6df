from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from shapely.geometry import Point, shape

from thalweg.catalog.footprint import footprint
from thalweg.errors import WrongCrs
from thalweg.raster.grid import Grid


def geographic(west: float, north: float, width: int, height: int, size: float = 0.1) -> Grid:
    return Grid("EPSG:4326", (size, 0, west, 0, -size, north), width, height)


def test_a_geographic_grid_is_its_own_rectangle() -> None:
    geometry, bbox = footprint(geographic(30, -1, 10, 20))
    assert bbox == [30, -3, 31, -1]
    assert geometry == {
        "type": "Polygon",
        "coordinates": [[[30, -1], [30, -3], [31, -3], [31, -1], [30, -1]]],
    }


@given(
    zone=st.integers(2, 59),
    x=st.floats(300_000, 600_000),
    y=st.floats(200_000, 8_000_000),
    width=st.integers(1, 3000),
    height=st.integers(1, 3000),
    inside=st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)),
)
def test_a_projected_grid_lies_within_its_outline(
    zone: int, x: float, y: float, width: int, height: int, inside: tuple[float, float]
) -> None:
    crs = f"EPSG:{32600 + zone}"
    geometry, (west, south, east, north) = footprint(
        Grid(crs, (30, 0, x, 0, -30, y), width, height)
    )
    outline = shape(geometry)
    assert outline.is_valid
    assert outline.exterior.is_ccw
    assert outline.bounds == (west, south, east, north)
    lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(
        x + 30 * width * inside[0], y - 30 * height * inside[1]
    )
    assert outline.buffer(1e-4).contains(Point(lon, lat))


def parts(geometry: dict[str, Any]) -> list[tuple[float, ...]]:
    return [part.bounds for part in shape(geometry).geoms]


def test_a_grid_across_the_antimeridian_is_cut_there() -> None:
    geometry, bbox = footprint(geographic(179, 10, 30, 10))
    assert bbox == [179, 9, -178, 10]
    assert parts(geometry) == [(179, 9, 180, 10), (-180, 9, -178, 10)]
    assert all(part.exterior.is_ccw for part in shape(geometry).geoms)


def test_longitudes_beyond_180_are_those_of_the_other_side() -> None:
    assert footprint(geographic(190, 10, 10, 10)) == footprint(geographic(-170, 10, 10, 10))


def test_an_overhang_of_half_a_pixel_does_not_cross_the_antimeridian() -> None:
    geometry, bbox = footprint(geographic(-180.05, 1.05, 10, 10))
    assert geometry["type"] == "Polygon"
    assert bbox == [-180, 0.05, -179.05, 1.05]
    geometry, bbox = footprint(geographic(179.05, 1.05, 10, 10))
    assert bbox == [179.05, 0.05, 180, 1.05]


def test_the_whole_world_is_one_polygon() -> None:
    geometry, bbox = footprint(geographic(-180, 90, 3600, 1800))
    assert (geometry["type"], bbox) == ("Polygon", [-180, -90, 180, 90])
    geometry, bbox = footprint(geographic(-180.05, 90.05, 3600, 1800))
    assert bbox == [-180, -89.95, 179.95, 90]


def test_longitudes_from_0_to_360_are_the_whole_world() -> None:
    geometry, bbox = footprint(geographic(0, 90, 3600, 1800))
    assert bbox == [-180, -90, 180, 90]
    assert sorted(parts(geometry)) == [(-180, -90, 0, 90), (0, -90, 180, 90)]


def test_a_projected_grid_across_the_antimeridian_is_cut_there() -> None:
    geometry, (west, south, east, north) = footprint(
        Grid("EPSG:32601", (1000, 0, 200_000, 0, -1000, 5_000_000), 300, 100)
    )
    assert geometry["type"] == "MultiPolygon"
    assert 170 < west < 180
    assert -180 < east < -170
    assert 40 < south < north < 46


def test_a_grid_over_the_pole_reaches_all_longitudes() -> None:
    geometry, bbox = footprint(
        Grid("EPSG:3413", (10_000, 0, -1_000_000, 0, -10_000, 1_000_000), 200, 200)
    )
    assert bbox[0::2] == [-180, 180]
    assert bbox[3] == 90
    assert 75 < bbox[1] < 80
    outline = shape(geometry)
    assert outline.is_valid
    assert outline.contains(Point(100, 89))
    assert not outline.contains(Point(100, 70))


def test_a_grid_off_its_crs_is_named() -> None:
    with pytest.raises(WrongCrs) as caught:
        footprint(Grid("EPSG:3035", (1, 0, 1e30, 0, -1, 1e30), 10, 10), where="a.tif")
    assert caught.value.where == "a.tif"
