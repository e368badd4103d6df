"""The documentation leaves nothing out, tells nothing untrue and fetches nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import documented
import pytest
import tour
from typer.main import get_command

from thalweg.cli.main import app
from thalweg.hexagons.frames import Hexagons
from thalweg.notebook import OpenWorkspace
from thalweg.pipelines.layer_files import LayerModel, load_layer
from thalweg.pipelines.loader import parse
from thalweg.pipelines.schema import Pipeline
from thalweg.settings import ENV_PREFIX, Settings

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def docs(root: Path) -> Path:
    return root / "docs"


def test_every_setting_is_documented_and_no_other(docs: Path) -> None:
    names = set(documented.settings_of(Settings))
    variables = {ENV_PREFIX + name.replace(".", "__").upper() for name in names}

    quoted = documented.quoted((docs / "settings.md").read_text())

    assert (names | variables) - quoted == set(), "not in docs/settings.md"
    concerns = tuple(f"{name}." for name in Settings.model_fields)
    told = {
        word
        for word in quoted
        if re.fullmatch(rf"{ENV_PREFIX}\w+__\w+", word)
        or (word.startswith(concerns) and not word.endswith(".toml"))
    }
    assert told - names - variables == set(), "docs/settings.md tells of settings that do not exist"


def test_every_field_of_a_pipeline_is_documented_and_no_other(docs: Path) -> None:
    fields = set(documented.fields_of(Pipeline.model_json_schema()))
    of_operators = {name for name in fields if name.startswith("steps[].")}
    fields -= of_operators - {"steps[].operator", "steps[].name"}

    told = documented.rows((docs / "pipelines.md").read_text())

    assert fields - told == set(), "not in docs/pipelines.md"
    assert told - fields == set(), "docs/pipelines.md tells of fields that do not exist"


def test_every_operator_and_its_fields_are_documented_and_no_other(docs: Path) -> None:
    sections = documented.sections((docs / "operators.md").read_text())
    told = {name: documented.rows(text) for name, text in sections.items() if name != "Operators"}

    assert told == documented.operators_of(Pipeline.model_json_schema())


def test_every_field_of_a_layers_file_is_documented_and_no_other(docs: Path) -> None:
    fields = set(documented.fields_of(LayerModel.model_json_schema()))
    assert documented.rows((docs / "sources.md").read_text()) == fields


def test_the_example_of_a_layers_file_is_one(docs: Path, tmp_path: Path) -> None:
    example = re.search(r"(?ms)^```yaml\n(.+?)^```$", (docs / "sources.md").read_text())
    assert example
    file = tmp_path / "layer.yaml"
    file.write_text(example[1])
    assert load_layer(file)[0].id == "people_2020"


def test_the_example_of_a_pipeline_file_is_one(docs: Path) -> None:
    example = re.search(r"(?ms)^```yaml\n(.+?)^```$", (docs / "pipelines.md").read_text())
    assert example
    assert parse(example[1], "docs/pipelines.md").name == "rivers"


def test_every_command_and_what_it_takes_is_documented_and_no_other(docs: Path) -> None:
    sections = documented.sections((docs / "commands.md").read_text())
    told = {
        name: documented.rows(text)
        for name, text in sections.items()
        if name.split()[0] == "thalweg"
    }

    assert told == {
        name: set(documented.parameters_of(command))
        for name, command in documented.commands_of(get_command(app), "thalweg")
    }


def test_the_help_of_every_command_has_an_example_of_it() -> None:
    commands = dict(documented.commands_of(get_command(app), "thalweg"))
    commands.pop("thalweg")  # lists the commands, and the exit codes
    examples = {name: one.epilog or "" for name, one in commands.items()}
    assert [name for name, text in examples.items() if not re.search(rf"{name}\b", text)] == []


def test_everything_that_python_opens_is_documented_and_nothing_else(docs: Path) -> None:
    told = documented.rows((docs / "python.md").read_text())
    public = {name for kind in (OpenWorkspace, Hexagons) for name in vars(kind) if name[0] != "_"}
    assert told == public - {"workspace", "tables", "selection", "form"}


@pytest.mark.slow
def test_the_tour_does_what_it_shows(docs: Path, tmp_path: Path) -> None:
    steps = tour.read_tour((docs / "tour.md").read_text())
    assert any(isinstance(step, tour.Command) for step in steps)
    for step in steps:
        if isinstance(step, tour.File):
            (tmp_path / step.name).write_text(step.text)
            continue
        done = subprocess.run(
            ["sh", "-c", step.line],
            cwd=tmp_path,
            env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == step.exit_code, f"$ {step.line}\n{done.stdout}"
        assert tour.lacking(step.shown, done.stdout) == [], f"$ {step.line}\n{done.stdout}"


class Fetches(HTMLParser):
    """What a browser fetches from other places to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        link = given.get("href") if tag == "link" and given.get("rel") != "canonical" else None
        for address in (given.get("src"), link):
            if address and re.match(r"(https?:)?//", address):
                self.found.append(f"<{tag}> {address}")


def fetches_of(site: Path) -> Iterator[str]:
    for page in site.rglob("*.html"):
        parser = Fetches()
        parser.feed(page.read_text())
        yield from parser.found
    imported = r"(?:url\(|@import )[\"']?((?:https?:)?//[^)\"']+)"
    for style in site.rglob("*.css"):
        yield from re.findall(imported, style.read_text())


def test_the_site_is_built_without_a_warning_and_fetches_nothing_from_elsewhere(
    root: Path, tmp_path: Path
) -> None:
    built = subprocess.run(
        [BIN / "mkdocs", "build", "--quiet", "--strict", "--site-dir", tmp_path],
        cwd=root,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stderr) == (0, "")
    assert (tmp_path / "index.html").is_file()
    assert list(fetches_of(tmp_path)) == []
