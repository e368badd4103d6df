"""The operator `hexagons`: what each H3 cell holds of the layers of a scenario, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from thalweg.catalog.ledger import Input
from thalweg.domain.coordinates import Coordinates
from thalweg.jobs.tasks import Document
from thalweg.pipelines.fields import H3_RESOLUTION
from thalweg.pipelines.item_plans import at_resolution, table_item_plans
from thalweg.pipelines.plan import Planned, Situation, StepPlan, planned_artifact
from thalweg.pipelines.scenarios import (
    is_deferred,
    lacking,
    rasters_by_scenario,
    series_of,
)
from thalweg.pipelines.schema import PixelsModel
from thalweg.pipelines.steps import HexagonsStep
from thalweg.pipelines.workspace import Workspace
from thalweg.processes import give_memory_back

if TYPE_CHECKING:
    from thalweg.hexagons.statistics import CellStatistics

MEMORY = 900 << 20


class Hexagons:
    """Measures all rasters of a scenario and merges what they tell of each cell, exactly.

    So a cell over the edge of two grid cells comes out as if their rasters were one. A scenario of
    which a raster is missing is named and left.
    """

    version = 2

    def plan(
        self, step: HexagonsStep, situation: Situation, before: Mapping[str, StepPlan]
    ) -> StepPlan:
        scenarios = rasters_by_scenario(before[step.of], situation.pipeline)
        zone = getattr(before[step.of].step, "zone", "")
        return StepPlan(
            step,
            tuple(
                planned
                for scenario, rasters in scenarios.items()
                for planned in self._planned(step, scenario, rasters, zone, situation)
            ),
        )

    def _planned(
        self,
        step: HexagonsStep,
        scenario: Coordinates,
        rasters: Sequence[Planned],
        zone: str,
        situation: Situation,
    ) -> list[Planned]:
        obstacles = lacking(step, rasters, situation)
        if obstacles:
            deferred = is_deferred(step, scenario, rasters, situation)
            return [Planned(scenario, obstacles=obstacles, deferred=deferred)]
        inputs = tuple(Input(zone, raster.key, raster.fingerprint) for raster in rasters)
        theme = step.theme or situation.pipeline.theme.id
        series = series_of(theme, situation.pipeline.name, scenario, situation)
        return [
            self._table(step, scenario, resolution, inputs, rasters, series, situation)
            for resolution in step.resolutions
        ]

    def _table(
        self,
        step: HexagonsStep,
        scenario: Coordinates,
        resolution: int,
        inputs: tuple[Input, ...],
        rasters: Sequence[Planned],
        series: Document,
        situation: Situation,
    ) -> Planned:
        pipeline = situation.pipeline
        parameters = {
            "theme": series["theme"],
            "rule": step.rule,
            "depths": list(step.depths),
            "percentiles": step.percentiles,
            "countries": step.countries,
            "pixels": pipeline.raster_pixels.model_dump(mode="json"),
            "series": series,
        }
        every = [at_resolution(scenario, one) for one in step.resolutions]
        items = table_item_plans(pipeline, step.name, every)
        folder = f"theme={parameters['theme']}/dataset={pipeline.name}/resolution={resolution}"
        return planned_artifact(
            step,
            self.version,
            situation,
            at_resolution(scenario, resolution),
            inputs,
            parameters,
            {"items": items},
            stem=f"{pipeline.name}/{step.name}/{folder}/{scenario.id}",
            extension="parquet",
            deferred=is_deferred(step, scenario, rasters, situation),
            memory=MEMORY,
            size=sum(raster.size for raster in rasters),
            group=scenario.id,
        )

    def run(self, payload: Document, workspace: Workspace) -> Document:
        from thalweg.hexagons.layers import Series
        from thalweg.hexagons.measured import measured_batches
        from thalweg.hexagons.outlines import country_codes
        from thalweg.hexagons.tables import write_batches
        from thalweg.pipelines.making import publish_table

        zone = workspace.zone(payload["zone"])
        series = Series.from_json(payload["series"])
        measured = _measured(payload, workspace)
        cells = 0
        for output in payload["outputs"]:
            resolution = output["coordinates"][H3_RESOLUTION]
            statistics = measured.pop(int(resolution))
            if not measured:
                # The finest is last, and large: what is done makes room.
                give_memory_back()
            codes = country_codes(statistics.cells) if payload["countries"] else None
            batches = measured_batches(series, statistics, codes)
            with zone.staging() as area:
                written = area / "table.parquet"
                table = write_batches(batches, written)
                facts = {"series": series.id, "table": table.to_json()}
                publish_table(payload, output, self.version, written, facts, workspace)
            cells += table.rows
        return {"tables": len(payload["outputs"]), "cells": cells}


def _measured(payload: Document, workspace: Workspace) -> dict[int, CellStatistics]:
    """The statistics of all rasters together, by resolution."""
    from thalweg.hexagons.measures import Rule
    from thalweg.hexagons.statistics import merged
    from thalweg.hexagons.zonal import zonal

    resolutions = [int(output["coordinates"][H3_RESOLUTION]) for output in payload["outputs"]]
    parts = [
        zonal(
            workspace.zone(zone).gdal_path(key),
            resolutions,
            rules=PixelsModel(**payload["pixels"]).domain().made(),
            rule=Rule(payload["rule"]),
            depths_m=payload["depths"],
            histogram=payload["percentiles"],
            where=key,
        )
        for zone, key, _ in payload["inputs"]
    ]
    return {
        resolution: merged(part.pop(resolution) for part in parts).with_data()
        for resolution in resolutions
    }
