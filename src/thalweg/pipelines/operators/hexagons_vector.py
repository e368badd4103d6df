"""The operator `hexagons_vector`: points, lines and polygons in each H3 cell, as tables."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from thalweg.catalog.ledger import Input
from thalweg.domain.coordinates import Coordinates
from thalweg.jobs.tasks import Document, Missing
from thalweg.pipelines.fields import DATASET, H3_RESOLUTION
from thalweg.pipelines.item_plans import at_resolution, table_item_plans
from thalweg.pipelines.plan import Planned, Situation, StepPlan, planned_artifact
from thalweg.pipelines.steps import HexagonsVectorStep
from thalweg.pipelines.survey import source_prefix
from thalweg.pipelines.vectors import main_files
from thalweg.pipelines.workspace import Workspace

if TYPE_CHECKING:
    from thalweg.hexagons.records import Source
    from thalweg.storage.zones import Zone

MEMORY = 900 << 20
_LOG = logging.getLogger(__name__)
_READ_BY_ARROW = (".parquet", ".csv")


class HexagonsVector:
    """Counts the features of a step's files in one pass, and makes a table for each resolution.

    Rows that cannot be used are left out; the facts of each table count them by reason and name
    the first.
    """

    version = 2

    def plan(
        self,
        step: HexagonsVectorStep,
        situation: Situation,
        before: Mapping[str, StepPlan],  # noqa: ARG002
    ) -> StepPlan:
        if not situation.vectors.get(step.name):
            return StepPlan(step, (_without_files(step, situation),))
        return StepPlan(step, tuple(self._table(step, one, situation) for one in step.resolutions))

    def _table(self, step: HexagonsVectorStep, resolution: int, situation: Situation) -> Planned:
        pipeline, choice = situation.pipeline, situation.choice
        files = situation.vectors[step.name]
        inputs = tuple(Input(pipeline.source.zone, one.key, one.etag) for one in files)
        dataset = step.dataset or pipeline.name
        coordinates = Coordinates(((DATASET, dataset),))
        read = {"layer", "longitude", "latitude", "crs", "category", "sums", "rule"}
        parameters = {
            **step.model_dump(mode="json", include=read | {"theme", "countries"}),
            "dataset": dataset,
        }
        every = [at_resolution(coordinates, one) for one in step.resolutions]
        items = table_item_plans(pipeline, step.name, every)
        folder = f"theme={step.theme}/dataset={dataset}/resolution={resolution}"
        return planned_artifact(
            step,
            self.version,
            situation,
            at_resolution(coordinates, resolution),
            inputs,
            parameters,
            {"items": items},
            stem=f"{pipeline.name}/{step.name}/{folder}/{dataset}",
            extension="parquet",
            deferred=choice.only is not None and dataset not in choice.only.get(step.name, ()),
            memory=MEMORY,
            size=sum(one.size for one in files),
            group=dataset,
        )

    def run(self, payload: Document, workspace: Workspace) -> Document:
        from thalweg.hexagons.faults import Faults
        from thalweg.hexagons.outlines import country_codes
        from thalweg.hexagons.tables import table_facts, write_table
        from thalweg.hexagons.vector import vector_statistics, vector_table
        from thalweg.pipelines.making import publish_table

        zone, faults = workspace.zone(payload["zone"]), Faults()
        resolutions = [int(one["coordinates"][H3_RESOLUTION]) for one in payload["outputs"]]
        with _sources(payload, workspace) as sources:
            found = vector_statistics(sources, resolutions, payload["rule"], faults)
        report = faults.to_json()
        for output, resolution in zip(payload["outputs"], resolutions, strict=True):
            cells = found[resolution].cells
            table = vector_table(
                found[resolution],
                theme=payload["theme"],
                dataset=payload["dataset"],
                units=payload["sums"],
                countries=country_codes(cells) if payload["countries"] else None,
            )
            facts = {
                "table": table_facts(table).to_json(),
                "layers": dict(found[resolution].categories),
                "faults": report,
            }
            with zone.staging() as area:
                written = area / "table.parquet"
                write_table(table, written)
                publish_table(payload, output, self.version, written, facts, workspace)
        if report["rows_left_out"] or report["numbers_left_out"]:
            _LOG.warning(
                "%s rows and %s numbers left out: thalweg hexagons faults names them",
                f"{report['rows_left_out']:,}",
                f"{report['numbers_left_out']:,}",
            )
        left_out = {name: report[name] for name in ("rows", "rows_left_out", "numbers_left_out")}
        return {"tables": len(payload["outputs"]), **left_out}


def _without_files(step: HexagonsVectorStep, situation: Situation) -> Planned:
    pipeline = situation.pipeline
    zone = situation.zones[pipeline.source.zone]
    prefix = source_prefix(pipeline, situation.choice)
    place = "/".join(part for part in (zone.url.rstrip("/"), prefix, step.source) if part)
    coordinates = Coordinates(((DATASET, step.dataset or pipeline.name),))
    obstacle = Missing(
        coordinates.id,
        f"there is no file {place}",
        "point --source at the delivery, and check the step's source and base_prefix",
    )
    return Planned(coordinates, obstacles=(obstacle,))


@contextmanager
def _sources(payload: Document, workspace: Workspace) -> Iterator[list[Source]]:
    """The files to read, as they were when planned."""
    from thalweg.hexagons.records import Source
    from thalweg.pipelines.making import check_unchanged

    with ExitStack() as stack:
        zones = {key: workspace.zone(name) for name, key, _ in payload["inputs"]}
        for _, key, etag in payload["inputs"]:
            check_unchanged(zones[key], key, etag)
        read = {name: payload[name] for name in ("layer", "longitude", "latitude", "crs")}
        yield [
            Source(
                stack.enter_context(_path(zones[key], key)),
                key,
                category=payload["category"],
                sums=tuple(payload["sums"]),
                **read,
            )
            for key in main_files(list(zones))
        ]


@contextmanager
def _path(zone: Zone, key: str) -> Iterator[str]:
    if key.lower().endswith(_READ_BY_ARROW):
        with zone.local_copy(key) as path:
            yield str(path)
    else:
        import pyogrio

        pyogrio.set_gdal_config_options(zone.gdal_environment())
        yield zone.gdal_path(key)
