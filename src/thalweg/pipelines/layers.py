"""The layers that a pipeline declares: what its files hold, in the words of the pipeline's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from thalweg.catalog.ledger import Artifact
from thalweg.domain.coordinates import NONE, Coordinates
from thalweg.domain.layers import Layer
from thalweg.hexagons.layers import Series
from thalweg.pipelines.fields import CELL, DATASET
from thalweg.pipelines.schema import Pipeline, value_titles
from thalweg.pipelines.steps import HexagonsVectorStep, MosaicStep, StackStep


def declared_layers(pipeline: Pipeline, artifacts: Iterable[Artifact]) -> list[Layer]:
    """The layers that a pipeline's rasters and tables of features hold, ordered by id.

    A raster that lies at values which the pipeline no longer declares holds none.
    """
    made = list(artifacts)
    found = [*_layers_of_rasters(pipeline, made), *_layers_of_features(pipeline, made)]
    return sorted(found, key=lambda layer: layer.id)


def _layers_of_rasters(pipeline: Pipeline, artifacts: Iterable[Artifact]) -> Iterable[Layer]:
    """Each band is one, of however many places."""
    over = {step.name: step.over for step in pipeline.steps if isinstance(step, StackStep)}
    for step in pipeline.steps:
        if isinstance(step, MosaicStep):
            over[step.name] = over[step.of]
    places = (CELL, pipeline.tile_dimension or "")
    layers: dict[Coordinates, Layer] = {}
    for artifact in artifacts:
        if artifact.kind not in over:
            continue
        for band in artifact.facts["bands"]:
            values = {**artifact.coordinates, over[artifact.kind]: band["description"]}
            place = pipeline.coordinates(values).without(*places)
            if place not in layers and _is_declared(pipeline, place, places):
                layers[place] = _layer(pipeline, artifact, place, over[artifact.kind])
    return layers.values()


def _layers_of_features(pipeline: Pipeline, artifacts: Iterable[Artifact]) -> Iterable[Layer]:
    """Each category is one, at however many resolutions."""
    steps = {step.name: step for step in pipeline.steps if isinstance(step, HexagonsVectorStep)}
    layers: dict[tuple[str, str], Layer] = {}
    for artifact in artifacts:
        step = steps.get(artifact.kind)
        if step is None or artifact.coordinates[DATASET] != (step.dataset or pipeline.name):
            continue
        for label, category in artifact.facts["layers"].items():
            layers.setdefault((step.name, label), _feature_layer(pipeline, step, label, category))
    return layers.values()


def _is_declared(pipeline: Pipeline, place: Coordinates, places: tuple[str, ...]) -> bool:
    dimensions = pipeline.domain_dimensions
    return {*place} == {*dimensions.names} - {*places} and all(
        value == NONE or dimensions[name].could_mean(value) for name, value in place.items()
    )


def _layer(pipeline: Pipeline, artifact: Artifact, place: Coordinates, over: str) -> Layer:
    """What one band holds at a place in the dimensions."""
    pixels, grid = pipeline.raster_pixels, artifact.facts["grid"]
    series = Series(pipeline.theme.id, pipeline.name, pixels.unit, place.without(over))
    titles = value_titles(pipeline.domain_dimensions, place.to_json())
    told = [titles[name] for name, value in place.items() if value != NONE]
    return Layer(
        series.layer_id(place[over]),
        pipeline.theme.id,
        pipeline.name,
        f"{pipeline.title}: {', '.join(told)}",
        pixels.unit,
        pipeline.license,
        nodata=pixels.nodata,
        crs=grid["crs"],
        pixel=grid["transform"][0],
        coordinates=place,
        statistics=pipeline.recommended.statistics,
        resolutions=pipeline.recommended.resolutions,
        **_source(pipeline),
    )


def _feature_layer(
    pipeline: Pipeline, step: HexagonsVectorStep, label: str, category: str
) -> Layer:
    dataset = step.dataset or pipeline.name
    return Layer(
        Series(step.theme, dataset, "1", Coordinates(())).layer_id(label),
        step.theme,
        dataset,
        ": ".join(filter(None, [pipeline.title, category or label])),
        "1",
        pipeline.license,
        statistics=("count",),
        resolutions=pipeline.recommended.resolutions,
        **_source(pipeline),
    )


def _source(pipeline: Pipeline) -> dict[str, Any]:
    """Where all layers of a pipeline come from."""
    return {
        "description": " ".join(pipeline.description.split()),
        "origin": ", ".join(_named(one.name, one.url) for one in pipeline.providers),
        "citation": pipeline.citation,
        "pipeline": pipeline.name,
    }


def _named(name: str, url: str | None) -> str:
    return f"{name} ({url})" if url else name
