"""The operator `inventory`: looks at every file that is new or has changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from thalweg.catalog.ledger import Ref, Source
from thalweg.domain.tiles import Tile
from thalweg.errors import EmptySource, RasterError, WrongGrid
from thalweg.jobs.tasks import Document, Missing, Task
from thalweg.pipelines.plan import TASK_CALL, Situation, StepPlan
from thalweg.pipelines.schema import Pipeline, PixelsModel
from thalweg.pipelines.steps import InventoryStep
from thalweg.pipelines.survey import source_prefix
from thalweg.pipelines.workspace import Workspace

if TYPE_CHECKING:
    from thalweg.raster.quarantine import Declaration
    from thalweg.storage.zones import Zone

BATCH = 64
MEMORY = 400 << 20
# More than all files of a batch may take before each is given up.
TIMEOUT = 3600.0


class Inventory:
    """Inspects files in batches, and records each as sound or as rejected, with the reason."""

    version = 1

    def plan(
        self,
        step: InventoryStep,
        situation: Situation,
        before: Mapping[str, StepPlan],  # noqa: ARG002
    ) -> StepPlan:
        survey = situation.survey
        if not survey.named:
            raise _empty(situation)
        files = [_file(situation, one.key, one.etag, one.size) for one in situation.fresh]
        batches: list[tuple[list[Document], tuple[str, ...]]] = [
            (files[start : start + BATCH], ()) for start in range(0, len(files), BATCH)
        ]
        if situation.gone:
            batches.append(([], situation.gone))
        tasks = tuple(
            _task(step, situation.pipeline, f"{number:05d}", batch, gone)
            for number, (batch, gone) in enumerate(batches)
        )
        problems = tuple(
            Missing(key, f"{error.code}: {error.message}", error.hint)
            for key, error in sorted(survey.misplaced.items())
        )
        seen = len(survey.named) + len(survey.unnamed) - len(files)
        return StepPlan(step, tasks=tasks, problems=problems, seen=seen)

    def run(self, payload: Document, workspace: Workspace) -> Document:
        from thalweg.raster.quarantine import Declaration

        zone = workspace.zone(payload["source_zone"])
        declaration = Declaration(
            PixelsModel(**payload["pixels"]).domain(),
            **payload["grid"],
            options=zone.gdal_environment(),
        )
        sources = [_source(file, payload, zone, declaration) for file in payload["files"]]
        with workspace.catalog() as catalog:
            catalog.record_sources(sources)
            gone = [Ref(zone.name, key) for key in payload["gone"]]
            catalog.forget_sources(payload["pipeline"], gone)
        rejected = sum(source.status == "rejected" for source in sources)
        return {"inspected": len(sources), "rejected": rejected, "gone": len(gone)}


def _empty(situation: Situation) -> EmptySource:
    zone = situation.zones[situation.pipeline.source.zone]
    chosen = " within what is chosen" if situation.choice.selection else ""
    unnamed = situation.survey.unnamed
    unread = ""
    if unnamed:
        key = min(unnamed)
        unread = f"; {len(unnamed)} names cannot be read, such as {key}: {unnamed[key].message}"
    return EmptySource(
        f"there is no file that the pipeline could read{chosen}{unread}",
        where=f"{zone.url.rstrip('/')}/{source_prefix(situation.pipeline, situation.choice)}",
        hint="point --source at the delivery, and check base_prefix and --set",
    )


def _file(situation: Situation, key: str, etag: str, size: int) -> Document:
    coordinates = situation.survey.named.get(key)
    problem = situation.survey.unnamed.get(key)
    return {
        "key": key,
        "etag": etag,
        "size": size,
        "coordinates": coordinates and coordinates.to_json(),
        "problem": problem and problem.to_json(),
    }


def _task(
    step: InventoryStep,
    pipeline: Pipeline,
    number: str,
    files: list[Document],
    gone: tuple[str, ...],
) -> Task:
    payload = {
        "operator": step.operator,
        "pipeline": pipeline.name,
        "source_zone": pipeline.source.zone,
        "tile": pipeline.tile_dimension,
        "pixels": pipeline.raster_pixels.model_dump(mode="json"),
        "grid": pipeline.grid.model_dump(mode="json"),
        "files": files,
        "gone": list(gone),
    }
    first = f", from {files[0]['key']}" if files else ""
    label = f"inspect {len(files)} files{first}" if files else f"forget {len(gone)} files"
    return Task(number, label, TASK_CALL, payload, MEMORY, TIMEOUT, len(files) + len(gone))


def _source(file: Document, payload: Document, zone: Zone, declaration: Declaration) -> Source:
    from thalweg.raster.quarantine import shared_quarantine

    facts: Document = {}
    problem = file["problem"]
    if problem is None:
        try:
            path = zone.gdal_path(file["key"])
            facts = shared_quarantine().inspect(path, file["key"], declaration)
            _check_tile(file, facts, payload["tile"])
        except RasterError as error:
            problem = error.to_json()
    return Source(
        zone=payload["source_zone"],
        key=file["key"],
        etag=file["etag"],
        size=file["size"],
        pipeline=payload["pipeline"],
        coordinates=file["coordinates"],
        status="rejected" if problem else "ok",
        facts=facts,
        problem=problem,
    )


def _check_tile(file: Document, facts: Document, dimension: str | None) -> None:
    """A tile covers the degree that its name says, give or take one pixel of shift."""
    if dimension is None:
        return
    tile = Tile.parse(file["coordinates"][dimension])
    a, _, west, _, e, north = facts["grid"]["transform"]
    east = west + a * facts["grid"]["width"]
    south = north + e * facts["grid"]["height"]
    edges = {
        "west": (west, tile.west, a),
        "east": (east, tile.west + 1, a),
        "south": (south, tile.south, -e),
        "north": (north, tile.south + 1, -e),
    }
    for name, (edge, named, pixel) in edges.items():
        if abs(edge - named) > 1.01 * pixel:
            raise WrongGrid(
                f"its {name} edge is at {edge:.6f}, but tile {tile.name} ends at {named}",
                where=file["key"],
                hint="the name and the georeference disagree by more than a pixel",
            )
