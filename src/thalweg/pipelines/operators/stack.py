"""The operator `stack`: files that differ in one dimension become the bands of one COG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from thalweg.catalog.ledger import Input
from thalweg.domain.coordinates import Coordinates
from thalweg.jobs.tasks import Document, Missing
from thalweg.pipelines.plan import Planned, Situation, StepPlan
from thalweg.pipelines.raster_plans import planned_raster
from thalweg.pipelines.schema import PixelsModel
from thalweg.pipelines.steps import StackStep
from thalweg.pipelines.survey import RawFile
from thalweg.pipelines.workspace import Workspace

if TYPE_CHECKING:
    from thalweg.raster.made import Made

BASE_MEMORY = 350 << 20


class Stack:
    """Makes a COG of each complete set; an incomplete set is named and left."""

    version = 1

    def plan(
        self,
        step: StackStep,
        situation: Situation,
        before: Mapping[str, StepPlan],  # noqa: ARG002
    ) -> StepPlan:
        dimensions = situation.pipeline.domain_dimensions
        sets: dict[Coordinates, list[Coordinates]] = defaultdict(list)
        for one in situation.survey.expected:
            sets[one.without(step.over)].append(one)
        over = dimensions[step.over]
        return StepPlan(
            step,
            tuple(
                self._planned(
                    step,
                    coordinates,
                    sorted(sets[coordinates], key=lambda c: over.rank(c[step.over])),
                    situation,
                )
                for coordinates in sorted(sets, key=dimensions.sort_key)
            ),
        )

    def _planned(
        self,
        step: StackStep,
        coordinates: Coordinates,
        members: Sequence[Coordinates],
        situation: Situation,
    ) -> Planned:
        deferred = not situation.choice.reaches(situation.pipeline, coordinates)
        usable = situation.survey.usable
        lacking = [member for member in members if member not in usable]
        obstacles = tuple(_obstacles(lacking, step.over, situation))
        if obstacles:
            return Planned(coordinates, obstacles=obstacles, deferred=deferred)
        pipeline = situation.pipeline
        files = [usable[member] for member in members]
        inputs = tuple(Input(pipeline.source.zone, file.key, file.etag) for file in files)
        bands = [_band(member[step.over], step, situation) for member in members]
        return planned_raster(
            step,
            self.version,
            situation,
            coordinates,
            inputs,
            {"bands": bands},
            deferred=deferred,
            memory=BASE_MEMORY + _strip_bytes(files),
            size=sum(file.size for file in files),
        )

    def run(self, payload: Document, workspace: Workspace) -> Document:
        from thalweg.pipelines.making import make_raster

        return make_raster(
            payload, workspace, self.version, lambda path: _write(payload, workspace, path)
        )


def _write(payload: Document, workspace: Workspace, path: Path) -> Made:
    from thalweg.pipelines.making import check_unchanged
    from thalweg.raster.layout import Layout
    from thalweg.raster.overviews import Resampling
    from thalweg.raster.stack import SourceBand, stack

    sources = []
    for (zone_name, key, etag), band in zip(payload["inputs"], payload["bands"], strict=True):
        zone = workspace.zone(zone_name)
        check_unchanged(zone, key, etag)
        sources.append(SourceBand(zone.gdal_path(key), key, band["name"], band["tags"]))
    return stack(
        sources,
        path,
        rules=PixelsModel(**payload["pixels"]).domain(),
        layout=Layout(payload["layout"]),
        resampling=Resampling(payload["resampling"]),
    )


def _band(value_id: str, step: StackStep, situation: Situation) -> Document:
    """The name of a band, and the value that it stands for as a tag."""
    value = situation.pipeline.domain_dimensions[step.over].value(value_id)
    number = value_id if value.number is None else f"{value.number:g}"
    return {"name": value_id, "tags": {step.over: number}}


def _obstacles(
    lacking: Sequence[Coordinates], over: str, situation: Situation
) -> Iterator[Missing]:
    """Why files are not usable, each with its reason; those that are not there in one."""
    blamed = situation.survey.blamed
    absent = [member for member in lacking if not blamed.get(member)]
    if absent:
        values = ", ".join(member[over] for member in absent)
        says = "is missing: no file" if len(absent) == 1 else "are missing: no files"
        yield Missing(
            absent[0].id,
            f"{over} {values} {says} for {absent[0].without(over).id}",
            "deliver what is missing, or choose other values by --set",
        )
    for member in lacking:
        for error in blamed.get(member, ()):
            yield Missing(member.id, f"{error.where}: {error.code}: {error.message}", error.hint)


def _strip_bytes(files: Sequence[RawFile]) -> int:
    """What the rows of one strip of all bands take, with room for their overviews."""
    shapes = [file.facts["grid"] for file in files if "grid" in file.facts]
    return max((prod((one["width"], 1200, 8)) for one in shapes), default=0)
