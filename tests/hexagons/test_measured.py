from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
from hexagon_tables import flood_series
from rasterio.transform import from_origin

from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.errors import WrongShape
from thalweg.hexagons.measured import measured_batches, measured_table
from thalweg.hexagons.statistics import CellStatistics
from thalweg.hexagons.tables import table_facts, write_batches, write_table
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
            assert column.dtype == (np.int32 if values.dtype.kind == "i" else np.float32)
            expected = values[:, layer].astype(column.dtype)
            np.testing.assert_array_equal(column, expected, err_msg=name)


def test_sums_are_exact_to_the_last_integer(table: pa.Table, measured: CellStatistics) -> None:
    for layer, label in enumerate(LABELS):
        column = table[f"sum_{label}"]
        assert column.type == pa.int64()
        np.testing.assert_array_equal(column.to_numpy(), measured.total[:, layer])


def test_pieces_are_the_table(
    measured: CellStatistics,
    table: pa.Table,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("measured", "tables"):
        monkeypatch.setattr(f"thalweg.hexagons.{module}.ROW_GROUP_ROWS", 40)
    codes = ["RWA", None] * len(measured.cells)
    codes = codes[: len(measured.cells)]
    batches = list(measured_batches(SERIES, measured, codes))
    assert len(batches) == -(-len(measured.cells) // 40) > 2
    facts = write_batches(batches, tmp_path / "pieces.parquet")
    whole = measured_table(SERIES, measured, countries=codes)
    write_table(whole, tmp_path / "whole.parquet")
    assert facts == table_facts(whole)
    pieces = (tmp_path / "pieces.parquet").read_bytes()
    assert pieces == (tmp_path / "whole.parquet").read_bytes()
    assert (
        pq.read_table(tmp_path / "pieces.parquet")
        .drop_columns("country")
        .equals(table.drop_columns("country"))
    )


def test_nodata_alone_is_a_table_without_rows(measured: CellStatistics, tmp_path: Path) -> None:
    has_data = (measured.nodata < measured.pixels[:, None]).any(axis=1)
    void = measured.batches(1)
    none = next(one for one, kept in zip(void, has_data, strict=True) if not kept).with_data()
    assert len(none.cells) == 0
    facts = write_batches(measured_batches(SERIES, none), tmp_path / "none.parquet")
    assert (facts.rows, facts.bounds) == (0, None)
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0


def test_cells_of_nodata_alone_are_left_out(measured: CellStatistics) -> None:
    some = measured.with_data()
    has_data = (measured.nodata < measured.pixels[:, None]).any(axis=1)
    assert 0 < (~has_data).sum() < len(has_data)
    np.testing.assert_array_equal(some.cells, measured.cells[has_data])
    for name in ("valid", "wet", "total", "maximum", "pixels", "wet_area_km2"):
        kept = getattr(measured, name)[has_data]
        np.testing.assert_array_equal(getattr(some, name), kept, err_msg=name)
    assert some.total.sum() == measured.total.sum()
    np.testing.assert_array_equal(some.percentile(90), measured.percentile(90)[has_data])


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
