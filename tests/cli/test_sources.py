from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from thalweg.catalog.sqlite import open_catalog
from thalweg.cli.sources import ADD_EXAMPLES, app
from thalweg.domain.coordinates import Coordinates
from thalweg.domain.layers import Layer, Theme
from thalweg.errors import InvalidLayer, LayerConflict, LayerNotFound, UsageError
from thalweg.pipelines.workspace import CATALOG_FILE

FLOOD = Layer(
    "flood_fluvial_1in100",
    "flood_risk",
    "flood",
    "Flood depth: river flood, 1in100",
    "cm",
    "other",
    nodata=-32768.0,
    citation="Somebody (2020)",
    crs="EPSG:4326",
    pixel=0.25,
    coordinates=Coordinates((("peril", "fluvial"), ("return_period", "1in100"))),
    statistics=("mean",),
    resolutions=(5, 6),
    pipeline="flood",
)
PEOPLE = """\
id: people_2020
title: People, 2020
theme: {id: demographics, title: People and homes}
unit: person
license: CC-BY-4.0
nodata: -1
coordinates: {year: 2020}
recommended: {statistics: [sum], resolutions: [6, 7]}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    with open_catalog(tmp_path / CATALOG_FILE) as catalog:
        older = replace(FLOOD, id="flood_fluvial_1in5")
        catalog.put_layers([FLOOD, older], [Theme("flood_risk")], pipeline="flood")
        catalog.put_layers([FLOOD], pipeline="flood")
    return tmp_path


def call(workspace: Path, *arguments: object) -> Result:
    command = [*map(str, arguments), "--workspace", str(workspace)]
    return CliRunner().invoke(app, command, catch_exceptions=True)


def told(workspace: Path, *arguments: object) -> str:
    result = call(workspace, *arguments)
    assert result.exit_code == 0, result.exception
    return result.output


def written(folder: Path, text: str = PEOPLE) -> Path:
    file = folder / "people.yaml"
    file.write_text(text)
    return file


def test_list_tells_who_declares_a_layer(workspace: Path) -> None:
    told(workspace, "add", written(workspace))
    lines = [line.split() for line in told(workspace, "list").splitlines()]
    assert lines[0] == ["layer", "theme", "unit", "from", "what"]
    assert lines[1][0] == "flood_fluvial_1in5"
    assert lines[1][3:6] == ["flood", "(no", "longer)"]
    assert lines[2][:4] == ["flood_fluvial_1in100", "flood_risk", "cm", "flood"]
    assert lines[3][:5] == ["people_2020", "demographics", "person", "a", "file"]


def test_list_chooses_by_theme_and_prints_json(workspace: Path) -> None:
    told(workspace, "add", written(workspace))
    found = json.loads(told(workspace, "list", "--theme", "demographics", "--json"))
    (layer,) = map(Layer.from_json, found)
    assert layer == Layer(
        "people_2020",
        "demographics",
        "people_2020",
        "People, 2020",
        "person",
        "CC-BY-4.0",
        nodata=-1.0,
        coordinates=Coordinates((("year", "2020"),)),
        statistics=("sum",),
        resolutions=(6, 7),
    )
    assert "of theme climate" in told(workspace, "list", "--theme", "climate")


def test_show_tells_what_is_known_and_nothing_else(workspace: Path) -> None:
    lines = told(workspace, "show", FLOOD.id).splitlines()
    facts = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}
    assert facts == {
        "layer": FLOOD.id,
        "title": FLOOD.title,
        "theme": "flood_risk",
        "dataset": "flood",
        "coordinates": "peril fluvial, return_period 1in100",
        "unit": "cm",
        "nodata": "-32768",
        "pixel": "0.25 EPSG:4326",
        "licence": "other",
        "citation": "Somebody (2020)",
        "recommended": "mean",
        "resolutions": "5, 6",
        "from": "flood",
    }
    assert Layer.from_json(json.loads(told(workspace, "show", FLOOD.id, "--json"))) == FLOOD


def test_themes_count_their_layers(workspace: Path) -> None:
    told(workspace, "add", written(workspace))
    lines = [line.split(maxsplit=2) for line in told(workspace, "themes").splitlines()]
    assert lines == [
        ["theme", "layers", "what"],
        ["demographics", "1", "People and homes"],
        ["flood_risk", "2", "Flood risk"],
    ]
    (first, _) = json.loads(told(workspace, "themes", "--json"))
    assert first["layers"] == 1


def test_a_layer_is_changed_by_its_file(workspace: Path) -> None:
    told(workspace, "add", written(workspace))
    told(workspace, "add", written(workspace, PEOPLE.replace("unit: person", "unit: household")))
    assert json.loads(told(workspace, "show", "people_2020", "--json"))["unit"] == "household"


def test_the_first_layer_makes_the_workspace(tmp_path: Path) -> None:
    new = tmp_path / "new"
    assert told(new, "add", written(tmp_path)) == "people_2020: registered under demographics\n"
    assert "people_2020" in told(new, "list")


def test_the_file_that_help_shows_is_one(tmp_path: Path) -> None:
    text = ADD_EXAMPLES.partition("A whole file:")[2].replace("\n  ", "\n")
    assert "registered" in told(tmp_path, "add", written(tmp_path, text))


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        ("unit: person", "unite: person", "", "unit: this field is missing"),
        ("unit: person", "unit: person\nscale: 2", ":5:1", "scale: no such field"),
        ("id: people_2020", "id: People", ":1:5", "id: "),
        ("[6, 7]", "[6, 70]", ":8:51", "recommended.resolutions.1: "),
        ("id: people_2020", "id: [", ":3:6", "not YAML"),
        (PEOPLE, "- a list", ":1:1", "mapping of fields"),
    ],
)
def test_a_faulty_file_is_named_by_its_line(
    workspace: Path, old: str, new: str, where: str, message: str
) -> None:
    file = written(workspace, PEOPLE.replace(old, new))
    error = call(workspace, "add", file).exception
    assert isinstance(error, InvalidLayer)
    assert error.where.startswith(f"{file}{where}")
    assert message in error.message
    assert "people" not in told(workspace, "list")


def test_files_are_registered_all_or_none(workspace: Path) -> None:
    taken = workspace / "taken.yaml"
    taken.write_text(PEOPLE.replace("people_2020", FLOOD.id))
    error = call(workspace, "add", written(workspace), taken).exception
    assert isinstance(error, LayerConflict)
    assert "by the pipeline 'flood'" in error.message
    assert "people" not in told(workspace, "list")


def test_what_is_not_there_is_named(workspace: Path, tmp_path: Path) -> None:
    assert isinstance(call(workspace, "show", "rivers").exception, LayerNotFound)
    assert isinstance(call(workspace, "add", tmp_path / "none.yaml").exception, InvalidLayer)
    assert isinstance(call(tmp_path / "empty", "list").exception, UsageError)
    with open_catalog(tmp_path / "bare" / CATALOG_FILE):
        assert told(tmp_path / "bare", "list") == "No layer is registered yet.\n"
        assert told(tmp_path / "bare", "themes") == "No theme has a layer yet.\n"
