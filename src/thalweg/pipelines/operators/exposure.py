"""The operator `exposure`: how many buildings stand in the water of a scenario, and how deep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from thalweg.catalog.ledger import Input
from thalweg.domain.coordinates import Coordinates
from thalweg.jobs.tasks import Document, Missing
from thalweg.pipelines.fields import BUILDINGS, COUNTRIES, H3_RESOLUTION, TABLE
from thalweg.pipelines.item_plans import table_item_plans
from thalweg.pipelines.plan import Planned, Situation, StepPlan, planned_artifact
from thalweg.pipelines.scenarios import (
    is_deferred,
    lacking,
    missing_files,
    rasters_by_scenario,
    series_of,
)
from thalweg.pipelines.schema import PixelsModel
from thalweg.pipelines.steps import ExposureStep
from thalweg.pipelines.survey import source_prefix
from thalweg.pipelines.vectors import main_files, matching
from thalweg.pipelines.workspace import Workspace

if TYPE_CHECKING:
    from thalweg.domain.tables import TableFacts
    from thalweg.exposure.aggregate import Question
    from thalweg.exposure.exposing import Exposed, Places
    from thalweg.exposure.prepared import Shelf
    from thalweg.hexagons.layers import Series

MEMORY = 950 << 20
SHELF = "prepared"
_PARAMETERS = {"rule", "buffer_m", "thresholds", "nodata", "water", "countries", "areas", "damage"}


class Exposure:
    """Samples the rasters of a scenario at every building of a table, all at once.

    A table for each H3 resolution, one for each kind of areas, and one of all buildings where it is
    wished. A scenario of which a raster, the buildings or a file is missing is named and left.
    """

    version = 2

    def plan(
        self, step: ExposureStep, situation: Situation, before: Mapping[str, StepPlan]
    ) -> StepPlan:
        scenarios = rasters_by_scenario(before[step.of], situation.pipeline)
        zone = getattr(before[step.of].step, "zone", "")
        table = None if step.buildings_is_file else _made_buildings(before[step.buildings])
        table_zone = "" if table is None else getattr(before[step.buildings].step, "zone", "")
        found: list[Planned] = []
        for scenario, rasters in scenarios.items():
            lost = (
                *lacking(step, rasters, situation),
                *_lacking_buildings(table, situation),
                *missing_files(step, situation, scenario.id),
            )
            if lost:
                deferred = is_deferred(step, scenario, rasters, situation)
                found.append(Planned(scenario, obstacles=lost, deferred=deferred))
                continue
            inputs = [Input(zone, raster.key, raster.fingerprint) for raster in rasters]
            if table is not None:
                inputs.append(Input(table_zone, table.key, table.fingerprint))
            found += self._planned(step, scenario, rasters, inputs, situation)
        return StepPlan(step, tuple(found))

    def _planned(
        self,
        step: ExposureStep,
        scenario: Coordinates,
        rasters: Sequence[Planned],
        inputs: Sequence[Input],
        situation: Situation,
    ) -> Iterator[Planned]:
        pipeline = situation.pipeline
        dataset = step.dataset_of(pipeline.name)
        files = situation.vectors.get(step.name, ())
        every = (*inputs, *(Input(pipeline.source.zone, one.key, one.etag) for one in files))
        parameters = {
            **step.model_dump(mode="json", include=_PARAMETERS),
            "pixels": pipeline.raster_pixels.model_dump(mode="json"),
            "series": series_of(step.theme, dataset, scenario, situation),
        }
        payload = {
            "rasters": [[one.zone, one.key] for one in inputs[: len(rasters)]],
            "buildings": _table_of(step, inputs[len(rasters) :], situation),
            "files": _files(step, situation),
        }
        outputs = [
            (Coordinates((*scenario.items(), one)), folder)
            for one, folder in _outputs(step, dataset)
        ]
        payload["items"] = table_item_plans(pipeline, step.name, [one for one, _ in outputs])
        for coordinates, folder in outputs:
            yield planned_artifact(
                step,
                self.version,
                situation,
                coordinates,
                every,
                parameters,
                payload,
                stem=f"{pipeline.name}/{step.name}/{folder}/{scenario.id}",
                extension="parquet",
                deferred=is_deferred(step, scenario, rasters, situation),
                memory=MEMORY,
                size=sum(raster.size for raster in rasters),
                group=scenario.id,
            )

    def run(self, payload: Document, workspace: Workspace) -> Document:
        from thalweg.exposure.exposing import expose
        from thalweg.exposure.sampling import Raster
        from thalweg.exposure.table import building_bounds
        from thalweg.hexagons.layers import Series
        from thalweg.pipelines.making import publish_table

        zone = workspace.zone(payload["zone"])
        series = Series.from_json(payload["series"])
        rasters = [
            Raster(workspace.zone(name).gdal_path(key), key) for name, key in payload["rasters"]
        ]
        kept = any(one["coordinates"].get(TABLE) == BUILDINGS for one in payload["outputs"])
        with zone.staging() as area, _local(payload, workspace) as paths:
            table = paths[payload["buildings"][1]]
            question = _question(payload, paths)
            places = _places(payload, paths)
            bounds = building_bounds(table)
            per_building = area / "buildings.parquet"
            exposed = expose(
                table,
                rasters,
                question,
                places,
                series,
                per_building if kept else None,
                _shelf(payload, workspace),
            )
            for output in payload["outputs"]:
                written, told = _written(output, exposed, series, question, places, payload, area)
                told = told if told.bounds else replace(told, bounds=bounds)
                facts = {"series": series.id, "table": told.to_json()}
                publish_table(payload, output, self.version, written, facts, workspace)
        return {"tables": len(payload["outputs"]), "buildings": exposed.buildings}


def _made_buildings(plan: StepPlan) -> Planned:
    """The table among what a step `buildings` makes, or what stands in its way."""
    return next(one for one in plan.planned if one.coordinates.get(TABLE) in (None, BUILDINGS))


def _lacking_buildings(table: Planned | None, situation: Situation) -> Iterator[Missing]:
    if table is not None and not table.done and not (situation.rehearsal and table.to_make):
        reason = f"its table of buildings {table.id} is not made"
        yield Missing(table.id, reason, "see what that one lacks")


def _table_of(step: ExposureStep, inputs: Sequence[Input], situation: Situation) -> list[str]:
    """Zone and key of the table of buildings."""
    for made in inputs:
        return [made.zone, made.key]
    return [situation.pipeline.source.zone, _key(step, step.buildings, situation)]


def _key(step: ExposureStep, pattern: str, situation: Situation) -> str:
    prefix = source_prefix(situation.pipeline, situation.choice)
    found = matching(situation.vectors[step.name], pattern, prefix)
    return main_files([one.key for one in found])[0]


def _files(step: ExposureStep, situation: Situation) -> dict[str, str]:
    """The keys of the step's files, by how the step names them."""
    return {pattern: _key(step, pattern, situation) for pattern in step.patterns}


