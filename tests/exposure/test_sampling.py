from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely
from flooded import (
    NODATA,
    PIXEL,
    RULES,
    WATER,
    brute,
    buildings,
    flood,
    pixels_of,
    write_raster,
)
from hypothesis import given
from hypothesis import strategies as st

from thalweg.domain.pixels import PixelRules
from thalweg.errors import UndeclaredValue, UnreadableRaster, WrongDtype, WrongGrid, WrongShape
from thalweg.exposure.footprints import Rings
from thalweg.exposure.pixel_lists import PixelLists, Rule, buffered, pixel_lists
from thalweg.exposure.placing import Placement, common_grid
from thalweg.exposure.sampling import MEASURED, OUTSIDE, SPECIAL, UNKNOWN, Depths, Raster, sampler
from thalweg.hexagons.ellipsoid import areas_km2
from thalweg.raster.grid import Grid

STATES = {MEASURED: "measured", UNKNOWN: "unknown", OUTSIDE: "outside", SPECIAL: "permanent_water"}
GRID = Grid("EPSG:4326", (PIXEL, 0.0, 28.0, 0.0, -PIXEL, 0.0), 80, 80)


def sampled(
    paths: list[Path],
    shapes,
    rule: str,
    buffer_m: float = 0,
    rules: PixelRules = RULES,
    nodata="unknown",
) -> list[Depths]:
    shapes = np.array(shapes, object)
    centres = shapely.get_coordinates(shapely.centroid(shapes))
    with sampler([Raster(str(path), path.name) for path in paths], rules) as opened:
        grid = common_grid(opened.frames, opened.names)
        lists = pixel_lists(grid, *centres.T, shapes, Rule(rule), buffer_m)
        placement = Placement.of(lists, opened.frames)
        return [
            Depths(one.depth.copy(), one.state.copy(), one.noted.copy())
            for one in opened.sample(placement, Rule(rule), nodata)
        ]


def seen(depths: Depths) -> list[tuple[str, float]]:
    names = [STATES[code] for code in depths.state.tolist()]
    return list(zip(names, depths.depth.tolist(), strict=True))


@pytest.mark.parametrize("rule", ["centroid", "max", "mean", "any"])
def test_every_building_has_the_depth_that_brute_force_finds(tmp_path: Path, rule: str) -> None:
    pixels, shapes = flood(), buildings(600)
    found = sampled([write_raster(tmp_path / "flood.tif", pixels)], shapes, rule)
    assert len(found) == 3
    for band, depths in zip(pixels, found, strict=True):
        expected = [brute(band, shape, rule) for shape in shapes]
        assert [state for state, _ in seen(depths)] == [state for state, _ in expected]
        assert depths.depth == pytest.approx([depth for _, depth in expected])
        dry = [state == "measured" and depth == 0 for state, depth in expected]
        assert depths.noted.tolist() == np.flatnonzero(~np.array(dry)).tolist()
        assert {"measured", "unknown", "outside", "permanent_water"} == {s for s, _ in expected}


@pytest.mark.parametrize("rule", ["centroid", "max", "mean", "any"])
def test_rasters_cut_in_pieces_give_what_the_whole_gives(tmp_path: Path, rule: str) -> None:
    pixels, shapes = flood(), buildings(400)
    whole = sampled([write_raster(tmp_path / "whole.tif", pixels)], shapes, rule)
    pieces = [
        write_raster(
            tmp_path / f"{row}-{col}.tif",
            pixels[:, row : row + 40, col : col + 40],
            28 + col * PIXEL,
            -row * PIXEL,
        )
        for row in (0, 40)
        for col in (0, 40)
    ]
    cut = sampled(pieces, shapes, rule)
    assert [seen(one) for one in cut] == [seen(one) for one in whole]


def test_a_building_on_a_border_lies_in_one_raster_the_right_or_lower_one(tmp_path: Path) -> None:
    left = write_raster(tmp_path / "left.tif", np.full((1, 40, 40), 10, np.int16))
    right = write_raster(tmp_path / "right.tif", np.full((1, 40, 40), 20, np.int16), west=29.0)
    below = write_raster(tmp_path / "below.tif", np.full((1, 40, 40), 30, np.int16), north=-1.0)
    places = [(29.0, -0.5), (28.5, -1.0), (29.0, -1.0), (28.0, 0.0), (30.0, -0.5)]
    (found,) = sampled([left, right, below], [shapely.Point(*one) for one in places], "centroid")
    assert [depth for _, depth in seen(found)] == [20, 30, 0, 10, 0]
    assert [state for state, _ in seen(found)].count("outside") == 2


