"""Reads pipeline files; every fault is named with its line and column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from thalweg.errors import PipelineError, PipelineNotFound
from thalweg.pipelines.schema import CatalogStep, InventoryStep, MosaicStep, Pipeline, StackStep

Location = tuple[int | str, ...]


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
    for location, check in _checks(pipeline):
        try:
            check()
        except PipelineError as error:
            error.where = error.where or _at(tree, location, where)
            raise
    return pipeline


def _refuse_repeated_fields(node: yaml.Node | None, where: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise PipelineError(
                    f"field {key.value!r} stands twice", where=f"{where}{_position(key)}"
                )
            seen.add(key.value)
            _refuse_repeated_fields(value, where)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_repeated_fields(value, where)


def _named(error: ValidationError, tree: yaml.Node | None, where: str) -> PipelineError:
    faults = error.errors()
    first = faults[0]
    location = tuple(first["loc"])
    field = ".".join(str(part) for part in location if part not in _TAGS)
    others = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    return PipelineError(
        f"{field}: {_said(first)}{others}",
        where=_at(tree, location, where),
        hint="`thalweg pipelines schema` prints what a pipeline file may hold",
    )


_TAGS = ("inventory", "stack", "mosaic", "catalog")


def _said(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "no such field"
    if fault["type"] == "missing":
        return "this field is missing"
    return str(fault["msg"])


def _at(tree: yaml.Node | None, location: Sequence[int | str], where: str) -> str:
    """`where:line:column` of a location, or of the nearest node above it that exists."""
    node = tree
    for part in location:
        below = _child(node, part)
        if below is None and part not in _TAGS:
            break
        node = below or node
    return f"{where}{_position(node)}"


def _child(node: yaml.Node | None, part: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        found = node.value[part]
        return found if isinstance(found, yaml.Node) else None
    return None


def _position(node: yaml.Node | None) -> str:
    return f":{node.start_mark.line + 1}:{node.start_mark.column + 1}" if node else ""


def _checks(pipeline: Pipeline) -> Iterator[tuple[Location, Callable[[], object]]]:
    """What the schema alone cannot say, each with the field that it concerns."""
    for name, dimension in pipeline.dimensions.items():
        yield ("dimensions", name), partial(dimension.domain, name)
    yield ("dimensions",), lambda: pipeline.domain_dimensions
    yield ("grammar",), pipeline.domain_grammar
    yield ("expect",), lambda: pipeline.expect.domain().check(pipeline.domain_dimensions)
    yield ("expect",), lambda: _check_expected_values(pipeline)
    yield ("time",), lambda: _check_dimension(pipeline, pipeline.time.year)
    yield ("steps",), lambda: _check_names(pipeline)
    for index, step in enumerate(pipeline.steps):
        yield ("steps", index), partial(_check_step, pipeline, step, index)


def _check_expected_values(pipeline: Pipeline) -> None:
    dimensions = pipeline.domain_dimensions
    rows = [*pipeline.expect.combinations, *pipeline.expect.if_found, pipeline.expect.values]
    rows += [part for one in pipeline.expect.declared for part in (one.when, one.combine)]
    for row in rows:
        for name, values in row.items():
            _check_dimension(pipeline, name)
            for value in values:
                if not dimensions[name].could_mean(value):
                    raise PipelineError(f"expect names {name} {value!r}, which is no value of it")


def _check_dimension(pipeline: Pipeline, name: str | None) -> None:
    if name is not None and name not in pipeline.dimensions:
        raise PipelineError(
            f"{name!r} is no dimension", hint=f"dimensions are {', '.join(pipeline.dimensions)}"
        )


def _check_names(pipeline: Pipeline) -> None:
    names = [step.name for step in pipeline.steps]
    for name in names:
        if names.count(name) > 1:
            raise PipelineError(f"two steps are called {name!r}", hint="give one another name")
    if not isinstance(pipeline.steps[0], InventoryStep):
        raise PipelineError("the first step must be an inventory: it says what is there")


def _check_step(pipeline: Pipeline, step: object, index: int) -> None:
    before = {one.name: one for one in pipeline.steps[:index]}
    if isinstance(step, StackStep):
        _check_dimension(pipeline, step.over)
    if isinstance(step, MosaicStep):
        _check_dimension(pipeline, step.tile)
        if pipeline.dimensions[step.tile].kind != "tile":
            raise PipelineError(f"dimension {step.tile!r} does not hold tile names (kind: tile)")
    if isinstance(step, (MosaicStep, CatalogStep)):
        wanted = (StackStep,) if isinstance(step, MosaicStep) else (StackStep, MosaicStep)
        if not isinstance(before.get(step.of), wanted):
            raise PipelineError(
                f"step {step.name!r} is of {step.of!r}, which is no earlier step that it can take"
            )


def _is_yaml(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))
