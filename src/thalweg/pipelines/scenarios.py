"""What steps plan alike that measure all rasters of a scenario together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from thalweg.domain.coordinates import Coordinates
from thalweg.jobs.tasks import Document, Missing
from thalweg.pipelines.fields import CELL
from thalweg.pipelines.plan import Planned, Situation, StepPlan
from thalweg.pipelines.schema import Pipeline
from thalweg.pipelines.steps import ExposureStep, FilesStep, HexagonsStep, StackStep
from thalweg.pipelines.survey import source_prefix
from thalweg.pipelines.vectors import matching


def rasters_by_scenario(of: StepPlan, pipeline: Pipeline) -> Mapping[Coordinates, list[Planned]]:
    """The rasters of a step that differ only in the place, in the order of the scenarios."""
    places = (CELL, pipeline.tile_dimension or "")
    scenarios: dict[Coordinates, list[Planned]] = defaultdict(list)
    for raster in of.planned:
        scenarios[raster.coordinates.without(*places)].append(raster)
    order = sorted(scenarios, key=pipeline.domain_dimensions.sort_key)
    return {scenario: scenarios[scenario] for scenario in order}


def lacking(
    step: HexagonsStep | ExposureStep, rasters: Sequence[Planned], situation: Situation
) -> tuple[Missing, ...]:
    """The rasters that are not made, and in a rehearsal would not be."""
    return tuple(
        Missing(raster.id, f"its {step.of} {raster.id} is not made", "see what that one lacks")
        for raster in rasters
        if not raster.done and not (situation.rehearsal and raster.to_make)
    )


def missing_files(step: FilesStep, situation: Situation, for_id: str) -> Iterator[Missing]:
    """The patterns of a step that no file matches, as obstacles to `for_id`."""
    pipeline = situation.pipeline
    prefix = source_prefix(pipeline, situation.choice)
    root = situation.zones[pipeline.source.zone].url.rstrip("/")
    for pattern in step.patterns:
        if not matching(situation.vectors.get(step.name, ()), pattern, prefix):
            place = "/".join(part for part in (root, prefix, pattern) if part)
            yield Missing(
                for_id,
                f"there is no file {place}",
                "point --source at the delivery, and check the step's files and base_prefix",
            )


def is_deferred(
    step: HexagonsStep | ExposureStep,
    scenario: Coordinates,
    rasters: Sequence[Planned],
    situation: Situation,
) -> bool:
    """Whether a scenario is beyond what the run is limited to."""
    choice = situation.choice
    if choice.only is not None and scenario.id in choice.only.get(step.name, ()):
        return False
    return not any(choice.reaches(situation.pipeline, raster.coordinates) for raster in rasters)


def series_of(theme: str, dataset: str, scenario: Coordinates, situation: Situation) -> Document:
    """The layers of a scenario, in the order of the bands, as `Series.from_json` takes them."""
    pipeline = situation.pipeline
    over = next(one.over for one in pipeline.steps if isinstance(one, StackStep))
    dimension = pipeline.domain_dimensions[over]
    expected = {one[over] for one in situation.survey.expected}
    layers = [dimension.value(value) for value in sorted(expected, key=dimension.rank)]
    numbers = [layer.number for layer in layers if layer.number is not None]
    is_return_period = dimension.unit == "year" and len(numbers) == len(layers)
    return {
        "theme": theme,
        "dataset": dataset,
        "unit": pipeline.raster_pixels.unit,
        "coordinates": scenario.to_json(),
        "labels": [layer.id for layer in layers],
        "return_periods": numbers if is_return_period else [],
    }
