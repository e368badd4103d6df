from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import geopandas
import h3.api.numpy_int as h3
import numpy as np
import pytest
import shapely
from typer.testing import CliRunner, Result

from recorded import recorded_table
from thalweg.catalog.sqlite import open_catalog
from thalweg.cli.hexagons import app
from thalweg.domain.coordinates import Coordinates
from thalweg.errors import NoTables, UnknownLayer, UsageError
from thalweg.hexagons.cells import cell_centres
from thalweg.hexagons.layers import Series
from thalweg.hexagons.tables import partition, series_table, write_table
from thalweg.pipelines.workspace import CATALOG_FILE

CELLS = np.sort(h3.grid_disk(h3.latlng_to_cell(-2, 30, 6), 5))
LAYER = "flood_fluvial_2020_1in100"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    series = Series(
        "flood_risk",
        "flood",
        "cm",
        Coordinates((("peril", "fluvial"), ("year", "2020"))),
        ("1in5", "1in100"),
        (5.0, 100.0),
    )
    depth = np.outer(np.arange(len(CELLS)), [1.0, 2.0])
    countries = ["RWA" if lon > 30 else "COD" for lon, _ in cell_centres(CELLS).tolist()]
    key = f"{partition(series, 6)}/{series.id}.parquet"
    path = tmp_path / "silver" / key
    path.parent.mkdir(parents=True)
    write_table(series_table(series, CELLS, {"mean": depth}, countries=countries), path)
    with open_catalog(tmp_path / CATALOG_FILE) as catalog:
        catalog.record(recorded_table(key, "hexagons", "flood", series.coordinates.to_json()))
    return tmp_path


def call(workspace: Path, *arguments: object) -> Result:
    command = [*map(str, arguments), "--workspace", str(workspace)]
    return CliRunner().invoke(app, command, catch_exceptions=True)


def test_list_tells_what_can_be_asked_for(workspace: Path) -> None:
    result = call(workspace, "list")
    assert result.exit_code == 0, result.exception
    assert [line.split() for line in result.output.splitlines()] == [
        ["series", "unit", "resolutions", "layers"],
        ["flood_fluvial_2020", "cm", "6", "1in5,", "1in100"],
        [],
        ["Statistics", "of", "flood:", "mean"],
    ]


def test_export_writes_what_is_chosen(workspace: Path) -> None:
    out = workspace / "out.gpkg"
    result = call(
        workspace, "export", out, "-r", 6, "--layer", LAYER, "--country", "RWA", "--form", "long"
    )
    assert result.exit_code == 0, result.exception
    found = geopandas.read_file(out)
    assert result.output == f"{len(found)} rows in {out}\n"
    assert set(found["layer"]) == {LAYER}
    assert set(found["country"]) == {"RWA"}


def test_export_of_an_area_of_the_users_own_file(workspace: Path) -> None:
    own = workspace / "own.geojson"
    areas = [shapely.box(29.9, -2.2, 30.1, -1.8), shapely.box(0, 0, 1, 1)]
    geopandas.GeoDataFrame({"name": ["here", "there"]}, geometry=areas, crs=4326).to_file(own)
    out = workspace / "out.parquet"
    area = ("--outlines", own, "--column", "name", "--area", "here")
    result = call(workspace, "export", out, "-r", 6, *area, "--bbox", "30,-3,31,-1")
    assert result.exit_code == 0, result.exception
    found = geopandas.read_parquet(out)
    lon, lat = shapely.get_coordinates(shapely.centroid(found.geometry.to_numpy())).T
    assert (lon.min() > 30, lon.max() < 30.1, lat.min() > -2.2) == (True, True, True)


def test_plot_writes_a_picture(workspace: Path) -> None:
    own = workspace / "own.geojson"
    geopandas.GeoDataFrame(
        {"name": ["a"]}, geometry=[shapely.box(29, -3, 31, -1)], crs=4326
    ).to_file(own)
    out = workspace / "map.png"
    borders = ("--outlines", own, "--column", "name")
    result = call(workspace, "plot", out, LAYER, "-r", 6, *borders)
    assert result.exit_code == 0, result.exception
    assert out.read_bytes().startswith(b"\x89PNG")


def test_what_is_wrong_is_named(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = workspace / "out.csv"
    for error, arguments in (
        (UnknownLayer, ("export", out, "-r", 6, "--layer", "flood_1in3")),
        (UsageError, ("export", out, "-r", 6, "--area", "here")),
    ):
        assert isinstance(call(workspace, *arguments).exception, error)
    empty = tmp_path_factory.mktemp("empty")
    assert isinstance(call(empty, "list").exception, UsageError)
    with open_catalog(empty / CATALOG_FILE):
        assert isinstance(call(empty, "list").exception, NoTables)


def test_rows_of_vector_files_that_were_left_out_are_named(workspace: Path) -> None:
    key = "flood/towns/theme=towns/dataset=towns/resolution=6/towns.parquet"
    named = [{"where": "towns.gpkg", "row": 7, "reason": "text instead of a number in people",
              "text": "many"}]  # fmt: skip
    faults = {
        "rows": 1200, "rows_left_out": 1, "numbers_left_out": 2,
        "reasons": {"no geometry": 1, "text instead of a number in people": 2}, "named": named,
    }  # fmt: skip
    series = Series("towns", "towns", "1", Coordinates((("dataset", "towns"),)))
    made = replace(
        recorded_table(key, "towns", "flood", series.coordinates.to_json()),
        operator="hexagons_vector",
        facts={"faults": faults},
    )
    with open_catalog(workspace / CATALOG_FILE) as catalog:
        catalog.record(made)
    said = CliRunner().invoke(app, ["faults", "-w", str(workspace)], catch_exceptions=False).output
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert "flood/towns 1200 1 2" in lines
    assert "flood/towns towns.gpkg 7 text instead of a number in people many" in lines
    assert "… and 2 more of flood/towns" in said
    answer = CliRunner().invoke(app, ["faults", "--json", "-w", str(workspace)])
    assert json.loads(answer.output) == {"flood/towns": faults}


def test_a_workspace_without_vector_files_has_no_faults_to_tell(workspace: Path) -> None:
    answer = CliRunner().invoke(app, ["faults", "-w", str(workspace)])
    assert isinstance(answer.exception, NoTables)
    assert "hexagons_vector" in answer.exception.hint
