"""The whole chain as a person types it, each command a process; how it ends and what it prints."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from thalweg.cli.texts import Call
from thalweg.synth.delivery import deliver
from thalweg.synth.order import Order
from thalweg.synth.presets import DEFAULT_SEED, Selection

THALWEG = [sys.executable, "-m", "thalweg.cli.main"]
CHOICE = ("--set", "year=2020", "--set", "peril=fluvial", "--set", "tiles=s02e029,s02e030")
UNDEFENDED = "rwa-fluvial-undefended-2020-s02e029"


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Place:
    """A folder in which commands are typed, with a delivery in it."""

    folder: Path

    def type(self, *words: object, code: int = 0, **environment: str) -> Said:
        """What a command says; none prints control characters, trailing blanks or tracebacks."""
        done = subprocess.run(
            [*THALWEG, *map(str, words)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )
        said = Said(done.returncode, done.stdout, done.stderr)
        assert said.code == code, f"{said.out}\n{said.err}"
        for text in (said.out, said.err):
            assert not re.search(r"[^\S\n]$", text, re.MULTILINE), said
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text), said
            assert "Traceback" not in text, said
        return said

    def copy(self, folder: Path) -> Place:
        return Place(Path(shutil.copytree(self.folder, folder, symlinks=True)))

    @property
    def silver(self) -> set[str]:
        return {path.name for path in (self.folder / "workspace/silver").rglob("*.tif")}


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("typed")
    tiles = Selection(("s02e029", "s02e030"), ("FLUVIAL_DEFENDED", "FLUVIAL_UNDEFENDED"), (2020,))
    deliver(Order("rwanda", 32, DEFAULT_SEED, "region", tiles), folder / "delivery", workers=1)
    return Place(folder)


@pytest.fixture(scope="module")
def made(delivered: Place, tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Said]:
    """A place where the chain has run once, and what that said."""
    place = delivered.copy(tmp_path_factory.mktemp("made") / "place")
    return place, place.type("run", "fathom", "--source", "delivery", *CHOICE)


def rows(text: str) -> dict[str, list[str]]:
    """The words of each line after the first, by the first."""
    return {words[0]: words[1:] for line in text.splitlines() if (words := line.split())}


def test_a_run_says_what_was_made_and_what_to_type_next(made: tuple[Place, Said]) -> None:
    place, said = made
    assert rows(said.out)["inventory"] == ["32", "0", "0", "0"]
    assert rows(said.out)["stack"] == ["4", "0", "0", "0"]
    assert rows(said.out)["mosaic"] == ["2", "0", "0", "0"]
    assert re.search(r"^Succeeded in \d+\.\d s\.$", said.out, re.MULTILINE)
    assert re.fullmatch(
        r"Run \d{8}-\d{6}-[0-9a-f]{4}\n"
        r"inventory  32 of 32 done[^\n]*\nstack      4 of 4 done[^\n]*\n"
        r"mosaic     2 of 2 done[^\n]*\ncatalog    1 of 1 done[^\n]*\n",
        said.err,
    )
    typed = [line for line in said.out.splitlines() if line.startswith("  thalweg ")]
    assert len(typed) == 2
    for line in typed:
        assert place.type(*shlex.split(line, comments=True)[1:]).out


def test_the_same_again_has_nothing_to_do(made: tuple[Place, Said]) -> None:
    said = made[0].type("run", "fathom", "--source", "delivery", *CHOICE)
    assert "Nothing to do" in said.out
    assert "inventory  32 done before" in said.err.splitlines()


@pytest.mark.slow
def test_a_dry_run_makes_nothing(delivered: Place, tmp_path: Path) -> None:
    place = delivered.copy(tmp_path / "place")
    said = place.type("run", "fathom", "--source", "delivery", *CHOICE, "--dry-run")
    assert rows(said.out)["stack"][:3] == ["4", "0", "0"]
    assert "Nothing was done: this is a dry run." in said.out
    assert place.silver == set()
    assert not (place.folder / "workspace").exists()


@pytest.mark.slow
def test_a_limit_and_json(delivered: Place, tmp_path: Path) -> None:
    place = delivered.copy(tmp_path / "place")
    said = place.type("run", "fathom", "--source", "delivery", *CHOICE, "--limit", 1, "--json")
    status = json.loads(said.out)
    assert status["state"] == "succeeded"
    assert {one["name"]: one["done"] for one in status["stages"]} == {
        "inventory": 1,
        "stack": 2,
        "mosaic": 1,
        "catalog": 1,
    }
    assert said.err == ""
    assert len(place.silver) == 3


@pytest.mark.slow
def test_a_retry_does_what_was_missing_and_no_more(
    made: tuple[Place, Said], tmp_path: Path
) -> None:
    place = made[0].copy(tmp_path / "place")
    folder = place.folder / "delivery/rwa/FLUVIAL_UNDEFENDED/2020"
    lost = next(folder.glob("1in50/*s02e029.tif"))
    lost.rename(place.folder / "aside.tif")
    said = place.type("run", "fathom", "--source", "delivery", *CHOICE, code=3)
    assert f"stack {UNDEFENDED}: return_period 1in50 is missing: no file" in said.out
    assert "Partial in" in said.out
    (retry,) = [
        line for line in said.out.splitlines() if line.endswith("# once the causes are mended")
    ]
    # What comes anew belongs to another run, which the retry is not.
    shutil.copytree(folder, place.folder / "delivery/bdi/FLUVIAL_UNDEFENDED/2020")
    (place.folder / "aside.tif").rename(lost)
    before = place.silver
    said = place.type(*shlex.split(retry, comments=True)[1:])
    assert rows(said.out)["inventory"][0] == "1"
    assert rows(said.out)["stack"][0] == "1"
    assert rows(said.out)["mosaic"][0] == "1"
    assert len(place.silver - before) == 2
    assert not any(name.startswith("bdi") for name in place.silver)
    assert place.type("matrix", "fathom", "--set", "region=rwa", *CHOICE).code == 0
    said = place.type("run", "fathom", "--source", "delivery", *CHOICE, "--retry", code=2)
    assert "left nothing to retry" in said.err


def test_a_run_that_made_nothing_of_what_it_should_has_failed(
    delivered: Place, tmp_path: Path
) -> None:
    """Files that were looked at once counted as made, and such a run as partial."""
    place = delivered.copy(tmp_path / "place")
    for file in (place.folder / "delivery").rglob("1in50/*.tif"):
        file.unlink()
    said = place.type("run", "fathom", "--source", "delivery", *CHOICE, code=1)
    assert rows(said.out)["inventory"][0] == "28"
    assert re.search(r"^stack +0 +0 +0 +4$", said.out, re.MULTILINE)
    assert re.search(r"^Failed in \d+\.\d s\.$", said.out, re.MULTILINE)


@pytest.mark.slow
def test_force_makes_all_again(made: tuple[Place, Said], tmp_path: Path) -> None:
    place = made[0].copy(tmp_path / "place")
    before = {
        path: path.read_bytes() for path in (place.folder / "workspace/silver").rglob("*.tif")
    }
    said = place.type("run", "fathom", "--source", "delivery", *CHOICE, "--force")
    assert rows(said.out)["stack"][:2] == ["4", "0"]
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.slow
def test_the_matrix_says_by_its_exit_code_whether_all_is_there(made: tuple[Place, Said]) -> None:
    place = made[0]
    assert "all" in rows(place.type("matrix", "fathom", *CHOICE).out)
    incomplete = place.type("matrix", "fathom", "--set", "year=2020", code=3)
    assert "Missing:" in incomplete.out
    document = json.loads(place.type("matrix", "fathom", "--json", code=3).out)
    assert not document["complete"]
    said = place.type("matrix", "aqueduct", code=2)
    assert said.err.startswith("UsageError: nothing of pipeline 'aqueduct' is inventoried in ")


@pytest.mark.slow
def test_runs_are_listed_and_shown(made: tuple[Place, Said]) -> None:
    place = made[0]
    listed = json.loads(place.type("runs", "list", "--json").out)
    first = listed[-1]["id"]
    assert first in rows(place.type("runs", "list").out)
    shown = place.type("runs", "show", first)
    assert shown.out.startswith(f"{first}: fathom, succeeded\n")
    assert json.loads(place.type("runs", "show", first, "--json").out)["id"] == first
    assert place.type("runs", "cancel", first).out == f"{first}: succeeded\n"
    said = place.type("runs", "show", "nosuch", code=1)
    assert said.err == "RunNotFound: no run 'nosuch' is recorded\n  see `thalweg runs list`\n"


def test_the_catalogue_is_listed_and_shown(made: tuple[Place, Said]) -> None:
    place = made[0]
    assert rows(place.type("catalog", "list").out)["fathom-flood-depth"][0] == "2"
    items = rows(place.type("catalog", "list", "fathom-flood-depth").out)
    item = "rwa-fluvial-defended-2020-s04e028"
    assert items[item][0] == "8"
    assert Path(items[item][-1]).is_file()
    shown = place.type("catalog", "show", "fathom-flood-depth", item)
    assert json.loads(shown.out)["id"] == item


@pytest.mark.slow
def test_what_the_catalogue_lacks_is_not_shown(made: tuple[Place, Said]) -> None:
    place = made[0]
    place.type("catalog", "show", "fathom-flood-depth", "nosuch", code=1)
    place.type("catalog", "show", "nosuch", code=1)


@pytest.mark.slow
def test_the_catalogue_is_validated_and_exported(made: tuple[Place, Said], tmp_path: Path) -> None:
    place = made[0]
    assert "3 valid, 0 not" in place.type("catalog", "validate").out
    said = place.type("catalog", "export", "--out", tmp_path / "stac")
    assert said.out == f"2 items below {tmp_path / 'stac/catalog.json'}\n"
    said = place.type("catalog", "export", "--out", tmp_path / "table", "--format", "geoparquet")
    assert Path(said.out.splitlines()[0]).is_file()


@pytest.mark.slow
def test_pipelines_are_listed_shown_validated_and_described(
    delivered: Place, tmp_path: Path
) -> None:
    assert {"aqueduct", "fathom", "jrc"} <= rows(delivered.type("pipelines", "list").out).keys()
    mine = tmp_path / "mine.yaml"
    mine.write_text(delivered.type("pipelines", "show", "fathom").out)
    path = "rwa/FLUVIAL_DEFENDED/2020/1in5/s02e029.tif"
    said = delivered.type("pipelines", "validate", mine, "--path", path)
    steps = len(yaml.safe_load(mine.read_text())["steps"])
    assert said.out.splitlines()[0] == f"{mine}: sound, {steps} steps"
    said = delivered.type("pipelines", "validate", mine, "--path", "odd.tif", code=2)
    assert said.err.startswith("UnmatchedName: odd.tif: no pattern matches")
    mine.write_text(mine.read_text().replace("license:", "licence:"))
    said = delivered.type("pipelines", "validate", mine, code=2)
    assert f"{mine}:7:1: licence: no such field" in said.err
    said = delivered.type("run", mine, "--source", "delivery", code=2)
    assert said.err.startswith(f"PipelineError: {mine}:7:1: licence: no such field\n")
    schema = json.loads(delivered.type("pipelines", "schema").out)
    assert schema["properties"]["steps"]


def test_the_doctor_finds_a_healthy_workspace_healthy(made: tuple[Place, Said]) -> None:
    said = made[0].type("doctor")
    assert "WRONG" not in said.out
    assert "zone bronze       is not set: runs need --source" in said.out
    findings = json.loads(made[0].type("doctor", "--source", "delivery", "--json").out)
    assert all(one["sound"] for one in findings)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param("catalog.db", marks=pytest.mark.slow),
        "jobs/jobs.db",
        pytest.param("thalweg.toml", marks=pytest.mark.slow),
        pytest.param("silver", marks=pytest.mark.slow),
    ],
)
def test_the_doctor_names_what_is_broken_and_how_to_mend_it(
    made: tuple[Place, Said], tmp_path: Path, broken: str
) -> None:
    place = made[0].copy(tmp_path / "place")
    workspace = place.folder / "workspace"
    if broken == "silver":
        (workspace / "thalweg.toml").write_text(f'[zones]\nbronze = "{tmp_path / "gone"}"\n')
    else:
        for beside in workspace.glob(f"{broken}-*"):
            beside.unlink()
        (workspace / broken).write_text("this is no database and no settings file\n" * 50)
    findings = json.loads(place.type("doctor", "--json", code=1).out)
    (wrong,) = [one for one in findings if not one["sound"]]
    assert Path(broken).name in wrong["said"] or "gone no such folder" in wrong["said"]
    assert wrong["mend"] or broken == "thalweg.toml"
    if broken == "jobs/jobs.db":
        said = place.type("runs", "list", code=1)
        assert said.err.startswith(f"JobError: {workspace / broken}: the record of runs cannot be")
    if broken == "catalog.db":
        said = place.type("catalog", "list", code=1)
        assert said.err.startswith(f"CatalogUnreadable: {workspace / broken}: ")


@pytest.mark.parametrize(
    "words",
    [
        "matrix fathom",
        "run fathom --retry",
        pytest.param("runs list", marks=pytest.mark.slow),
        pytest.param("runs show some-run", marks=pytest.mark.slow),
        pytest.param("catalog list", marks=pytest.mark.slow),
        pytest.param("catalog validate", marks=pytest.mark.slow),
        pytest.param("hexagons list", marks=pytest.mark.slow),
        pytest.param("hexagons export out.csv -r 6", marks=pytest.mark.slow),
    ],
)
def test_what_only_reads_makes_no_workspace(tmp_path: Path, words: str) -> None:
    """In the wrong folder each of these once left a workspace behind."""
    said = Place(tmp_path).type(*words.split(), code=2)
    assert said.err == (
        f"UsageError: {tmp_path / 'workspace'}: there is no workspace here\n"
        "  give its folder by -w, or make one: thalweg run PIPELINE --source FOLDER\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_makes_no_workspace(tmp_path: Path) -> None:
    said = Place(tmp_path).type("doctor").out
    assert "is none yet" in said
    assert "zone bronze       is not set: runs need --source" in said
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_leaves_nothing_behind_where_nothing_was(
    delivered: Place, tmp_path: Path
) -> None:
    source = ("--source", delivered.folder / "delivery")
    said = Place(tmp_path).type("run", "fathom", *source, *CHOICE, "--dry-run")
    assert rows(said.out)["stack"][:3] == ["4", "0", "0"]
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_looks_at_a_delivery_before_the_first_run(tmp_path: Path) -> None:
    said = Place(tmp_path).type("doctor", "--source", "nowhere", code=1)
    assert re.search(r"^WRONG +zone bronze .*nowhere no such folder$", said.out, re.MULTILINE)


@pytest.mark.slow
def test_wrong_calls_end_with_2_and_wrong_sources_with_1(delivered: Place, tmp_path: Path) -> None:
    place = delivered.copy(tmp_path / "place")
    for words in (
        ("run",),
        ("run", "nosuch"),
        ("run", "fathom", "--limit", 0),
        ("run", "fathom", "--set", "catalog.title={nothing}"),
        ("run", "fathom", "--source", "ftp://nowhere"),
        ("run", "fathom", "--retry"),
        ("nosuch",),
    ):
        said = place.type(*words, code=2)
        assert said.out == ""
        assert said.err
    said = place.type("run", "fathom", "--source", "nowhere", code=1)
    assert f"ObjectNotFound: {place.folder / 'nowhere'}: no such folder" in said.out
    assert "Failed in" in said.out


def test_help_is_quick_and_loads_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['thalweg', '--help']\n"
        "from thalweg.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "--version" in said.stdout
    loaded = set(said.stderr.split())
    heavy = {"numpy", "rasterio", "pydantic", "sqlalchemy", "dbos", "obstore", "pystac", "yaml"}
    assert loaded & {*heavy, "numba", "pyarrow", "psutil", "alembic", "xxhash"} == set()
    # The least of some: a busy machine makes a processor's seconds longer, never shorter.
    assert min(_seconds_of_help() for _ in range(5)) < 0.4


def _seconds_of_help() -> float:
    """Processor time of one call."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*THALWEG, "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


