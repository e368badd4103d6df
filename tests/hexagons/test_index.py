from __future__ import annotations

from collections import Counter
from itertools import pairwise, repeat

import h3.api.numpy_int as h3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.warp import transform

from thalweg.errors import WrongGrid
from thalweg.hexagons.boxes import Window
from thalweg.hexagons.faces import face_centres
from thalweg.hexagons.index import CellIndex, Labels, label, sample_offsets
from thalweg.raster.grid import Grid

ARC_SECOND = 1 / 3600
resolutions = st.integers(0, 12)
sizes = st.floats(-4.5, 0.5).map(lambda exponent: 10**exponent)


def lonlat_grid(lon: float, lat: float, size: float, width: int = 24, height: int = 20) -> Grid:
    """A grid around a place, kept off the far sides of the poles."""
    size = min(size, 170 / height)
    north = min(lat + size * height / 2, 90 + size / 2)
    north = max(north, -90 + size * height - size / 2)
    west = lon - size * width / 2
    return Grid("EPSG:4326", (size, 0, west, 0, -size, north), width, height)


def looked_up(grid: Grid, resolution: int) -> NDArray[np.uint64]:
    """The library's cell of every pixel centre."""
    a, _, c, _, e, f = grid.transform
    lon, lat = np.meshgrid(
        c + a * (np.arange(grid.width) + 0.5), f + e * (np.arange(grid.height) + 0.5)
    )
    if grid.crs != "EPSG:4326":
        lon, lat = np.array(transform(grid.crs, "EPSG:4326", lon.ravel(), lat.ravel()))
    cells = [h3.latlng_to_cell(y, x, resolution) for y, x in zip(lat.flat, lon.flat, strict=True)]
    return np.array(cells, np.uint64).reshape(grid.shape)


def cells_by_pixel(labels: Labels) -> NDArray[np.uint64]:
    return labels.cells[labels.labels]


def agrees(grid: Grid, resolution: int) -> bool:
    return np.array_equal(cells_by_pixel(label(grid, resolution)), looked_up(grid, resolution))


def at_unit_vector(vector: NDArray[np.float64]) -> tuple[float, float]:
    x, y, z = vector / np.linalg.norm(vector)
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arcsin(z)))


@given(st.floats(-180, 180), st.floats(-1, 1), sizes, resolutions)
@settings(max_examples=150, deadline=None)
def test_each_pixel_has_the_librarys_cell_anywhere(
    lon: float, sine: float, size: float, resolution: int
) -> None:
    assert agrees(lonlat_grid(lon, np.degrees(np.arcsin(sine)), size), resolution)


@given(st.integers(0, 19), st.integers(0, 2), st.floats(0, 1), sizes, resolutions)
@settings(max_examples=150, deadline=None)
def test_each_pixel_has_the_librarys_cell_over_the_edges_of_faces(
    face: int, side: int, along: float, size: float, resolution: int
) -> None:
    centres = face_centres()
    neighbour = np.argsort(-(centres @ centres[face]))[1 + side]
    middle = centres[face] + centres[neighbour]
    edge = np.cross(centres[face], centres[neighbour])
    place = middle / np.linalg.norm(middle) + (2 * along - 1) * 0.7 * edge
    assert agrees(lonlat_grid(*at_unit_vector(place), size), resolution)


@pytest.mark.parametrize("resolution", range(13))
def test_each_pixel_has_the_librarys_cell_around_all_pentagons(resolution: int) -> None:
    for pentagon in h3.get_pentagons(resolution):
        lat, lon = h3.cell_to_latlng(pentagon)
        size = 6 * 7 ** (-resolution / 2)
        assert agrees(lonlat_grid(lon, lat, size, 21, 21), resolution)


@pytest.mark.parametrize("resolution", [0, 1, 3, 5, 8, 12])
@pytest.mark.parametrize("face", range(20))
def test_each_pixel_has_the_librarys_cell_where_digits_are_lost_at_a_faces_centre(
    face: int, resolution: int
) -> None:
    lon, lat = at_unit_vector(face_centres()[face])
    for size in (1e-7, 3e-5):
        assert agrees(lonlat_grid(lon, lat, size, 15, 15), resolution)


