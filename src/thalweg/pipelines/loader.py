"""Reads pipeline files; every fault is named with its line and column."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from thalweg.errors import PipelineError, PipelineNotFound
from thalweg.pipelines.checks import checks
from thalweg.pipelines.schema import Pipeline


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
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"cannot be read: {error}", where=str(path)) from error


def parse(text: str, where: str) -> Pipeline:
    """The pipeline of a YAML text; `where` names it in errors."""
    try:
        tree = yaml.compose(text, yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise PipelineError(
            f"not YAML: {error.problem or error.context}", where=f"{where}{at}"
        ) from error
    if not isinstance(document, dict):
        raise PipelineError("a pipeline file holds a mapping of fields", where=f"{where}:1:1")
    _refuse_repeated_fields(tree, where)
    try:
        pipeline = Pipeline.model_validate(document)
    except ValidationError as error:
        raise _named(error, tree, where) from error
    for location, check in checks(pipeline):
        try:
            check()
        except PipelineError as error:
            error.where = error.where or _at(tree, location, where)
            raise
    return pipeline


def _refuse_repeated_fields(
    node: yaml.Node | None, where: str, above: tuple[yaml.Node, ...] = ()
) -> None:
    if node in above:
        raise PipelineError("this anchor refers to itself", where=f"{where}{_position(node)}")
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise PipelineError(
                    f"field {key.value!r} stands twice", where=f"{where}{_position(key)}"
                )
            seen.add(key.value)
            _refuse_repeated_fields(value, where, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_repeated_fields(value, where, (*above, node))


def _named(error: ValidationError, tree: yaml.Node | None, where: str) -> PipelineError:
    faults = error.errors()
    first = faults[0]
    location = tuple(first["loc"])
    field = ".".join(str(part) for part in location if part not in _TAGS)
    others = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    return PipelineError(
        f"{field}: {_said(first)}{others}",
        where=_at(tree, location, where, key=first["type"] == "extra_forbidden"),
        hint="`thalweg pipelines schema` prints what a pipeline file may hold",
    )


_TAGS = ("inventory", "stack", "mosaic", "catalog")


def _said(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "no such field"
    if fault["type"] == "missing":
        return "this field is missing"
    return str(fault["msg"])


def _at(
    tree: yaml.Node | None, location: Sequence[int | str], where: str, *, key: bool = False
) -> str:
    """`where:line:column` of a location, or of the nearest node above it that exists.

    That of a field is where its value begins, or with `key` its name.
    """
    node = tree
    for depth, part in enumerate(location):
        below = _child(node, part, key=key and depth == len(location) - 1)
        if below is None and part not in _TAGS:
            break
        node = below or node
    return f"{where}{_position(node)}"


def _child(node: yaml.Node | None, part: int | str, *, key: bool) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        pair = next((pair for pair in node.value if pair[0].value == str(part)), (None, None))
        return pair[0] if key else pair[1]
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        found = node.value[part]
        return found if isinstance(found, yaml.Node) else None
    return None


def _position(node: yaml.Node | None) -> str:
    return f":{node.start_mark.line + 1}:{node.start_mark.column + 1}" if node else ""


def _is_yaml(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))
