"""What steps that make rasters plan alike."""

from __future__ import annotations

from thalweg.catalog.ledger import Input
from thalweg.domain.coordinates import Coordinates
from thalweg.domain.fingerprints import fingerprint, immutable_key
from thalweg.jobs.tasks import Document
from thalweg.pipelines.item_plans import item_plan
from thalweg.pipelines.keys import key_stem
from thalweg.pipelines.plan import Planned, Situation
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

    `version` is the operator's; with it, the coordinates, the inputs, and `parameters` besides
    those of every raster step make the fingerprint. `memory` and `size` as in `Planned`.
    """
    pipeline = situation.pipeline
    parameters = {
        "layout": step.layout,
        "resampling": step.resampling,
        "pixels": pipeline.raster_pixels.model_dump(mode="json"),
        **parameters,
    }
    identities = [(one.key, one.identity) for one in inputs]
    told_apart = {**parameters, "coordinates": coordinates.to_json()}
    digest = fingerprint(step.operator, version, told_apart, identities)
    return Planned(
        coordinates,
        inputs,
        digest,
        immutable_key(key_stem(pipeline, step.name, coordinates), digest, "tif"),
        done=digest in situation.artifacts,
        again=situation.choice.force,
        deferred=deferred,
        payload={
            **parameters,
            "pipeline": pipeline.name,
            "force": situation.choice.force,
            "item": item_plan(pipeline, step.name, coordinates),
        },
        memory=memory,
        size=size,
    )
