from __future__ import annotations

import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from raster_files import write

from thalweg.errors import WrongCrs, WrongGrid
from thalweg.raster.grid import Grid, Offset, bounding_grid, grid_of

SIZE = 1 / 3600
GRID = Grid("EPSG:4326", (SIZE, 0.0, 28.0, 0.0, -SIZE, -1.0), 3600, 1800)


def test_bounds_and_sizes() -> None:
    assert GRID.bounds == pytest.approx((28.0, -1.5, 29.0, -1.0))
    assert GRID.pixel_size == (SIZE, SIZE)
    assert GRID.shape == (1800, 3600)


def test_json_round_trip() -> None:
    assert Grid.from_json(GRID.to_json()) == GRID


@given(st.integers(-50_000, 50_000), st.integers(-50_000, 50_000))
def test_offset_of_undoes_shifted(row: int, col: int) -> None:
    assert GRID.offset_of(GRID.shifted(Offset(row, col), 10, 10)) == (row, col)


@pytest.mark.parametrize("share", [0.5, 0.02, -0.02])
def test_a_grid_between_the_pixels_is_named(share: float) -> None:
    other = Grid("EPSG:4326", (SIZE, 0.0, 28 + share * SIZE, 0.0, -SIZE, -1.0), 10, 10)
    with pytest.raises(WrongGrid, match="pixels away along columns") as caught:
        GRID.offset_of(other, where="n01e028.tif")
    assert caught.value.where == "n01e028.tif"


def test_an_origin_written_with_few_digits_is_on_the_grid() -> None:
    other = Grid("EPSG:4326", (SIZE, 0.0, 29.00000001, 0.0, -SIZE, -1.0), 3600, 3600)
    assert GRID.offset_of(other) == (0, 3600)


def test_a_pixel_size_that_drifts_over_the_extent_is_named() -> None:
    drifting = SIZE * (1 + 1e-5)
    other = Grid("EPSG:4326", (drifting, 0.0, 28.0, 0.0, -SIZE, -1.0), 3600, 1800)
    with pytest.raises(WrongGrid, match="pixel size"):
        GRID.offset_of(other)
    assert GRID.offset_of(Grid(other.crs, other.transform, 10, 10)) == (0, 0)


def test_another_crs_is_named() -> None:
    with pytest.raises(WrongCrs, match="EPSG:32735"):
        GRID.offset_of(Grid("EPSG:32735", GRID.transform, 10, 10))


def test_bounding_grid_holds_tiles_in_any_order() -> None:
    east, south = GRID.shifted(Offset(-7, 3600), 5, 6), GRID.shifted(Offset(1800, -10), 20, 40)
    whole, offsets = bounding_grid([("a", GRID), ("b", east), ("c", south)])
    assert offsets == [(7, 10), (0, 3610), (1807, 0)]
    assert whole.shape == (7 + 1800 + 40, 10 + 3600 + 5)
    assert whole.bounds == pytest.approx(
        (28 - 10 * SIZE, -1.5 - 40 * SIZE, 29 + 5 * SIZE, -1 + 7 * SIZE)
    )


def test_a_crs_without_a_code_is_kept_as_wkt(tmp_path, depth_pixels) -> None:
    wkt = rasterio.crs.CRS.from_proj4("+proj=laea +lat_0=3 +lon_0=17 +datum=WGS84").to_wkt()
    path = write(tmp_path / "laea.tif", depth_pixels, crs=wkt)
    with rasterio.open(path) as dataset:
        grid = grid_of(dataset, where="laea.tif")
    assert "Lambert_Azimuthal" in grid.crs
    assert grid.offset_of(grid) == (0, 0)


@pytest.mark.parametrize(
    "transform",
    [
        rasterio.Affine(SIZE, 0.1 * SIZE, 28, 0, -SIZE, -1),
        rasterio.Affine(SIZE, 0, 28, 0, SIZE, -1),
    ],
    ids=["rotated", "south-up"],
)
def test_a_grid_that_is_not_north_up_is_named(tmp_path, depth_pixels, transform) -> None:
    path = write(tmp_path / "turned.tif", depth_pixels, transform=transform)
    with rasterio.open(path) as dataset, pytest.raises(WrongGrid, match="rotated"):
        grid_of(dataset, where="turned.tif")
