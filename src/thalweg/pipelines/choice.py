"""What one run is limited to: the `--set` parameters, the limit, and what is to be retried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from pydantic import ValidationError

from thalweg.domain.coordinates import Coordinates
from thalweg.domain.dimensions import Dimensions
from thalweg.domain.expectation import Selection
from thalweg.domain.tiles import BoundingBox, Tile
from thalweg.errors import PipelineError, UnknownValue, UsageError
from thalweg.pipelines.checks import check
from thalweg.pipelines.fields import CELL
from thalweg.pipelines.schema import Pipeline
from thalweg.pipelines.steps import MosaicStep, StackStep, Step


@dataclass(frozen=True)
class Choice:
    """What a run is limited to.

    `selection` holds the values chosen of each dimension. `limit` is how many of what the last
    step makes are made at most. `only` names, by step, the ids that may be made; what they are
    made from and what is made from them may be made too.
    """

    selection: Selection = field(default_factory=dict)
    prefix: str = ""
    limit: int | None = None
    force: bool = False
    only: Mapping[str, frozenset[str]] | None = None

    def reaches(self, pipeline: Pipeline, coordinates: Coordinates) -> bool:
        """Whether these, of a file or of what is made on the way from it, may be made."""
        if self.only is None:
            return True
        for step in pipeline.steps:
            if isinstance(step, StackStep):
                coordinates = coordinates.without(step.over)
            elif isinstance(step, MosaicStep) and step.tile in coordinates:
                coordinates = cell_of(coordinates, step)
            if coordinates.id in self.only.get(step.name, frozenset()):
                return True
        return False

    def to_json(self) -> dict[str, Any]:
        return {
            "selection": {name: sorted(values) for name, values in self.selection.items()},
            "prefix": self.prefix,
            "limit": self.limit,
            "force": self.force,
            "only": self.only and {step: sorted(ids) for step, ids in self.only.items()},
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        only = document["only"]
        return cls(
            {name: frozenset(values) for name, values in document["selection"].items()},
            document["prefix"],
            document["limit"],
            document["force"],
            only and {step: frozenset(ids) for step, ids in only.items()},
        )


def cell_of(coordinates: Coordinates, step: MosaicStep) -> Coordinates:
    """The coordinates of the grid cell that those of a tile are merged into."""
    cell = Tile.parse(coordinates[step.tile]).cell(step.cell_degrees)
    return coordinates.replaced(step.tile, CELL, cell.name)


def choose(pipeline: Pipeline, settings: Iterable[str]) -> tuple[Pipeline, Choice]:
    """Reads `name=value` settings: the pipeline with its enabled steps set, and the choice.

    A name is a dimension (several values by commas), `tiles`, `bbox` (west,south,east,north),
    `base_prefix`, or `step.field`. Raises `UsageError`.
    """
    dimensions = pipeline.domain_dimensions
    selection: dict[str, frozenset[str]] = {}
    choice = Choice()
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not text:
            raise UsageError(f"--set {setting!r} is not name=value", hint=_names(pipeline))
        if name == "base_prefix":
            choice = replace(choice, prefix=text.strip("/"))
        elif name == "bbox":
            _narrow(selection, _tile_dimension(pipeline), _tiles_in(BoundingBox.parse(text)))
        elif name == "tiles" and name not in dimensions:
            tile = _tile_dimension(pipeline)
            _narrow(selection, tile, _values(dimensions, tile, text))
        elif name in dimensions:
            _narrow(selection, name, _values(dimensions, name, text))
        else:
            pipeline = _with_step(pipeline, name, text)
    return without_disabled(pipeline), replace(choice, selection=selection)


def enabling(pipeline: Pipeline, wanted: Iterable[str]) -> list[str]:
    """The settings that enable steps, and those that they need."""
    names = list(wanted)
    # What a step needs stands before it.
    for step in reversed(pipeline.steps):
        if step.name in names:
            names += [one for one in step.needs if not pipeline.step(one).enabled]
    return [f"{name}.enabled=true" for name in dict.fromkeys(names)]


def without_disabled(pipeline: Pipeline) -> Pipeline:
    """The pipeline without the steps that are not enabled, and without those that need them."""
    steps: list[Step] = []
    left_out: set[str] = set()
    for step in pipeline.steps:
        if step.enabled and left_out.isdisjoint(step.needs):
            steps.append(step)
        else:
            left_out.add(step.name)
    return pipeline.model_copy(update={"steps": tuple(steps)})


def _narrow(selection: dict[str, frozenset[str]], name: str, values: frozenset[str]) -> None:
    selection[name] = selection.get(name, values) & values
    if not selection[name]:
        raise UsageError(f"no {name} is in everything that is set for it")


def _values(dimensions: Dimensions, name: str, text: str) -> frozenset[str]:
    try:
        return frozenset(dimensions[name].read(one.strip()) for one in text.split(","))
    except UnknownValue as error:
        raise UsageError(f"--set {name}={text}: {error.message}") from error


def _tile_dimension(pipeline: Pipeline) -> str:
    if pipeline.tile_dimension is None:
        raise UsageError(f"pipeline {pipeline.name!r} has no tiles to choose from")
    return pipeline.tile_dimension


def _tiles_in(box: BoundingBox) -> frozenset[str]:
    world = (Tile(south, west) for south in range(-90, 90) for west in range(-180, 180))
    return frozenset(tile.name for tile in world if tile.overlaps(box))


def _with_step(pipeline: Pipeline, name: str, text: str) -> Pipeline:
    step_name, _, field_name = name.partition(".")
    document = pipeline.model_dump(mode="json")
    step = next((one for one in document["steps"] if one["name"] == step_name), None)
    if step is None or field_name not in step or field_name in ("name", "operator"):
        raise UsageError(f"--set {name}: no such parameter", hint=_names(pipeline))
    step[field_name] = text
    try:
        changed = Pipeline.model_validate(document)
        check(changed)
    except ValidationError as error:
        raise UsageError(f"--set {name}={text}: {error.errors()[0]['msg']}") from error
    except PipelineError as error:
        raise UsageError(f"--set {name}={text}: {error.message}", hint=error.hint) from error
    return changed


def _names(pipeline: Pipeline) -> str:
    steps = [
        f"{step.name}.{name}"
        for step in pipeline.steps
        for name in type(step).model_fields
        if name not in ("name", "operator")
    ]
    tiles = ["tiles", "bbox"] if pipeline.tile_dimension else []
    return f"you can set {', '.join([*pipeline.dimensions, *tiles, 'base_prefix', *steps])}"
