from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import h3.api.numpy_int as h3
import numpy as np
import pytest
import shapely

from thalweg.errors import NothingSelected, PackageMissing
from thalweg.hexagons.frames import Hexagons, layer_rows
from thalweg.hexagons.selection import Selection
from thalweg.hexagons.tables import find_tables

SERIES = "flood_fluvial_2050_ssp245"


@pytest.fixture
def rwanda(tables: Path) -> Hexagons:
    return Hexagons(find_tables(tables), Selection(6, (SERIES,), ("RWA",)))


def test_every_library_gets_the_same_rows(rwanda: Hexagons) -> None:
    arrow = rwanda.to_arrow()
    assert set(arrow["country"].to_pylist()) == {"RWA"}
    assert arrow.equals(rwanda.to_arrow())
    pandas, polars, geopandas = rwanda.to_pandas(), rwanda.to_polars(), rwanda.to_geopandas()
    for name in ("cell", "h3", "series", "mean_1in100", "expected_annual_depth"):
        expected = arrow[name].to_pandas().to_numpy()
        for found in (pandas[name], polars[name], geopandas[name]):
            np.testing.assert_array_equal(found.to_numpy(), expected)
    assert len(geopandas) == len(pandas) == len(polars) == arrow.num_rows


def test_arrow_tells_units(rwanda: Hexagons) -> None:
    schema = rwanda.to_arrow().schema
    assert schema.field("mean_1in100").metadata[b"unit"] == b"cm"
    assert schema.field("wet_share_1in100").metadata[b"unit"] == b"1"


def test_geometries_are_the_outlines_of_their_cells(rwanda: Hexagons) -> None:
    frame = rwanda.to_geopandas()
    assert frame.crs.to_epsg() == 4326
    for cell, outline in zip(frame["cell"][:20], frame.geometry[:20], strict=True):
        lat, lon = h3.cell_to_latlng(cell)
        assert outline.contains(shapely.Point(lon, lat))


def test_long_has_a_row_for_each_cell_and_layer(tables: Path) -> None:
    found = Hexagons(find_tables(tables), Selection(5, (f"{SERIES}_1in20",)), "long").to_pandas()
    assert set(found["layer"]) == {f"{SERIES}_1in20"}
    assert set(found["return_period"]) == {20}


def test_what_is_wanted_is_told_and_written(rwanda: Hexagons, tmp_path: Path) -> None:
    assert repr(rwanda) == f"<Hexagons: resolution 6; {SERIES}; RWA; wide>"
    written = rwanda.export(tmp_path / "out.csv", shape="centroid")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert len(lines) == written + 1 == rwanda.to_arrow().num_rows + 1


def test_nothing_is_read_before_it_is_asked_for(tables: Path) -> None:
    nowhere = Hexagons(find_tables(tables), Selection(6, (), ("FJI",)))
    with pytest.raises(NothingSelected):
        nowhere.to_pandas()


def test_layers_are_told_once_with_all_their_resolutions(tables: Path) -> None:
    rows = {row["layer"]: row for row in layer_rows(find_tables(tables))}
    assert len(rows) == 7
    row = rows[f"{SERIES}_1in100"]
    assert (row["series"], row["unit"], row["return_period"]) == (SERIES, "cm", 100)
    assert (row["year"], row["scenario"]) == ("2050", "ssp245")
    assert row["resolutions"] == [5, 6]
    assert rows["terrain_fluvial"]["return_period"] is None


@pytest.mark.parametrize(
    ("method", "package", "extra"),
    [
        ("to_pandas", "pandas", "notebook"),
        ("to_geopandas", "geopandas", "notebook"),
        ("to_polars", "polars", "polars"),
    ],
)
def test_what_to_install_is_told(
    rwanda: Hexagons, monkeypatch: pytest.MonkeyPatch, method: str, package: str, extra: str
) -> None:
    real = importlib.import_module

    def without(name: str, *rest: Any) -> Any:
        if name == package:
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(PackageMissing, match=package) as error:
        getattr(rwanda, method)()
    assert f"thalweg[{extra}]" in error.value.hint