def test_a_place_that_arithmetic_puts_beside_an_edge_lies_on_it() -> None:
    third = 1 / 3600
    grid = Grid("EPSG:4326", (third, 0.0, 28.0, 0.0, -third, 0.0), 10800, 7200)
    degrees = np.arange(28.0, 31.0, 0.1)
    lists = pixel_lists(grid, degrees, np.full(len(degrees), -0.7), None, Rule.CENTROID)
    assert lists.cols.tolist() == [round((one - 28) * 3600) for one in degrees]
    assert set(lists.rows.tolist()) == {2520}


def test_a_footprint_without_area_or_centre_has_the_pixel_of_its_centroid(tmp_path: Path) -> None:
    pixels = flood(bands=1)
    path = write_raster(tmp_path / "flood.tif", pixels)
    small = shapely.box(28.2501, -0.2502, 28.2502, -0.2501)
    for rule in ("max", "mean", "any"):
        (found,) = sampled([path], [small, shapely.Point(28.26, -0.26)], rule)
        assert seen(found) == [brute(pixels[0], one, "centroid") for one in (small, small)]


def test_a_measured_pixel_counts_before_water_and_water_before_nodata(tmp_path: Path) -> None:
    pixels = np.full((1, 40, 40), NODATA, np.int16)
    pixels[0, 0, 1], pixels[0, 1, 1], pixels[0, 1, 2] = WATER, WATER, 7
    path = write_raster(tmp_path / "flood.tif", pixels)

    def over(columns: int, rows: int) -> shapely.Polygon:
        return shapely.box(28, -rows * PIXEL, 28 + columns * PIXEL, 0)

    (found,) = sampled([path], [over(1, 1), over(2, 1), over(3, 2)], "max")
    assert seen(found) == [("unknown", 0), ("permanent_water", 0), ("measured", 7)]


def test_nodata_may_be_declared_dry(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "flood.tif", np.full((1, 40, 40), NODATA, np.int16))
    (found,) = sampled([path], [shapely.Point(28.5, -0.5)], "centroid", nodata="dry")
    assert seen(found) == [("measured", 0)]
    assert not len(found.noted)


def test_nan_is_nodata_in_floats(tmp_path: Path) -> None:
    pixels = np.full((1, 40, 40), np.nan, np.float32)
    pixels[0, 0, 0] = 0.4
    path = write_raster(tmp_path / "flood.tif", pixels, nodata=np.nan, predictor=3)
    rules = PixelRules("float32", "m", np.nan, 0, 30)
    shapes = [shapely.Point(28.01, -0.01), shapely.Point(28.5, -0.5)]
    (found,) = sampled([path], shapes, "centroid", rules=rules)
    assert seen(found) == [("measured", pytest.approx(0.4)), ("unknown", 0)]


def test_a_projected_raster_is_met_where_it_lies(tmp_path: Path) -> None:
    pixels = np.arange(40 * 40, dtype=np.int16).reshape(1, 40, 40)
    path = tmp_path / "utm.tif"
    import rasterio
    from rasterio.warp import transform

    profile = {"driver": "GTiff", "count": 1, "height": 40, "width": 40, "dtype": "int16"}
    affine = rasterio.transform.from_origin(170000, 9800000, 100, 100)
    with rasterio.open(path, "w", crs="EPSG:32736", transform=affine, **profile) as dataset:
        dataset.write(pixels)
    (lon,), (lat,) = transform("EPSG:32736", "EPSG:4326", [170000 + 1550], [9800000 - 2150])
    shapes = [shapely.Point(lon, lat), shapely.box(lon - 2e-4, lat - 2e-4, lon + 2e-4, lat + 2e-4)]
    (found,) = sampled([path], shapes, "max")
    assert found.depth.tolist() == [21 * 40 + 15] * 2


def test_a_value_that_is_not_declared_is_refused_by_name(tmp_path: Path) -> None:
    pixels = flood(bands=2)
    pixels[1, 10, 10] = 3001
    path = write_raster(tmp_path / "flood.tif", pixels)
    inside = shapely.Point(28 + 10.5 * PIXEL, -10.5 * PIXEL)
    with pytest.raises(UndeclaredValue, match=r"flood.tif: band 2 holds 3001 at building 1"):
        sampled([path], [shapely.Point(28.9, -0.9), inside], "centroid")


def test_rasters_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    one = write_raster(tmp_path / "one.tif", flood(bands=2))
    fewer = write_raster(tmp_path / "fewer.tif", flood(bands=1), west=30.0)
    shifted = write_raster(tmp_path / "shifted.tif", flood(bands=2), west=30.01)
    floats = write_raster(tmp_path / "floats.tif", flood(bands=2).astype(np.float32), predictor=3)
    points = [shapely.Point(28.5, -0.5)]
    for other, error in ((fewer, WrongShape), (shifted, WrongGrid), (floats, WrongDtype)):
        with pytest.raises(error, match=other.name):
            sampled([one, other], points, "centroid")


