from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
import rasterio
from hexagon_tables import flood_series
from rasterio.transform import from_origin

from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.errors import WrongShape
from thalweg.hexagons.measured import measured_table
from thalweg.hexagons.statistics import CellStatistics
from thalweg.hexagons.zonal import zonal

LABELS = ("1in5", "1in100")
SERIES = flood_series("2020", "none", labels=LABELS, periods=(5.0, 100.0))
RULES = PixelRules("int16", "cm", -32768, 0, 10_000, (SpecialValue(-32767, "permanent_water"),))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> CellStatistics:
    """A quarter of a degree: nodata in the north, water in the west, depths elsewhere."""
    path = tmp_path_factory.mktemp("raster") / "flood.tif"
    pixels = np.random.default_rng(3).integers(0, 300, (2, 300, 300)).astype(np.int16)
    pixels[pixels < 100] = 0
    pixels[:, :90] = -32768
    pixels[:, :, :40] = -32767
    profile = {"driver": "GTiff", "count": 2, "height": 300, "width": 300, "dtype": "int16"}
    transform = from_origin(30, -1, 1 / 1200, 1 / 1200)
    with rasterio.open(
        path, "w", **profile, crs="EPSG:4326", transform=transform, nodata=-32768
    ) as file:
        file.write(pixels)
    return zonal(str(path), [7], rules=RULES, histogram=True)[7]


@pytest.fixture(scope="module")
def table(measured: CellStatistics) -> pa.Table:
    return measured_table(SERIES, measured)


def test_every_measure_is_a_column_of_each_layer(table: pa.Table, measured: CellStatistics) -> None:
    for layer, label in enumerate(LABELS):
        for name, values in (
            ("valid", measured.valid),
            ("permanent_water", measured.special("permanent_water")),
            ("mean", measured.mean),
            ("max", measured.maximum),
            ("p90", measured.percentile(90)),
            ("wet_area_km2", measured.wet_area_km2),
            ("share_above_15cm", measured.share_above(0.15)),
            ("area_above_200cm_km2", measured.area_above_km2(2.0)),
        ):
            column = table[f"{name}_{label}"].to_numpy(zero_copy_only=False)
            np.testing.assert_array_equal(column, values[:, layer], err_msg=name)


def test_the_kinds_of_pixels_add_up(table: pa.Table) -> None:
    kinds = [table[f"{kind}_1in5"].to_numpy() for kind in ("valid", "nodata", "permanent_water")]
    np.testing.assert_array_equal(sum(kinds), table["pixels"].to_numpy())
    assert sum(map(np.sum, kinds)) == 300 * 300


def test_a_cell_of_water_and_nodata_alone_has_no_mean(table: pa.Table) -> None:
    without = table["valid_1in5"].to_numpy() == 0
    assert without.any()
    for name in ("mean_1in5", "wet_share_1in5", "expected_annual_depth"):
        assert (table[name].is_null().to_numpy() == without).all()


def test_units_and_the_sampling_rule_are_told(table: pa.Table) -> None:
    units = {name: table.schema.field(name).metadata[b"unit"] for name in table.column_names[8:]}
    assert units["mean_1in5"] == units["expected_annual_depth"] == b"cm"
    assert units["wet_share_1in5"] == units["expected_annual_wet_share"] == b"1"
    assert units["pixels"] == units["valid_1in5"] == b"pixel"
    assert units["area_km2"] == units["expected_annual_wet_area_km2"] == b"km2"
    assert all(field.metadata[b"description"] for field in table.schema)
    told = json.loads(table.schema.metadata[b"thalweg"])
    assert told["measures"]["rule"] == "centre"
    assert told["per_cell"] == ["pixels", "area_km2"]


def test_as_many_layers_as_bands(measured: CellStatistics) -> None:
    with pytest.raises(WrongShape, match="2 bands for 3 layers"):
        measured_table(flood_series("2020", "none"), measured)
