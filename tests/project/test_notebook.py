"""The notebook in docs/ does what it shows, and its page shows all of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from thalweg.hexagons.outlines import outlines_file


@pytest.fixture(scope="module")
def cells(root: Path) -> list[dict[str, Any]]:
    return json.loads((root / "docs/notebook.ipynb").read_text())["cells"]


def outputs(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [output for cell in cells for output in cell.get("outputs", ())]


@pytest.mark.slow
def test_it_runs_and_gives_the_values_that_stand_in_it(root: Path, tmp_path: Path) -> None:
    if not outlines_file("10m").exists():
        pytest.skip("the outlines of countries are made by script/bootstrap, where npm is")
    done = subprocess.run(
        [sys.executable, root / "script/notebook", "--check"],
        cwd=tmp_path,
        env=os.environ | {"JUPYTER_RUNTIME_DIR": str(tmp_path), "IPYTHONDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "In " not in done.stderr


def test_it_ends_with_a_map(cells: list[dict[str, Any]]) -> None:
    (last,) = cells[-1]["outputs"]
    assert "ws.plot(" in "".join(cells[-1]["source"])
    assert "image/png" in last["data"]


def test_every_cell_was_run_without_an_error(cells: list[dict[str, Any]]) -> None:
    ran = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"]
    assert ran == list(range(1, len(ran) + 1))
    assert not [one for one in outputs(cells) if one["output_type"] == "error"]


def test_it_tells_nothing_of_the_machine_that_it_was_run_on(cells: list[dict[str, Any]]) -> None:
    text = json.dumps(outputs(cells))
    assert str(Path.home()) not in text
    assert "/tmp/" not in text


def test_its_lines_fit_the_page(cells: list[dict[str, Any]]) -> None:
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert [line for one in sources for line in one.splitlines() if len(line) > 84] == []


class TestPage:
    @pytest.fixture
    def hook(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.syspath_prepend(root / "script")
        import notebook_page

        return notebook_page

    def test_it_shows_every_cell_and_what_it_gave(
        self, hook: Any, cells: list[dict[str, Any]]
    ) -> None:
        pictures: list[bytes] = []
        parts = [list(hook.parts(cell, pictures)) for cell in cells]
        assert [len(one) for one in parts] == [1 + len(cell.get("outputs", ())) for cell in cells]
        assert pictures[0].startswith(b"\x89PNG")
        assert f"]({hook.name_of(1)})" in parts[-1][-1]

    @pytest.mark.parametrize(
        ("output", "shown"),
        [
            ({"text": ["made 2\n", "files\n"]}, "```text\nmade 2\nfiles\n```"),
            ({"data": {"text/plain": ["69104"]}}, "```text\n69104\n```"),
            (
                {
                    "data": {
                        "text/html": [
                            "<style scoped>\n td {}\n</style>\n",
                            '<table border="1" class="dataframe">\n  <tr>\n</table>',
                        ],
                        "text/plain": ["a table"],
                    }
                },
                "<table>\n<tr>\n</table>",
            ),
        ],
    )
    def test_outputs_are_text_tables_and_pictures(
        self, hook: Any, output: dict[str, Any], shown: str
    ) -> None:
        assert list(hook.shown(output, [])) == [shown]
