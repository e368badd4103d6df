from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import rasterio
from stac_samples import BANDS, GEOGRAPHIC, NODATA, UTM, WATER, asset_of, item_of, make_cog

from thalweg.catalog.arrays import to_xarray
from thalweg.catalog.ledger import Document
from thalweg.domain.tiles import BoundingBox
from thalweg.errors import AmbiguousScenario, NothingFound
from thalweg.raster.grid import Grid

pytestmark = pytest.mark.filterwarnings(
    # Of odc-geo's own use of shapely.
    "ignore:The 'shapely.ops.transform:DeprecationWarning",
)

WIDTH = GEOGRAPHIC.width / 3600


def beside(grid: Grid) -> Grid:
    """A grid of the same size that begins where another one ends in the east."""
    width, _, west, _, height, north = grid.transform
    moved = (width, 0.0, west + grid.width * width, 0.0, height, north)
    return replace(grid, transform=moved)


def make_item(path: Path, grid: Grid, **values: str) -> tuple[Document, np.ndarray[Any, Any]]:
    """An item with its file, which has nodata and permanent water in its first row."""
    pixels = make_cog(path, grid)
    pixels[:, 0, :4], pixels[:, 0, 4:8] = NODATA, WATER.value
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.write(pixels)
    properties = {f"thalweg:{name}": value for name, value in values.items()}
    return item_of(asset_of(path, grid), path.stem, properties=properties), pixels


@pytest.fixture
def two(tmp_path: Path) -> tuple[list[Document], np.ndarray[Any, Any]]:
    """Two grid cells of one scenario side by side, and their pixels as one."""
    west, left = make_item(tmp_path / "a.tif", GEOGRAPHIC, year="2050", cell="s04e028")
    east, right = make_item(tmp_path / "b.tif", beside(GEOGRAPHIC), year="2050", cell="s04e032")
    return [east, west], np.concatenate([left, right], axis=2)


def test_the_cells_of_a_scenario_are_one_array_of_the_files_own_pixels(
    two: tuple[list[Document], np.ndarray[Any, Any]],
) -> None:
    items, pixels = two
    found = to_xarray(items, masked=False)
    assert found.dims == ("return_period", "latitude", "longitude")
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found.values, pixels)
    west, south, east, north = GEOGRAPHIC.bounds
    assert found.longitude.values[0] == pytest.approx(west + 1 / 7200)
    assert found.longitude.values[-1] == pytest.approx(east + WIDTH - 1 / 7200)
    assert found.latitude.values[[0, -1]] == pytest.approx([north - 1 / 7200, south + 1 / 7200])


def test_bands_are_labelled_by_return_period_and_values_have_a_unit(
    two: tuple[list[Document], np.ndarray[Any, Any]],
) -> None:
    found = to_xarray(two[0])
    assert found.name == "flood"
    assert found.return_period.values.tolist() == [5, 10, 100]
    assert found.label.values.tolist() == ["1in5", "1in10", "1in100"]
    assert found.attrs == {"units": "cm"}
    assert found.sel(return_period=100).label.item() == "1in100"


def test_nodata_and_special_values_enter_no_number(
    two: tuple[list[Document], np.ndarray[Any, Any]],
) -> None:
    items, pixels = two
    found = to_xarray(items)
    expected = np.where(pixels >= 0, pixels, np.nan)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.values, expected)
    assert found.min() >= 0
    assert found.isel(return_period=0).count() == (pixels[0] >= 0).sum()


def test_nothing_is_read_before_it_is_asked_for(
    two: tuple[list[Document], np.ndarray[Any, Any]],
) -> None:
    for item in two[0]:
        Path(item["assets"]["data"]["href"]).unlink()
    found = to_xarray(two[0])
    assert dask.is_dask_collection(found)
    with pytest.raises(rasterio.errors.RasterioIOError):
        found.compute()


def test_a_box_leaves_the_pixels_that_share_area_with_it(
    two: tuple[list[Document], np.ndarray[Any, Any]],
) -> None:
    items, pixels = two
    west, _, _, north = GEOGRAPHIC.bounds
    step = 1 / 3600
    box = BoundingBox(west + 10 * step, north - 9.5 * step, west + 70.5 * step, north - 3 * step)
    found = to_xarray(items, bbox=box, masked=False)
    np.testing.assert_array_equal(found.values, pixels[:, 3:10, 10:71])
    with pytest.raises(NothingFound, match="outside"):
        to_xarray(items, bbox=BoundingBox(0, 0, 1, 1))


def test_projected_rasters_have_y_and_x(tmp_path: Path) -> None:
    item, pixels = make_item(tmp_path / "utm.tif", UTM)
    found = to_xarray([item], masked=False)
    assert found.dims == ("return_period", "y", "x")
    np.testing.assert_array_equal(found.values, pixels)


def test_bands_that_stand_for_nothing_go_by_their_names(tmp_path: Path) -> None:
    make_cog(tmp_path / "a.tif", GEOGRAPHIC)
    bands = tuple(replace(band, properties={}) for band in BANDS)
    asset = replace(asset_of(tmp_path / "a.tif", GEOGRAPHIC), bands=bands)
    found = to_xarray([item_of(asset)])
    assert found.dims[0] == "band"
    assert found.sel(band="1in10").shape == (GEOGRAPHIC.height, GEOGRAPHIC.width)


def test_scaled_values_come_in_their_unit(tmp_path: Path) -> None:
    pixels = make_cog(tmp_path / "a.tif", GEOGRAPHIC)
    bands = tuple(replace(band, scale=0.01, offset=1.0) for band in BANDS)
    item = item_of(replace(asset_of(tmp_path / "a.tif", GEOGRAPHIC), bands=bands))
    np.testing.assert_allclose(to_xarray([item]).values, pixels * 0.01 + 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("changed", "hint"),
    [
        ({"year": "2080", "cell": "s04e032"}, "choose by year (2050, 2080)"),
        ({"year": "2050", "cell": "s04e032", "scenario": "x"}, "choose by scenario (none, x)"),
    ],
)
def test_more_than_one_scenario_is_refused(
    tmp_path: Path, changed: dict[str, str], hint: str
) -> None:
    first, _ = make_item(tmp_path / "a.tif", GEOGRAPHIC, year="2050", cell="s04e028")
    other, _ = make_item(tmp_path / "b.tif", beside(GEOGRAPHIC), **changed)
    with pytest.raises(AmbiguousScenario) as error:
        to_xarray([first, other])
    assert error.value.hint == hint


@pytest.mark.parametrize("items", [[], [{"assets": {"data": {"type": "text/plain"}}}]])
def test_no_raster_is_named(items: Sequence[Document]) -> None:
    with pytest.raises(NothingFound, match="no raster"):
        to_xarray(items)
