from __future__ import annotations

from pathlib import Path

import geopandas
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from exposed_country import CELLS, write_tables
from recorded import recorded_table
from thalweg.catalog.sqlite import open_catalog
from thalweg.cli.exposure import app
from thalweg.errors import NoExposure, NoTables, UnknownFormat, UnknownLayer, UsageError
from thalweg.pipelines.workspace import CATALOG_FILE

SERIES = "homes_rwa_fluvial_2050"
LAYER = f"{SERIES}_1in100"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    cells, areas = write_tables(folder / "silver")
    with open_catalog(folder / CATALOG_FILE) as catalog:
        for path in (*cells, *areas):
            table = path.stem.partition("-")[0]
            kind = {"h3_resolution": "6"} if path in cells else {"table": table}
            year = "2020" if "2020" in path.stem else "2050"
            key = str(path.relative_to(folder / "silver"))
            told = {"peril": "fluvial", "year": year, **kind}
            catalog.record(recorded_table(key, "exposure", "homes", told))
    return folder


def call(workspace: Path, *arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--workspace", str(workspace)])


def done(workspace: Path, *arguments: object) -> str:
    result = call(workspace, *arguments)
    assert result.exit_code == 0, result.exception
    return result.output


def test_list_tells_what_can_be_asked_for(workspace: Path) -> None:
    lines = [" ".join(line.split()) for line in done(workspace, "list").splitlines()]
    assert lines[0] == "series resolutions areas layers"
    assert f"{SERIES} 6 countries, districts 1in10, 1in100" in lines
    assert "Of each place in homes: buildings, floor_area_m2, without_area, outside" in lines
    (layer,) = (line for line in lines if line.startswith("Of each layer: "))
    assert "exposed_above_50cm" in layer
    (scenario,) = (line for line in lines if line.startswith("Of each scenario: "))
    assert "expected_annual_exposed_above_50cm" in scenario


@pytest.mark.parametrize("form", ["wide", "long"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_areas_are_exported_wide_and_long(
    workspace: Path, tmp_path: Path, form: str, suffix: str
) -> None:
    out = tmp_path / f"districts.{suffix}"
    told = done(workspace, "export", out, "--areas", "districts", "--form", form)
    rows = pa_csv.read_csv(out) if suffix == "csv" else pq.read_table(out)
    assert told == f"{rows.num_rows} rows in {out}\n"
    assert rows.num_rows == (8 if form == "wide" else 16)
    (found,) = (
        row
        for row in rows.to_pylist()
        if (row["area"], row["series"]) == ("Z", SERIES) and row.get("return_period", 100) == 100
    )
    column = "exposed_above_50cm" + ("_1in100" if form == "wide" else "")
    assert (found["country"], found["buildings"], found[column]) == ("RWA", 1000, 800)
    if form == "long":
        assert (found["layer"], found["label"]) == (LAYER, "1in100")


def test_areas_of_some_codes_and_layers_are_exported(workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "countries.csv"
    chosen = ("--areas", "countries", "--code", "RWA", "--layer", LAYER)
    assert done(workspace, "export", out, *chosen) == f"1 rows in {out}\n"
    (row,) = pa_csv.read_csv(out).to_pylist()
    assert (row["area"], row["year"], row["exposed_above_15cm_1in100"]) == ("RWA", 2050, 400)
    assert not {"exposed_above_15cm_1in10", "expected_annual_damage_homes"} & {*row}


def test_cells_are_exported_as_those_of_other_tables(workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "cells.gpkg"
    chosen = ("-r", 6, "--layer", LAYER, "--country", "RWA", "--form", "long")
    done(workspace, "export", out, *chosen, "--shape", "centroid")
    found = geopandas.read_file(out)
    assert len(found) == len(CELLS) - 1
    assert set(found.geom_type) == {"Point"}
    assert found["exposed_above_50cm"].max() == 4 * (len(CELLS) - 2)


def test_plot_writes_a_map(workspace: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.geojson"
    outline = geopandas.GeoSeries.from_wkt(["POLYGON((29 -3,31 -3,31 -1,29 -1,29 -3))"], crs=4326)
    geopandas.GeoDataFrame({"name": ["a"]}, geometry=outline).to_file(own)
    out = tmp_path / "map.png"
    done(workspace, "plot", out, LAYER, "-r", 6, "--outlines", own, "--column", "name")
    assert out.read_bytes().startswith(b"\x89PNG")


def test_report_writes_a_page(workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "rwanda.html"
    told = done(workspace, "report", "rwa", "--out", out, "--name", "Rwanda", "--threshold", 1)
    assert told == f"{out}\n"
    assert "Buildings in more than 1 m of water" in out.read_text()


def test_what_is_wrong_is_named(
    workspace: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path / "out.csv"
    for error, said, arguments in (
        (UsageError, "by area", ("export", out)),
        (UsageError, "by area", ("export", out, "-r", 6, "--areas", "districts")),
        (UsageError, "--code", ("export", out, "-r", 6, "--code", "Z")),
        (UsageError, "H3 cells", ("export", out, "--areas", "districts", "--country", "RWA")),
        (NoExposure, "countries, districts", ("export", out, "--areas", "towns")),
        (NoExposure, "of the districts", ("export", out, "--areas", "districts", "--code", "A")),
        (UnknownLayer, "1in3", ("export", out, "--areas", "districts", "--layer", "homes_1in3")),
        (UnknownFormat, ".csv", ("export", out.with_suffix(".gpkg"), "--areas", "districts")),
        (NoExposure, "FRA", ("report", "FRA", "--out", out)),
    ):
        result = call(workspace, *arguments)
        assert isinstance(result.exception, error), (arguments, result.exception)
        assert said in f"{result.exception} {result.exception.hint}"
    assert not out.exists()
    empty = tmp_path_factory.mktemp("empty")
    with open_catalog(empty / CATALOG_FILE):
        assert isinstance(call(empty, "list").exception, NoTables)
