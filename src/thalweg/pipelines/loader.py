"""Finds and reads pipeline files; every fault is named with its line and column."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from thalweg.errors import PipelineError, PipelineNotFound
from thalweg.pipelines.checks import checks
from thalweg.pipelines.schema import Pipeline
from thalweg.pipelines.steps import OPERATOR_NAMES
from thalweg.pipelines.yaml_files import read_model, read_text


def built_in() -> dict[str, Path]:
    """The pipelines that come with Thalweg, by name."""
    folder = files("thalweg.pipelines") / "definitions"
    return {Path(str(one)).stem: Path(str(one)) for one in folder.iterdir() if _is_yaml(one.name)}


def find(name_or_path: str) -> Path:
    """The file of a pipeline: a path that exists, or the name of a built-in one."""
    path = Path(name_or_path)
    if path.is_file():
        return path
    known = built_in()
    if name_or_path not in known:
        raise PipelineNotFound(
            f"no pipeline {name_or_path!r}, and no file at that path",
            hint=f"built in are {', '.join(sorted(known))}; or give the path of a YAML file",
        )
    return known[name_or_path]


def load(path: Path) -> Pipeline:
    """The pipeline of a file; raises `PipelineError` naming file, line, column and field."""
    return parse(read_text(path, PipelineError), str(path))


def parse(text: str, where: str) -> Pipeline:
    """The pipeline of a YAML text; `where` names it in errors."""
    pipeline, location = read_model(
        Pipeline,
        text,
        where,
        PipelineError,
        hint="`thalweg pipelines schema` prints what a pipeline file may hold",
        tags=OPERATOR_NAMES,
    )
    for path, check in checks(pipeline):
        try:
            check()
        except PipelineError as error:
            error.where = error.where or location.of(path)
            raise
    return pipeline


def _is_yaml(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))