@pytest.mark.parametrize("resolution", [0, 2, 5, 9])
@pytest.mark.parametrize("pole", [-90, 90])
def test_each_pixel_has_the_librarys_cell_around_the_poles(pole: int, resolution: int) -> None:
    around = Grid("EPSG:4326", (15, 0, -180, 0, -0.25, 90 if pole > 0 else -85), 24, 20)
    assert agrees(around, resolution)


@given(st.floats(-89, 89), sizes, resolutions)
@settings(max_examples=50, deadline=None)
def test_each_pixel_has_the_librarys_cell_beyond_the_antimeridian(
    lat: float, size: float, resolution: int
) -> None:
    for lon in (-180.0, 180.0):
        assert agrees(lonlat_grid(lon, lat, size), resolution)


def test_regression_a_row_centred_on_a_pole_was_refused_for_a_rounding_error() -> None:
    grid = lonlat_grid(-180, -82, 0.9281386919771908)
    assert grid.bounds[1] + grid.pixel_size[1] / 2 < -90
    assert agrees(grid, 0)


@pytest.mark.parametrize("resolution", [0, 2, 4])
def test_the_whole_world_at_once(resolution: int) -> None:
    assert agrees(Grid("EPSG:4326", (2, 0, -180, 0, -2, 90), 180, 90), resolution)


@pytest.mark.parametrize("resolution", [3, 7, 9, 11])
@pytest.mark.parametrize(
    ("crs", "west", "north"),
    [("EPSG:32636", 200_000, 9_800_000), ("EPSG:3857", 3_000_000, -200_000), ("EPSG:3413", 0, 0)],
)
def test_projected_grids(crs: str, west: float, north: float, resolution: int) -> None:
    assert agrees(Grid(crs, (300, 0, west, 0, -300, north), 60, 50), resolution)


def test_a_window_is_labelled_like_the_whole() -> None:
    grid = Grid("EPSG:4326", (ARC_SECOND, 0, 29, 0, -ARC_SECOND, -1), 700, 300)
    whole = cells_by_pixel(label(grid, 9))
    buffer = np.empty((50, 650), np.int32)
    part = label(grid, 9, range(200, 250), range(20, 670), out=buffer)
    assert part.labels is buffer
    assert np.array_equal(cells_by_pixel(part), whole[200:250, 20:670])
    assert np.array_equal(part.cells, np.unique(whole[200:250, 20:670]))


def test_long_rows_take_the_fast_way_and_agree() -> None:
    """Rows of several stretches, on one face and over an edge between two."""
    for west in (29.0, 10.0):
        grid = Grid("EPSG:4326", (ARC_SECOND * 4, 0, west, 0, -ARC_SECOND * 90, -1), 4000, 6)
        for resolution in (4, 7, 9):
            assert agrees(grid, resolution)


@given(
    st.floats(-180, 180),
    st.floats(-1, 1),
    resolutions,
    st.floats(1, 3.5).map(lambda exponent: 10**exponent),
)
@settings(max_examples=100, deadline=None)
def test_runs_are_the_librarys_where_hexagons_are_many_pixels_wide(
    lon: float, sine: float, resolution: int, across: float
) -> None:
    """Found by walking from edge to edge, not pixel by pixel."""
    size = 60 * 7 ** (-resolution / 2) / across
    assert agrees(lonlat_grid(lon, np.degrees(np.arcsin(sine)), size, 700, 3), resolution)


@pytest.mark.parametrize("resolution", [1, 2])
@pytest.mark.parametrize("lat", [-75, -60, 45, 70])
def test_runs_are_the_librarys_where_a_curved_row_grazes_an_edge(
    lat: float, resolution: int
) -> None:
    """Rows so close that some cross the edge that runs most nearly along them twice."""
    steepness = {}
    for lon in range(360):
        edge = h3.cell_to_boundary(h3.latlng_to_cell(lat, lon, resolution))
        for (south, west), (north, east) in pairwise([*edge, edge[0]]):
            if abs(east - west) < 60:
                steepness[abs((north - south) / (east - west))] = south, west, north, east
    south, west, north, east = steepness[min(steepness)]
    bulge = np.radians(east - west) * (east - west) / 8 * abs(np.sin(np.radians(2 * lat))) / 2
    wide, high = abs(east - west) / 250, (abs(north - south) + 2 * bulge) / 30
    left, top = min(west, east) - 25 * wide, max(south, north) + 10 * high
    grid = Grid("EPSG:4326", (wide, 0, left, 0, -high, top), 300, 40)
    cells = looked_up(grid, resolution)
    assert any(len(np.unique(row)) <= (row[1:] != row[:-1]).sum() for row in cells)
    assert np.array_equal(cells_by_pixel(label(grid, resolution)), cells)


