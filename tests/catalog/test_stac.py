from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import odc.stac
import pystac
import pytest
import rasterio
from rio_tiler.io import STACReader
from stac_samples import (
    ASSET,
    BANDS,
    GEOGRAPHIC,
    NODATA,
    RETURN_PERIODS,
    UTM,
    asset_of,
    item_of,
    make_cog,
)

from thalweg.catalog.sqlite import canonical_json
from thalweg.catalog.stac import build_item, stac_percentiles, stac_statistics
from thalweg.catalog.validate import validate_item
from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.errors import InvalidItem
from thalweg.raster.grid import Grid
from thalweg.raster.statistics import BandStatistics, Tally

grids = pytest.mark.parametrize("grid", [GEOGRAPHIC, UTM], ids=["EPSG:4326", "UTM"])
# Of odc-geo's own use of shapely.
odc_warnings = pytest.mark.filterwarnings(
    "ignore:The 'shapely.ops.transform:DeprecationWarning",
)


# What an item says ------------------------------------------------------------------------------


def test_an_item_carries_what_clients_need() -> None:
    item = item_of()
    properties, asset = item["properties"], item["assets"]["data"]
    assert properties["proj:code"] == "EPSG:4326"
    assert properties["proj:epsg"] == 4326
    assert properties["proj:shape"] == [48, 64]
    assert properties["proj:transform"] == list(GEOGRAPHIC.transform)
    assert properties["proj:bbox"] == list(GEOGRAPHIC.bounds)
    assert properties["datetime"] is None
    assert properties["peril"] == "fluvial"
    assert properties["processing:software"] == {"thalweg": "0.1.0"}
    assert asset["type"] == "image/tiff; application=geotiff; profile=cloud-optimized"
    assert asset["roles"] == ["data"]
    assert asset["file:size"] == 1234
    assert asset["file:checksum"] == "1220" + "ab" * 32
    assert asset["classification:classes"] == [
        {"value": -32767, "name": "permanent_water", "description": "Permanent water"}
    ]
    band = asset["bands"][2]
    assert band["name"] == "1in100"
    assert (band["data_type"], band["nodata"], band["unit"]) == ("int16", NODATA, "cm")
    assert band["statistics"]["maximum"] == 9
    assert band["thalweg:percentiles"] == {"2": 0, "98": 8}
    assert [b["thalweg:return_period"] for b in asset["bands"]] == list(RETURN_PERIODS)
    assert {"rel": "via", "href": "/bronze/1in5.tif"} in item["links"]
    assert item["bbox"][0] == pytest.approx(30 - 1 / 7200, abs=1e-9)


@grids
def test_an_item_is_valid_with_every_extension_checked(grid: Grid) -> None:
    assert validate_item(item_of(replace(ASSET, grid=grid))) == []


def test_the_same_facts_give_the_same_bytes() -> None:
    assert canonical_json(item_of()) == canonical_json(item_of())


def test_an_item_is_the_same_after_it_was_stored() -> None:
    assert json.loads(canonical_json(item_of())) == item_of()


def test_one_moment_is_a_datetime() -> None:
    moment = "2020-06-01T00:00:00Z"
    properties = item_of(start=moment, end=moment)["properties"]
    assert properties["datetime"] == moment
    assert "start_datetime" not in properties


def test_scale_and_offset_are_said_only_where_they_count() -> None:
    assert "raster:scale" not in json.dumps(item_of())
    scaled = replace(ASSET, bands=(replace(BANDS[0], scale=0.01, offset=-2),))
    item = item_of(scaled)
    band = item["assets"]["data"]["bands"][0]
    assert (band["raster:scale"], band["raster:offset"]) == (0.01, -2)
    assert validate_item(item) == []


@pytest.mark.parametrize(
    ("nodata", "said"), [(math.nan, "nan"), (math.inf, "inf"), (-9999.0, -9999), (-0.5, -0.5)]
)
def test_nodata_is_said_as_json_can(nodata: float, said: object) -> None:
    item = item_of(replace(ASSET, bands=(replace(BANDS[0], dtype="float32", nodata=nodata),)))
    assert item["assets"]["data"]["bands"][0]["nodata"] == said
    assert validate_item(json.loads(canonical_json(item))) == []


def test_what_is_not_known_is_not_said() -> None:
    bare = replace(
        BANDS[0],
        description="",
        nodata=None,
        unit=None,
        statistics={},
        percentiles={},
        properties={},
    )
    item = item_of(replace(ASSET, bands=(bare,), special=(), title=""))
    assert item["assets"]["data"]["bands"] == [{"name": "1in5", "data_type": "int16"}]
    assert "classification" not in json.dumps(item)
    assert validate_item(item) == []


