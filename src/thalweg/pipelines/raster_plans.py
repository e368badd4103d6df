"""What steps that make rasters plan alike."""

from __future__ import annotations

from thalweg.catalog.ledger import Input
from thalweg.domain.coordinates import Coordinates
from thalweg.jobs.tasks import Document
from thalweg.pipelines.item_plans import item_plan
from thalweg.pipelines.keys import key_stem
from thalweg.pipelines.plan import Planned, Situation, planned_artifact
from thalweg.pipelines.steps import MosaicStep, StackStep


def planned_raster(
    step: StackStep | MosaicStep,
    version: int,
    situation: Situation,
    coordinates: Coordinates,
    inputs: tuple[Input, ...],
    parameters: Document,
    *,
    deferred: bool,
    memory: int,
    size: int,
) -> Planned:
    """A raster that nothing stands in the way of.

    `parameters` are those besides the ones of every raster step; all else as in
    `planned_artifact`.
    """
    pipeline = situation.pipeline
    parameters = {
        "layout": step.layout,
        "resampling": step.resampling,
        "pixels": pipeline.raster_pixels.model_dump(mode="json"),
        **parameters,
    }
    payload = {
        "force": situation.choice.force,
        "item": item_plan(pipeline, step.name, coordinates),
    }
    return planned_artifact(
        step,
        version,
        situation,
        coordinates,
        inputs,
        parameters,
        payload,
        stem=key_stem(pipeline, step.name, coordinates),
        extension="tif",
        deferred=deferred,
        memory=memory,
        size=size,
    )
