"""What the project file, the lock and the source promise each other."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

DATASETS = ("fathom", "aqueduct", "jrc")


def toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


def locked_requirement(entry: dict[str, Any]) -> Requirement:
    extras = f"[{','.join(entry['extras'])}]" if "extras" in entry else ""
    marker = f" ; {entry['marker']}" if "marker" in entry else ""
    return Requirement(f"{entry['name']}{extras}{entry.get('specifier', '')}{marker}")


def test_the_lock_was_made_from_this_project_file(root: Path) -> None:
    project = toml(root / "pyproject.toml")
    packages = toml(root / "uv.lock")["package"]
    (locked,) = (package for package in packages if package["name"] == "thalweg")

    extras = project["project"]["optional-dependencies"]
    asked = [Requirement(line) for line in project["project"]["dependencies"]]
    asked += [
        Requirement(f"{line} ; extra == '{extra}'") for extra in extras for line in extras[extra]
    ]
    assert set(map(str, map(locked_requirement, locked["metadata"]["requires-dist"]))) == set(
        map(str, asked)
    ), "pyproject.toml and uv.lock differ: run uv lock"

    groups = locked["metadata"]["requires-dev"]
    assert groups.keys() == project["dependency-groups"].keys()
    for group, entries in groups.items():
        assert {str(locked_requirement(entry)) for entry in entries} == {
            str(Requirement(line)) for line in project["dependency-groups"][group]
        }, f"group {group} of pyproject.toml and uv.lock differ: run uv lock"


def modules(root: Path) -> Iterator[Path]:
    return (root / "src" / "thalweg").rglob("*.py")


def names_in(module: Path) -> Iterator[str]:
    yield module.stem
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def test_no_name_in_the_code_is_a_datasets(root: Path) -> None:
    found = [
        f"{module.relative_to(root)}: {name}"
        for module in modules(root)
        if "synth" not in module.parts
        for name in names_in(module)
        if any(dataset in name.lower() for dataset in DATASETS)
    ]
    assert found == []


def test_the_command_line_imports_nothing_heavy_before_it_knows_the_command() -> None:
    heavy = {"alembic", "dbos", "numba", "numpy", "obstore", "pyarrow", "pydantic", "pystac"}
    heavy |= {"rasterio", "rich.progress", "rio_cogeo", "sqlalchemy", "tifffile"}
    asked = "import sys, thalweg.cli.main; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    ).stdout.split()
    assert heavy & set(loaded) == set()


@pytest.mark.parametrize("name", ["bootstrap", "check", "demo", "python", "test"])
def test_scripts_can_be_called_and_say_what_they_do(root: Path, name: str) -> None:
    script = root / "script" / name
    lines = script.read_text().splitlines()
    assert script.stat().st_mode & 0o111
    assert lines[0] == "#!/bin/sh"
    assert lines[1].startswith("# ")
    assert "set -eu" in lines