HOMES = """\
name: homes
title: Homes
description: Homes, one of them nowhere.
steps:
  - operator: buildings
    sources: [{name: homes, files: homes.csv, layout: points-csv}]
    countries: false
  - {operator: catalog, of: buildings, collection: homes}
"""


def test_a_run_of_vector_files_tells_warnings_and_suggests_no_matrix(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/homes.csv").write_text("longitude,latitude\n30,-2\n30,x\n30.1,-2\n")
    (tmp_path / "homes.yaml").write_text(HOMES)
    said = place.type("run", "homes.yaml", "--source", "source")
    warning = (
        "  buildings homes: rows dropped: 1 bad_number; the report beside the table names them"
    )
    assert f"\nWarnings:\n{warning}\n" in said.out
    assert "thalweg matrix" not in said.out
    assert "thalweg catalog list" in said.out
    run = said.err.splitlines()[0].removeprefix("Run ")
    assert warning in place.type("runs", "show", run).out
    again = place.type("run", "homes.yaml", "--source", "source").out
    assert "Warnings" not in again


def test_what_to_type_next_names_steps_as_they_were_asked_for(tmp_path: Path) -> None:
    call = Call("fathom", tmp_path, "delivery", ["year=2020"], ["exposure"])
    assert "--set year=2020 --with exposure --retry" in call.run("--retry")
    assert "exposure" not in call.matrix()