def test_a_damaged_raster_is_named(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "flood.tif", flood())
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UnreadableRaster, match=r"flood.tif"):
        sampled([path], buildings(200), "max")


def test_a_grid_of_360_degrees_is_met_from_minus_180(tmp_path: Path) -> None:
    pixels = np.full((1, 40, 40), 9, np.int16)
    path = write_raster(tmp_path / "flood.tif", pixels, west=359.5)
    shapes = [shapely.Point(-0.2, -0.5), shapely.box(0.1, -0.6, 0.2, -0.5), shapely.Point(0.6, -1)]
    (found,) = sampled([path], shapes, "max")
    assert [state for state, _ in seen(found)] == ["measured", "measured", "outside"]


@pytest.mark.parametrize("latitude", [0.0, -45.0, 70.0])
def test_a_buffer_is_as_wide_as_it_says_on_the_ellipsoid(latitude: float) -> None:
    (disc,) = buffered(
        np.array([shapely.Point(30, latitude)], object), np.array([latitude]), 1000.0
    )
    (area,) = areas_km2(np.array([disc], object))
    assert area == pytest.approx(np.pi, rel=0.01)


def test_a_buffer_reaches_pixels_beside_the_building(tmp_path: Path) -> None:
    pixels = np.zeros((1, 40, 40), np.int16)
    pixels[0, 20, 21] = 99
    path = write_raster(tmp_path / "flood.tif", pixels)
    place = shapely.Point(28 + 20.5 * PIXEL, -20.5 * PIXEL)
    pixel_m = 111_320 * PIXEL
    for margin, deepest in ((0, 0), (0.9 * pixel_m, 0), (1.1 * pixel_m, 99)):
        (found,) = sampled([path], [place], "max", margin)
        assert found.depth.tolist() == [deepest]
    (touched,) = sampled([path], [place], "any", 0.6 * pixel_m)
    assert touched.depth.tolist() == [99]


@given(st.integers(0, 2**32 - 1), st.floats(0.02, 3.0), st.sampled_from(["max", "any"]))
def test_pixels_of_any_star_are_those_of_rasterio_and_shapely(seed, side, rule) -> None:
    shapes = np.array(buildings(4, seed, side * PIXEL), object)
    centres = shapely.get_coordinates(shapely.centroid(shapes))
    lists = pixel_lists(GRID, *centres.T, shapes, Rule(rule))
    for k, shape in enumerate(shapes):
        own = slice(lists.first[k], lists.first[k + 1])
        found = set(zip(lists.rows[own].tolist(), lists.cols[own].tolist(), strict=True))
        inside = {(r, c) for r, c in found if 0 <= r < 80 and 0 <= c < 80}
        assert inside == set(pixels_of(shape, rule))


@given(st.integers(0, 20), st.integers(0, 2**16))
def test_lists_of_parts_joined_are_those_of_the_whole(cut: int, seed: int) -> None:
    shapes = np.array(buildings(20, seed), object)
    centres = shapely.get_coordinates(shapely.centroid(shapes))

    def listed(part: slice) -> PixelLists:
        return pixel_lists(GRID, *centres[part].T, shapes[part], Rule.MAX)

    whole = listed(slice(0, 20))
    joined = PixelLists.joined([listed(slice(0, cut)), listed(slice(cut, 20))])
    for name in ("first", "rows", "cols"):
        assert np.array_equal(getattr(joined, name), getattr(whole, name))


def test_rings_of_wkb_are_those_of_geometries() -> None:
    holed = shapely.Polygon(
        shapely.box(29, -1, 30, 0).exterior.coords, [shapely.box(29.2, -0.8, 29.6, -0.2).exterior]
    )
    two = shapely.MultiPolygon([shapely.box(28, -1, 28.4, 0), shapely.box(28.5, -1, 28.7, 0)])
    shapes = np.array([holed, shapely.Point(28.3, -0.5), two, shapely.box(29, -2, 29.1, -1)])
    lon, lat = shapely.get_coordinates(shapely.centroid(shapes)).T
    grid = Grid("EPSG:4326", (0.025, 0.0, 28.0, 0.0, -0.025, 0.0), 120, 120)
    expected = pixel_lists(grid, lon, lat, shapes, Rule.MAX)
    assert len(expected.rows) > 100
    wkb = pa.array(shapely.to_wkb(shapes), pa.binary())
    odd = pa.array(shapely.to_wkb(shapes, byte_order=0), pa.binary())
    padded = pa.concat_arrays([wkb[:2], wkb])[2:]
    for held in (wkb, odd, padded):
        rings = Rings.of_wkb(held)
        assert rings.owners.tolist() == Rings.of(shapes).owners.tolist()
        found = pixel_lists(grid, lon, lat, rings, Rule.MAX)
        for name in ("first", "rows", "cols"):
            assert np.array_equal(getattr(found, name), getattr(expected, name))
