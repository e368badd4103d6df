"""The operator `buildings`: one cleaned table of the buildings of several sources."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from thalweg.catalog.ledger import Input
from thalweg.domain.coordinates import Coordinates
from thalweg.domain.tiles import BoundingBox
from thalweg.jobs.tasks import Document
from thalweg.pipelines.fields import BUILDINGS, DATASET, REPORT, TABLE
from thalweg.pipelines.item_plans import table_item_plans
from thalweg.pipelines.plan import Planned, Situation, StepPlan, planned_artifact
from thalweg.pipelines.scenarios import missing_files
from thalweg.pipelines.steps import BuildingSource, BuildingsStep
from thalweg.pipelines.survey import source_prefix
from thalweg.pipelines.vectors import main_files, matching
from thalweg.pipelines.workspace import Workspace

if TYPE_CHECKING:
    from thalweg.exposure.cleaning import Wanted
    from thalweg.exposure.normalise import Source
    from thalweg.exposure.readers.reading import SourceFile

MEMORY = 1000 << 20
_LOG = logging.getLogger(__name__)


class Buildings:
    """Makes the table, and beside it the report of every row that was dropped or mended."""

    version = 2

    def plan(
        self,
        step: BuildingsStep,
        situation: Situation,
        before: Mapping[str, StepPlan],  # noqa: ARG002
    ) -> StepPlan:
        obstacles = tuple(missing_files(step, situation, _coordinates(step, situation).id))
        if obstacles:
            return StepPlan(step, (Planned(_coordinates(step, situation), obstacles=obstacles),))
        return StepPlan(
            step, tuple(self._planned(step, part, situation) for part in (BUILDINGS, REPORT))
        )

    def _planned(self, step: BuildingsStep, part: str, situation: Situation) -> Planned:
        pipeline, choice = situation.pipeline, situation.choice
        files = situation.vectors[step.name]
        inputs = tuple(Input(pipeline.source.zone, one.key, one.etag) for one in files)
        coordinates = _coordinates(step, situation)
        fields = {"sources", "keep", "distance", "bbox", "resolution", "countries"}
        parameters = step.model_dump(mode="json", include=fields)
        items = table_item_plans(
            pipeline, step.name, [_table(coordinates, BUILDINGS), _table(coordinates, REPORT)]
        )
        return planned_artifact(
            step,
            self.version,
            situation,
            _table(coordinates, part),
            inputs,
            parameters,
            {"files": _files_of_sources(step, situation), "items": items},
            stem=f"{pipeline.name}/{step.name}/{coordinates.id}-{part}",
            extension="parquet",
            deferred=choice.only is not None
            and coordinates.id not in choice.only.get(step.name, ()),
            memory=MEMORY,
            size=sum(one.size for one in files),
            group=coordinates.id,
        )

    def run(self, payload: Document, workspace: Workspace) -> Document:
        from thalweg.exposure.normalise import Rules, normalise
        from thalweg.exposure.table import building_facts
        from thalweg.hexagons.outlines import countries
        from thalweg.pipelines.making import publish_table

        zone = workspace.zone(payload["zone"])
        rules = Rules(
            resolution=payload["resolution"],
            keep=payload["keep"],
            distance_m=payload["distance"],
            outlines=countries() if payload["countries"] else None,
        )
        with zone.staging() as area, _sources(payload, workspace) as sources:
            written = {part: area / f"{part}.parquet" for part in (BUILDINGS, REPORT)}
            summary = normalise(sources, written[BUILDINGS], written[REPORT], rules, area)
            _copy_to_database(payload, workspace, written[BUILDINGS])
            facts = {**summary.to_json(), "table": building_facts(written[BUILDINGS]).to_json()}
            for output in payload["outputs"]:
                path = written[output["coordinates"][TABLE]]
                publish_table(payload, output, self.version, path, facts, workspace)
        _warn_of(facts)
        told = ("buildings", "dropped", "mended", "outside", "unconfident", "duplicates")
        return {name: facts[name] for name in told}


def _warn_of(facts: Document) -> None:
    """Rows that were not sound: the report names each."""
    for what in ("dropped", "mended"):
        if facts[what]:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in facts[what].items())
            _LOG.warning("rows %s: %s; the report beside the table names them", what, reasons)


def _copy_to_database(payload: Document, workspace: Workspace, table: Path) -> None:
    """Copies the table to the database, if one is set."""
    from thalweg.exposure.postgis import copy_buildings
    from thalweg.settings import load_settings

    url = load_settings(workspace.folder).database_url
    for output in payload["outputs"]:
        coordinates = output["coordinates"]
        if url and coordinates[TABLE] == BUILDINGS:
            copy_buildings(table, url, coordinates[DATASET], output["fingerprint"])


def _coordinates(step: BuildingsStep, situation: Situation) -> Coordinates:
    return Coordinates(((DATASET, step.dataset or situation.pipeline.name),))


def _table(coordinates: Coordinates, part: str) -> Coordinates:
    return Coordinates((*coordinates.items(), (TABLE, part)))


def _files_of_sources(step: BuildingsStep, situation: Situation) -> list[Document]:
    """The keys of each source's files in their order, and of its file of thresholds."""
    prefix = source_prefix(situation.pipeline, situation.choice)
    files = situation.vectors[step.name]

    def keys(pattern: str) -> list[str]:
        return main_files([one.key for one in matching(files, pattern, prefix)])

    return [
        {
            "files": keys(source.files),
            "thresholds": keys(source.thresholds)[0] if source.thresholds else None,
        }
        for source in step.sources
    ]


