"""The shelf: made once whoever asks, whatever dies, and cleared of what nobody uses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from thalweg.exposure.shelf import shelved

DIES = """
import sys, time
from pathlib import Path
from thalweg.exposure.shelf import shelved

def make(folder):
    (folder / "half").touch()
    Path(sys.argv[2]).touch()
    time.sleep(60)

with shelved(Path(sys.argv[1]), "a", {"0": make}):
    pass
"""


def fill(made: list[str], name: str):
    def make(folder: Path) -> None:
        made.append(name)
        (folder / "whole").write_text(name)

    return make


def test_parts_are_made_once_and_others_are_thrown_away(tmp_path: Path) -> None:
    made: list[str] = []
    parts = {name: fill(made, name) for name in "xy"}
    for _ in range(2):
        with shelved(tmp_path, "a", parts) as folder:
            assert [(folder / name / "whole").read_text() for name in parts] == ["x", "y"]
            with shelved(tmp_path, "b", {"z": fill(made, "z")}):
                assert folder.is_dir(), "what is in use was thrown away"
    # The second asking for a throws b away, which is then made anew.
    assert made == ["x", "y", "z", "z"]
    with shelved(tmp_path, "c", {}):
        assert [one.name for one in tmp_path.iterdir()] == ["c"]


def test_an_error_leaves_a_part_to_be_made_again(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"), shelved(tmp_path, "a", {"0": fail}):
        pass
    with shelved(tmp_path, "a", {"0": fill([], "0")}) as folder:
        assert [one.name for one in (folder / "0").iterdir()] == ["whole"]


def test_a_maker_that_is_killed_is_followed_by_the_next(tmp_path: Path) -> None:
    shelf, begun = tmp_path / "shelf", tmp_path / "begun"
    maker = subprocess.Popen([sys.executable, "-c", DIES, str(shelf), str(begun)])
    while not begun.exists():
        assert maker.poll() is None
        time.sleep(0.02)
    os.kill(maker.pid, signal.SIGKILL)
    maker.wait()
    with shelved(shelf, "a", {"0": fill([], "0")}) as folder:
        assert [one.name for one in (folder / "0").iterdir()] == ["whole"]
