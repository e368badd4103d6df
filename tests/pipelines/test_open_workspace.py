"""A workspace opened from Python: what it gives is what the chain has made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from deliveries import PERIODS, Chain, Delivery, rasters_of_fathom

import thalweg
from thalweg.errors import (
    AmbiguousScenario,
    NoTables,
    NothingSelected,
    UnknownCoordinate,
    UnknownLayer,
    UsageError,
)
from thalweg.hexagons.outlines import Outlines
from thalweg.notebook import OpenWorkspace

pytestmark = pytest.mark.filterwarnings(
    # Of odc-geo's own use of shapely.
    "ignore:The 'shapely.ops.transform:DeprecationWarning",
)

CHOICE = ("year=2020", "peril=fluvial", "tiles=n04w006,n04w004,n05w004")
SERIES = "fathom_rwa_fluvial_defended_2020"
STEP = "  - {operator: hexagons, resolutions: [4, 6], depths: [0.5], countries: false}\n"
AROUND = Outlines(("A",), np.array([shapely.box(-7, 3, -2, 7)], object), "")


def pipeline(folder: Path, hexagons: str) -> str:
    """The built-in pipeline with this step before the last one, or with none."""
    before, after = rasters_of_fathom().split("  - operator: catalog\n")
    (folder / "floods.yaml").write_text(f"{before}{hexagons}  - operator: catalog\n{after}")
    return str(folder / "floods.yaml")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Two defences, each in two grid cells, measured in hexagons."""
    folder = tmp_path_factory.mktemp("notebook")
    delivery = Delivery(folder / "delivery")
    hazards = ("FLUVIAL_DEFENDED", "FLUVIAL_UNDEFENDED")
    delivery.add(["n04w006", "n04w004", "n05w004"], hazards)
    chain = Chain(folder / "workspace", delivery.folder, pipeline(folder, STEP))
    assert chain.run(*CHOICE).complete
    return chain


@pytest.fixture
def ws(made: Chain) -> OpenWorkspace:
    return thalweg.open(made.folder)


def test_importing_thalweg_costs_nothing() -> None:
    program = "import sys, thalweg; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "thalweg" in loaded
    assert loaded & {"numpy", "pydantic", "pyarrow", "sqlalchemy", "thalweg.notebook"} == set()


def test_what_there_is_is_told(
    ws: OpenWorkspace, made: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert repr(ws).splitlines() == [
        f"Thalweg workspace {made.folder}",
        "  fathom-flood-depth: 4 items",
        "  hexagons: 16 layers in 2 series, resolutions 4, 6",
    ]
    assert "<code>" in ws._repr_html_()
    assert ws.collections == ["fathom-flood-depth"]
    monkeypatch.chdir(made.folder.parent)
    assert thalweg.open("workspace").folder == Path("workspace")


def test_a_folder_that_is_no_workspace_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no workspace here"):
        thalweg.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_items_are_found_by_values_and_place(ws: OpenWorkspace) -> None:
    assert len(ws.search().items) == 4
    found = ws.search("fathom-flood-depth", defence="defended", bbox=(-5.9, 4.1, -5.5, 4.9))
    assert [item.id for item in found] == ["rwa-fluvial-defended-2020-n04w008"]
    with pytest.raises(UnknownCoordinate):
        ws.search(defence="none at all")


def test_a_scenario_is_an_array_of_its_rasters_pixels(ws: OpenWorkspace) -> None:
    depth = ws.raster(defence="defended")
    assert depth.return_period.values.tolist() == list(PERIODS)
    for item in ws.search(defence="defended"):
        with rasterio.open(item.assets["data"].href) as dataset:
            pixels = dataset.read(5).astype(np.float32)
            west, south, east, north = dataset.bounds
        part = depth.sel(
            return_period=100, longitude=slice(west, east), latitude=slice(north, south)
        )
        np.testing.assert_array_equal(part.values, np.where(pixels < 0, np.nan, pixels))
    small = ws.raster(defence="defended", bbox=(-5.9, 4.1, -5.5, 4.9), masked=False)
    assert small.dtype == np.int16
    assert small.shape[1:] < depth.shape[1:]
    with pytest.raises(AmbiguousScenario, match="not one scenario"):
        ws.raster()


def test_hexagons_are_frames_by_layer_and_place(ws: OpenWorkspace) -> None:
    assert set(ws.layers["series"]) == {SERIES, f"{SERIES[:-13]}undefended_2020"}
    assert ws.layers.loc[f"{SERIES}_1in100", "resolutions"] == [4, 6]
    cells = ws.hexagons(6, SERIES).to_geopandas()
    assert len(cells) == cells["cell"].nunique() > 100
    part = ws.hexagons(6, SERIES, bbox=(-6, 4, -5, 5), place=shapely.box(-5.5, 0, 0, 9))
    assert set(part.to_pandas()["cell"]) < set(cells["cell"])
    assert ws.hexagons(4, form="long").to_polars()["layer"].n_unique() == 16
    with pytest.raises(UnknownLayer):
        ws.hexagons(6, "nix").to_arrow()
    with pytest.raises(NothingSelected):
        ws.hexagons(6, country=["RWA", "BDI"]).to_arrow()


def test_the_tables_are_a_view_in_duckdb(ws: OpenWorkspace) -> None:
    with ws.duckdb() as connection:
        (rows,) = connection.sql(
            f"SELECT count(*) FROM hexagons WHERE series = '{SERIES}' AND resolution = 6"
        ).fetchall()
    assert rows == (len(ws.hexagons(6, SERIES).to_arrow()),)


def test_the_matrix_has_a_row_for_each_combination(ws: OpenWorkspace, made: Chain) -> None:
    choice = {"year": 2020, "peril": "fluvial", "tiles": ["n04w006", "n04w004", "n05w004"]}
    found = ws.matrix(made.pipeline, **choice)
    assert list(found.index) == ["rwa-fluvial-defended-2020", "rwa-fluvial-undefended-2020", "all"]
    assert found.loc["all", ["source", "source expected"]].tolist() == [48, 48]
    assert found.loc["all", ["stack", "mosaic", "mosaic items"]].tolist() == [6, 4, 4]


def test_a_map_is_a_picture_that_notebooks_show(ws: OpenWorkspace, tmp_path: Path) -> None:
    found = ws.plot(f"{SERIES}_1in100", 6, statistic="wet_share", borders=AROUND)
    assert found._repr_png_().startswith(b"\x89PNG")
    found.save(tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes() == found.png
    assert f"{len(found.png):,} bytes" in repr(found)


def test_without_hexagons_the_rest_is_there(delivery: Delivery, tmp_path: Path) -> None:
    delivery.add(["s02e029"])
    chain = Chain(tmp_path / "workspace", delivery.folder, pipeline(tmp_path, ""))
    chain.run("year=2020", "peril=fluvial", "defence=defended", "tiles=s02e029")
    ws = thalweg.open(chain.folder)
    assert repr(ws).splitlines()[-1] == "  hexagons: no tables"
    with pytest.raises(NoTables):
        ws.hexagons(6)
    assert ws.raster().shape[0] == len(PERIODS)