@contextmanager
def _sources(payload: Document, workspace: Workspace) -> Iterator[list[Source]]:
    """The sources with their files on this machine, as they were when planned."""
    from thalweg.exposure.normalise import Source
    from thalweg.pipelines.making import check_unchanged

    with ExitStack() as stack:
        paths: dict[str, Path] = {}
        by_gdal = _read_by_gdal(payload)
        for zone_name, key, etag in payload["inputs"]:
            zone = workspace.zone(zone_name)
            check_unchanged(zone, key, etag)
            if key in by_gdal:
                paths[key] = Path(zone.gdal_path(key))
            else:
                paths[key] = stack.enter_context(zone.local_copy(key))
        bounds = BoundingBox(*payload["bbox"]) if payload["bbox"] else None
        sources = []
        for document, files in zip(payload["sources"], payload["files"], strict=True):
            source = BuildingSource.model_validate(document)
            least = _least_confidences(source, files, paths)
            wanted = [
                (_file(source, key, paths), _wanted(source, bounds, least[key]))
                for key in files["files"]
            ]
            sources.append(Source(source.name, source.layout, wanted))
        yield sources


def _read_by_gdal(payload: Document) -> set[str]:
    """The files that need not be copied from a remote zone, and those that lie beside them."""
    sources = zip(payload["sources"], payload["files"], strict=True)
    copied = {
        key
        for source, files in sources
        for key in (*files["files"], files["thresholds"])
        if source["layout"] not in ("features", "osm") or key == files["thresholds"]
    }
    return {key for _, key, _ in payload["inputs"]} - copied


def _file(source: BuildingSource, key: str, paths: Mapping[str, Path]) -> SourceFile:
    from thalweg.exposure.readers.reading import Columns, SourceFile

    columns = Columns(**source.columns.model_dump())
    return SourceFile(paths[key], source.name, key, columns, layer=source.layer)


def _wanted(source: BuildingSource, bounds: BoundingBox | None, least: float | None) -> Wanted:
    from thalweg.exposure.cleaning import Wanted

    return Wanted(bounds, least, source.unknown)


def _least_confidences(
    source: BuildingSource, files: Document, paths: Mapping[str, Path]
) -> dict[str, float | None]:
    """The least confidence that is taken, by file."""
    from thalweg.exposure.thresholds import read_thresholds, threshold_of

    if source.precision is None:
        return dict.fromkeys(files["files"], source.confidence)
    thresholds = read_thresholds(paths[files["thresholds"]], source.precision)
    return {key: threshold_of(key, thresholds, source.precision) for key in files["files"]}
