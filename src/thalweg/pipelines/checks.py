"""What the schema alone cannot say of a pipeline, each check with the field that it concerns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from string import Formatter

from thalweg.domain.grammar import Pattern
from thalweg.domain.tiles import BoundingBox
from thalweg.domain.units import convert
from thalweg.errors import PipelineError, UsageError
from thalweg.pipelines.fields import CELL, DATASET, H3_RESOLUTION, TABLE
from thalweg.pipelines.schema import Pipeline
from thalweg.pipelines.steps import (
    BuildingsStep,
    CatalogStep,
    ExposureStep,
    FilesStep,
    HexagonsStep,
    HexagonsVectorStep,
    InventoryStep,
    MosaicStep,
    StackStep,
    Step,
    VectorStep,
)
from thalweg.settings import ZoneSettings

type Location = tuple[int | str, ...]
type Check = tuple[Location, Callable[[], object]]


def checks(pipeline: Pipeline) -> Iterator[Check]:
    """Calls that raise `PipelineError`, in the order of the file."""
    yield ("source", "zone"), partial(_check_zone, pipeline.source.zone)
    yield from _inventory(pipeline)
    for name, dimension in pipeline.dimensions.items():
        yield ("dimensions", name), partial(_check_free, name)
        yield ("dimensions", name, "pattern"), partial(_check_expression, dimension.pattern)
        yield ("dimensions", name), partial(dimension.domain, name)
    yield ("dimensions",), lambda: pipeline.domain_dimensions
    yield from _grammar(pipeline)
    yield ("expect",), lambda: pipeline.expect.domain().check(pipeline.domain_dimensions)
    yield from _expectation(pipeline)
    yield ("time", "year"), lambda: _check_dimension(pipeline, pipeline.time.year)
    for index, step in enumerate(pipeline.steps):
        yield ("steps", index), partial(_check_name, pipeline, step, index)
        yield from _step(pipeline, step, index)


def check(pipeline: Pipeline) -> None:
    """Raises `PipelineError` for what is wrong first."""
    for _, one in checks(pipeline):
        one()


def _inventory(pipeline: Pipeline) -> Iterator[Check]:
    """Steps that read rasters come after an inventory, which needs to know what they are."""
    others = (FilesStep, CatalogStep)
    steps = [(i, one) for i, one in enumerate(pipeline.steps) if not isinstance(one, others)]
    for index, step in steps[:1]:
        yield ("steps", index), partial(_check_first, step)
        for field in ("dimensions", "grammar", "expect", "pixels"):
            yield ("steps", index), partial(_check_declared, pipeline, field)


def _grammar(pipeline: Pipeline) -> Iterator[Check]:
    if pipeline.grammar is None:
        return
    for field, texts in (("folders", pipeline.grammar.folders), ("names", pipeline.grammar.names)):
        for index, text in enumerate(texts):
            dimensions = pipeline.domain_dimensions
            yield ("grammar", field, index), partial(Pattern.compile, text, dimensions)


def _expectation(pipeline: Pipeline) -> Iterator[Check]:
    expect = pipeline.expect
    rows: list[tuple[Location, Mapping[str, Sequence[str]]]] = [
        *((("combinations", index), row) for index, row in enumerate(expect.combinations)),
        *((("if_found", index), row) for index, row in enumerate(expect.if_found)),
        (("values",), expect.values),
    ]
    for index, one in enumerate(expect.declared):
        rows += [(("declared", index, "when"), one.when)]
        rows += [(("declared", index, "combine"), one.combine)]
    for location, row in rows:
        for name, values in row.items():
            yield ("expect", *location, name), partial(_check_values, pipeline, name, values)


def _check_values(pipeline: Pipeline, name: str, values: Sequence[str]) -> None:
    _check_dimension(pipeline, name)
    for value in values:
        if not pipeline.domain_dimensions[name].could_mean(value):
            raise PipelineError(f"expect names {name} {value!r}, which is no value of it")


def _check_free(name: str) -> None:
    if name in (CELL, DATASET, H3_RESOLUTION, TABLE):
        raise PipelineError(
            f"{name!r} means something else in what is made", hint="give the dimension another name"
        )


def _check_expression(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise PipelineError(f"{pattern!r} is no regular expression: {error}") from error


def _check_zone(name: str) -> None:
    if name not in ZoneSettings.model_fields:
        known = ", ".join(ZoneSettings.model_fields)
        raise PipelineError(f"{name!r} is no zone", hint=f"zones are {known}")


def _check_dimension(pipeline: Pipeline, name: str | None) -> None:
    if name is not None and name not in pipeline.dimensions:
        raise PipelineError(
            f"{name!r} is no dimension", hint=f"dimensions are {', '.join(pipeline.dimensions)}"
        )


def _check_named_by(pipeline: Pipeline, over: str) -> None:
    if [*pipeline.dimensions] == [over]:
        raise PipelineError(
            f"without {over!r} there is no dimension to name what is made by",
            hint="add one that files need not say, such as place: {values: [here], default: here}",
        )


def _check_first(step: Step) -> None:
    if not isinstance(step, InventoryStep):
        raise PipelineError("the first step must be an inventory: it says what is there")


def _check_declared(pipeline: Pipeline, field: str) -> None:
    if field not in pipeline.model_fields_set or not getattr(pipeline, field):
        raise PipelineError(f"{field}: this field is missing: an inventory needs it")


def _check_name(pipeline: Pipeline, step: Step, index: int) -> None:
    if any(one.name == step.name for one in pipeline.steps[:index]):
        raise PipelineError(f"two steps are called {step.name!r}", hint="give one another name")


def _step(pipeline: Pipeline, step: Step, index: int) -> Iterator[Check]:
    at: Location = ("steps", index)
    if isinstance(step, InventoryStep):
        return
    yield (*at, "zone"), partial(_check_zone, step.zone)
    if isinstance(step, StackStep):
        yield (*at, "over"), partial(_check_dimension, pipeline, step.over)
        yield (*at, "over"), partial(_check_named_by, pipeline, step.over)
        return
    if isinstance(step, BuildingsStep):
        yield (*at, "sources"), partial(_check_sources, step)
        yield (*at, "bbox"), partial(_check_bbox, step)
        return
    if isinstance(step, VectorStep):
        yield at, partial(_check_coordinates, step)
        if isinstance(step, HexagonsVectorStep):
            yield at, partial(_check_dataset, pipeline, step, index)
        return
    yield (*at, "of"), partial(_check_maker, pipeline, step, index)
    if isinstance(step, MosaicStep):
        yield (*at, "tile"), partial(_check_tile, pipeline, step)
    elif isinstance(step, CatalogStep):
        yield (*at, "title"), partial(_check_title, pipeline, step)
        yield (*at, "collection"), partial(_check_collection, pipeline, step, index)
    elif isinstance(step, ExposureStep):
        yield (*at, "buildings"), partial(_check_buildings, pipeline, step, index)
        yield (*at, "thresholds"), partial(convert, 1, "m", pipeline.raster_pixels.unit)
        yield (*at, "dataset"), partial(_check_dataset_of_exposure, pipeline, step)


def _check_maker(
    pipeline: Pipeline,
    step: MosaicStep | HexagonsStep | ExposureStep | CatalogStep,
    index: int,
) -> None:
    takes: dict[type[Step], tuple[type[Step], ...]] = {
        MosaicStep: (StackStep,),
        HexagonsStep: (StackStep, MosaicStep),
        ExposureStep: (StackStep, MosaicStep),
        CatalogStep: (
            StackStep,
            MosaicStep,
            HexagonsStep,
            HexagonsVectorStep,
            BuildingsStep,
            ExposureStep,
        ),
    }
    before = {one.name: one for one in pipeline.steps[:index]}
    if not isinstance(before.get(step.of), takes[type(step)]):
        raise PipelineError(
            f"step {step.name!r} is of {step.of!r}, which is no earlier step that it can take"
        )


def _check_buildings(pipeline: Pipeline, step: ExposureStep, index: int) -> None:
    before = [one.name for one in pipeline.steps[:index] if isinstance(one, BuildingsStep)]
    if not step.buildings_is_file and step.buildings not in before:
        raise PipelineError(
            f"step {step.name!r} is of buildings {step.buildings!r}, which no earlier step makes",
            hint=f"there are {', '.join(before)}" if before else "name a .parquet, or add the step",
        )


def _check_dataset_of_exposure(pipeline: Pipeline, step: ExposureStep) -> None:
    if step.dataset == pipeline.name:
        raise PipelineError(
            f"the dataset {step.dataset!r} is that of the rasters", hint="give it another name"
        )


def _check_coordinates(step: VectorStep) -> None:
    if bool(step.longitude) != bool(step.latitude):
        raise PipelineError("longitude and latitude are named together, or neither")


def _check_sources(step: BuildingsStep) -> None:
    names = [one.name for one in step.sources]
    for name in names:
        if names.count(name) > 1:
            raise PipelineError(f"two sources are called {name!r}", hint="give one another name")


def _check_bbox(step: BuildingsStep) -> None:
    if step.bbox is None:
        return
    try:
        BoundingBox.parse(",".join(map(str, step.bbox)))
    except UsageError as error:
        raise PipelineError(error.message, hint=error.hint) from error


def _check_dataset(pipeline: Pipeline, step: HexagonsVectorStep, index: int) -> None:
    for other in pipeline.steps[:index]:
        if isinstance(other, HexagonsVectorStep) and other.dataset == step.dataset:
            raise PipelineError(
                f"steps {other.name!r} and {step.name!r} make tables of one dataset",
                hint="give one of them another dataset",
            )


def _check_tile(pipeline: Pipeline, step: MosaicStep) -> None:
    _check_dimension(pipeline, step.tile)
    if pipeline.dimensions[step.tile].kind != "tile":
        raise PipelineError(f"dimension {step.tile!r} does not hold tile names (kind: tile)")


def _check_title(pipeline: Pipeline, step: CatalogStep) -> None:
    try:
        names = [name for _, name, _, _ in Formatter().parse(step.title) if name is not None]
    except ValueError as error:
        raise PipelineError(f"the title {step.title!r} cannot be read: {error}") from error
    known = _dimensions_of(pipeline, step.of)
    for name in names:
        if name not in known:
            raise PipelineError(
                f"the title names {name!r}, which is no dimension of what it is the title of",
                hint=f"those are {', '.join(known)}",
            )


def _check_collection(pipeline: Pipeline, step: CatalogStep, index: int) -> None:
    for other in pipeline.steps[:index]:
        if isinstance(other, CatalogStep) and other.collection == step.collection:
            raise PipelineError(
                f"steps {other.name!r} and {step.name!r} fill one collection",
                hint="give each a collection of its own",
            )


def _dimensions_of(pipeline: Pipeline, step_name: str) -> list[str]:
    """The dimensions of what a step makes."""
    step = pipeline.step(step_name)
    if isinstance(step, MosaicStep):
        return [CELL if n == step.tile else n for n in _dimensions_of(pipeline, step.of)]
    if isinstance(step, (HexagonsStep, ExposureStep)):
        places = (CELL, pipeline.tile_dimension)
        scenario = [name for name in _dimensions_of(pipeline, step.of) if name not in places]
        return [*scenario, H3_RESOLUTION if isinstance(step, HexagonsStep) else TABLE]
    if isinstance(step, BuildingsStep):
        return [DATASET]
    if isinstance(step, HexagonsVectorStep):
        return [DATASET, H3_RESOLUTION]
    taken = step.over if isinstance(step, StackStep) else None
    return [name for name in pipeline.dimensions if name != taken]