def test_a_crs_without_a_code_is_given_as_wkt() -> None:
    wkt = rasterio.CRS.from_proj4("+proj=laea +lat_0=-2 +lon_0=30 +datum=WGS84").to_wkt()
    grid = Grid(wkt, (30, 0, 0, 0, -30, 0), 64, 48)
    item = item_of(replace(ASSET, grid=grid))
    assert item["properties"]["proj:code"] is None
    assert item["properties"]["proj:epsg"] is None
    assert item["properties"]["proj:wkt2"] == wkt
    assert item["bbox"] == pytest.approx([30, -2.013, 30.017, -2], abs=1e-3)
    assert validate_item(item) == []


def test_a_special_value_that_is_no_integer_is_refused() -> None:
    special = (SpecialValue(-0.5, "ice"),)
    with pytest.raises(InvalidItem, match="ice"):
        item_of(replace(ASSET, special=special))


def test_statistics_are_those_of_the_pixels() -> None:
    rules = PixelRules("int16", "cm", NODATA, 0, 1000)
    tally = Tally(rules)
    tally.add(np.array([[0, 0, 10, 30, NODATA]], dtype=np.int16))
    statistics = tally.statistics()
    assert stac_statistics(statistics) == {
        "minimum": 0,
        "maximum": 30,
        "mean": 10,
        "stddev": pytest.approx(np.std([0, 0, 10, 30])),
        "count": 5,
        "valid_percent": 80,
    }
    assert stac_percentiles(statistics, (50, 98)) == {"50": 0, "98": 30}


def test_a_band_of_nodata_has_no_extremes() -> None:
    empty = BandStatistics.of_nodata(12)
    assert stac_statistics(empty) == {"count": 12, "valid_percent": 0}
    assert stac_percentiles(empty) == {}
    band = replace(BANDS[0], statistics=stac_statistics(empty), percentiles={})
    assert validate_item(item_of(replace(ASSET, bands=(band,)))) == []


# What clients make of it ------------------------------------------------------------------------


@pytest.fixture
def cog(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder"
    folder.mkdir()
    return folder / "depth.tif"


@grids
@odc_warnings
def test_odc_stac_loads_an_item_with_no_extra_arguments(cog: Path, grid: Grid) -> None:
    pixels = make_cog(cog, grid)
    loaded = odc.stac.load([pystac.Item.from_dict(item_of(asset_of(cog, grid)))])
    assert list(loaded.data_vars) == [band.name for band in BANDS]
    for band, expected in zip(BANDS, pixels, strict=True):
        np.testing.assert_array_equal(loaded[band.name].values[0], expected)
        assert loaded[band.name].dtype == np.int16
        assert loaded[band.name].attrs["nodata"] == NODATA
    assert tuple(loaded.odc.geobox.transform)[:6] == pytest.approx(grid.transform)


@grids
def test_rio_tiler_reads_an_item_with_no_extra_arguments(cog: Path, grid: Grid) -> None:
    pixels = make_cog(cog, grid)
    with STACReader(None, item=item_of(asset_of(cog, grid))) as reader:
        assert reader.assets == ["data"]
        assert reader.bounds == pytest.approx(grid.bounds)
        assert reader.crs == grid.crs
        image = reader.preview(assets=["data"])
        assert image.count == len(BANDS)
        np.testing.assert_array_equal(image.data, pixels)
        assert image.dataset_statistics == [(0.0, 9.0)] * len(BANDS)
        named = reader.preview(assets=[{"name": "data", "bands": ["1in100"]}])
        np.testing.assert_array_equal(named.data[0], pixels[2])


@grids
def test_gdal_opens_the_href_as_it_is(cog: Path, grid: Grid) -> None:
    make_cog(cog, grid)
    asset = item_of(asset_of(cog, grid))["assets"]["data"]
    with rasterio.open(asset["href"]) as dataset:
        assert dataset.shape == grid.shape


def test_build_item_says_which_items_it_was_derived_from() -> None:
    item = build_item(
        "m",
        "flood",
        ASSET,
        start="2020-01-01T00:00:00Z",
        end="2020-12-31T00:00:00Z",
        properties={},
        lineage="Merged.",
        derived_from=["../a/a.json"],
        software={"thalweg": "9"},
    )
    assert {"rel": "derived_from", "href": "../a/a.json"} in item["links"]
    assert item["properties"]["processing:software"] == {"thalweg": "9"}
    assert validate_item(item) == []