def _outputs(step: ExposureStep, dataset: str) -> Iterator[tuple[tuple[str, str], str]]:
    """The coordinate that tells each table from the others of a scenario, and its folder."""
    for resolution in step.resolutions:
        folder = f"theme={step.theme}/dataset={dataset}/resolution={resolution}"
        yield (H3_RESOLUTION, str(resolution)), folder
    names = [*([COUNTRIES] if step.countries else []), *(one.name for one in step.areas)]
    for name in names:
        yield (TABLE, name), f"areas={name}"
    if step.keep_buildings:
        yield (TABLE, BUILDINGS), BUILDINGS


@contextmanager
def _local(payload: Document, workspace: Workspace) -> Iterator[dict[str, Path]]:
    """The table of buildings and the step's files on this machine, by key, as they were planned."""
    from thalweg.pipelines.making import check_unchanged

    files = set(payload["files"].values())
    with ExitStack() as stack:
        paths: dict[str, Path] = {}
        for name, key, identity in payload["inputs"]:
            zone = workspace.zone(name)
            if key in files:
                check_unchanged(zone, key, identity)
            if key in files or [name, key] == payload["buildings"]:
                paths[key] = stack.enter_context(zone.local_copy(key))
        yield paths


def _question(payload: Document, paths: Mapping[str, Path]) -> Question:
    from thalweg.exposure.aggregate import Question
    from thalweg.exposure.damage import Damage, read_curve
    from thalweg.exposure.pixel_lists import Rule

    damages = []
    for one in payload["damage"]:
        key = payload["files"][one["curve"]]
        curve = read_curve(paths[key], one["column"], key)
        damages.append(Damage(one["name"], curve, one["value"], one["per"], one["currency"]))
    return Question(
        PixelsModel(**payload["pixels"]).domain().made(),
        Rule(payload["rule"]),
        payload["buffer_m"],
        tuple(payload["thresholds"]),
        payload["nodata"],
        payload["water"],
        tuple(damages),
    )


def _places(payload: Document, paths: Mapping[str, Path]) -> Places:
    from thalweg.exposure.exposing import Places
    from thalweg.exposure.prepared import AreasFile

    identities = {key: identity for _, key, identity in payload["inputs"]}
    areas = []
    for one in payload["areas"]:
        key = payload["files"][one["outlines"]]
        areas.append(AreasFile(one["name"], paths[key], one["column"], identities[key]))
    resolutions = [
        int(output["coordinates"][H3_RESOLUTION])
        for output in payload["outputs"]
        if H3_RESOLUTION in output["coordinates"]
    ]
    return Places(tuple(resolutions), payload["countries"], tuple(areas))


def _shelf(payload: Document, workspace: Workspace) -> Shelf:
    from thalweg.exposure.prepared import Shelf

    identities = {(zone, key): identity for zone, key, identity in payload["inputs"]}
    zone, key = payload["buildings"]
    return Shelf(workspace.folder / SHELF, identities[zone, key])


def _written(
    output: Document,
    exposed: Exposed,
    series: Series,
    question: Question,
    places: Places,
    payload: Document,
    area: Path,
) -> tuple[Path, TableFacts]:
    """A table's file and what is told of it; its bounds only where the rows have a place each."""
    from thalweg.domain.tables import TableFacts
    from thalweg.exposure.areas import with_countries
    from thalweg.exposure.exposed import areas_exposure, write_cells
    from thalweg.exposure.table import depth_facts
    from thalweg.hexagons.tables import table_columns, write_table

    name = output["coordinates"].get(TABLE)
    if name == BUILDINGS:
        path = area / "buildings.parquet"
        return path, depth_facts(path)
    # A name of its own: what is published may share its bytes with the file that it was.
    path = area / f"{output['fingerprint']}.parquet"
    if name is None:
        sums = exposed.cells[int(output["coordinates"][H3_RESOLUTION])]
        return path, write_cells(series, sums, question, path, countries=payload["countries"])
    table = areas_exposure(series, exposed.areas[name], question, name)
    if places.countries and name != COUNTRIES:
        file = next(one for one in places.areas if one.name == name)
        table = with_countries(table, file.path, file.column)
    write_table(table, path)
    return path, TableFacts(table.num_rows, table_columns(table.schema))
