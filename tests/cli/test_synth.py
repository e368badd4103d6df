from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from thalweg.cli.synth import app
from thalweg.errors import DeliveryExists, UnknownPreset, UsageError, WrongTileSize


def synth(*arguments: object):
    return CliRunner().invoke(app, ["flood", *map(str, arguments)])


def test_a_part_is_made_and_reported(tmp_path: Path) -> None:
    result = synth(
        *("--preset", "rwanda", "--tile-size", 32, "--out", tmp_path / "out", "--workers", 1),
        *("--tiles", "s02e029, s02e030", "--hazards", "PLUVIAL_DEFENDED", "--years", "2020,2050"),
        *("--scenarios", "SSP2_4.5", "--return-periods", "10,100", "--variant", "root"),
    )
    assert result.exit_code == 0, result.output
    assert "8 files" in result.output
    assert "4 stacked and 2 merged" in result.output
    files = json.loads((tmp_path / "out" / "manifest.json").read_text())["files"]
    assert len(files) == 8
    assert files[0]["path"].startswith("PLUVIAL_DEFENDED/2020/1in10/")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"--preset": "uganda"}, UnknownPreset),
        ({"--tile-size": 100}, WrongTileSize),
        ({"--years": "soon"}, UsageError),
        ({"--variant": "other"}, UsageError),
        ({"--out": Path(__file__).parent}, DeliveryExists),
    ],
)
def test_a_wrong_option_is_a_named_error(tmp_path: Path, changed, error) -> None:
    options = {"--preset": "tiny", "--tile-size": 32, "--out": tmp_path / "out", **changed}
    result = synth(*(word for pair in options.items() for word in pair))
    assert type(result.exception) is error
    assert not (tmp_path / "out").exists()


def test_help_gives_examples_of_every_way_to_call_it() -> None:
    result = synth("--help")
    assert result.exit_code == 0
    assert "thalweg synth flood --preset rwanda --tile-size 400" in result.output


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys, thalweg.cli.synth;"
        "sys.exit(', '.join({'numba', 'numpy', 'rasterio', 'rich.progress'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert loaded.stderr.strip() == ""


def test_a_piped_command_is_quiet_and_says_what_it_made(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from thalweg.cli.synth import app; app()", "flood"]
    options = ["--preset", "tiny", "--tile-size", "32", "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, *options], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 2
    assert done.stdout.startswith("32 files")
    assert len(list((tmp_path / "out").rglob("*.tif"))) == 32


def test_buildings_are_made_and_reported(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["buildings", "--preset", "tiny", "--count", "250", "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 0, result.output
    assert result.output.startswith("250 buildings with 0.0")
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["count"] == sum(one["count"] for one in manifest["tiles"].values()) == 250


def test_the_help_of_buildings_gives_an_example() -> None:
    result = CliRunner().invoke(app, ["buildings", "--help"])
    assert "thalweg synth buildings --preset rwanda --count 100000" in result.output