def sampled(grid: Grid, resolution: int, per_pixel: int) -> dict[int, int]:
    """How many samples of all pixels the library puts in each cell."""
    a, _, c, _, e, f = grid.transform
    down, right = sample_offsets(per_pixel).T
    lat = f + e * (np.arange(grid.height)[:, None, None] + down)
    lon = c + a * (np.arange(grid.width)[:, None] + right)
    lat, lon = np.broadcast_arrays(lat, lon)
    return Counter(map(h3.latlng_to_cell, lat.flat, lon.flat, repeat(resolution)))


@given(st.floats(-180, 180), st.floats(-1, 1), st.floats(-3, 0.5), st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_samples_of_cut_pixels_are_in_the_librarys_cells(
    lon: float, sine: float, exponent: float, resolution: int
) -> None:
    grid = lonlat_grid(lon, np.degrees(np.arcsin(sine)), 10**exponent)
    index = CellIndex(grid, resolution, Window.of(grid), 16)
    found = dict(zip(index.cells.tolist(), index.samples.tolist(), strict=True))
    assert found == sampled(grid, resolution, 16)


@pytest.mark.parametrize(
    "grid",
    [
        Grid("EPSG:4326", (1.193, 0, -153, 0, -1.193, -35.6), 301, 7),
        Grid("EPSG:4326", (1, 0, -180, 0, -1, 45), 360, 90),
    ],
    ids=["narrow", "wide"],
)
@pytest.mark.parametrize("resolution", [0, 2])
def test_regression_large_pixels_around_the_globe(grid: Grid, resolution: int) -> None:
    """Both ends of a row were taken for neighbours, and the reach of pixels at the equator for that
    of those at the far rows: samples were refused, or of cut corners not looked at."""
    index = CellIndex(grid, resolution, Window.of(grid), 16)
    found = dict(zip(index.cells.tolist(), index.samples.tolist(), strict=True))
    assert found == sampled(grid, resolution, 16)


@pytest.mark.parametrize("per_pixel", [1, 16])
def test_samples_and_areas_add_up(per_pixel: int) -> None:
    grid = Grid("EPSG:4326", (ARC_SECOND, 0, 29, 0, -ARC_SECOND, -1), 900, 400)
    index = CellIndex(grid, 8, Window.of(grid), per_pixel)
    assert index.samples.sum() == grid.width * grid.height * per_pixel
    by_row = index.sample_areas_mm2(range(grid.height))
    assert index.areas_mm2.sum() == by_row.sum() * grid.width * per_pixel


def test_cells_areas_are_those_of_the_library() -> None:
    """Of cells that lie wholly within the grid, each of some 1,200 pixels."""
    grid = Grid("EPSG:4326", (ARC_SECOND, 0, 29, 0, -ARC_SECOND, 50), 900, 900)
    index = CellIndex(grid, 8, Window.of(grid), 16)
    inner = [
        i
        for i, cell in enumerate(index.cells.tolist())
        if np.isin(h3.grid_disk(cell, 2), index.cells).all()
    ]
    wanted = [h3.cell_area(cell, "km^2") for cell in index.cells[inner].tolist()]
    assert len(inner) > 50
    assert index.areas_mm2[inner] / 1e12 == pytest.approx(np.array(wanted), rel=2e-3)


def test_a_grid_beyond_the_pole_is_refused() -> None:
    with pytest.raises(WrongGrid, match="latitude"):
        label(Grid("EPSG:4326", (1, 0, 0, 0, -1, 95), 10, 10), 3)


def test_more_cells_than_memory_holds_are_refused() -> None:
    with pytest.raises(WrongGrid, match="more than are indexed"):
        label(Grid("EPSG:4326", (0.1, 0, -180, 0, -0.1, 90), 3600, 1800), 10)
