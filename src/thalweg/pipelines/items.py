"""STAC items and collections of a pipeline: what its artifacts are, in the words of the field."""

from __future__ import annotations

from collections.abc import Iterable

from thalweg import __version__
from thalweg.catalog.collections import build_collection
from thalweg.catalog.ledger import Artifact
from thalweg.catalog.stac import (
    Band,
    RasterAsset,
    build_item,
    stac_percentiles,
    stac_statistics,
)
from thalweg.domain.coordinates import NONE, Coordinates
from thalweg.domain.pixels import SpecialValue
from thalweg.jobs.tasks import Document
from thalweg.pipelines.schema import CatalogStep, Pipeline, SpecialModel, value_titles
from thalweg.raster.made import Made
from thalweg.storage.zones import Zone


def catalog_step_of(pipeline: Pipeline, step_name: str) -> CatalogStep | None:
    """The step that catalogues what another step makes, if there is one."""
    return next(
        (one for one in pipeline.steps if isinstance(one, CatalogStep) and one.of == step_name),
        None,
    )


def item_plan(pipeline: Pipeline, step_name: str, coordinates: Coordinates) -> Document | None:
    """What an item will say, as far as it is known before the file is made; JSON."""
    step = catalog_step_of(pipeline, step_name)
    if step is None:
        return None
    dimensions = pipeline.domain_dimensions
    titles = value_titles(dimensions, coordinates.to_json())
    year = coordinates.get(pipeline.time.year) if pipeline.time.year else None
    known = year is not None and year.isdigit()
    return {
        "collection": step.collection,
        "id": coordinates.id,
        "title": step.title.format_map(titles) if step.title else coordinates.id,
        "start": f"{year if known else pipeline.time.start}-01-01T00:00:00Z",
        "end": f"{year if known else pipeline.time.end}-12-31T23:59:59Z",
        "properties": {
            f"thalweg:{name}": value for name, value in coordinates.items() if value != NONE
        },
        "lineage": f"{pipeline.title}: {step_name} of {{inputs}} files by Thalweg",
        "special": [one.model_dump(mode="json") for one in pipeline.pixels.special],
    }


def item_of(artifact: Artifact, plan: Document, zone: Zone) -> Document:
    """The STAC item of an artifact; the same inputs give the same item, byte for byte."""
    made = Made.from_json(artifact.facts)
    special = tuple(
        SpecialValue(one.value, one.meaning)
        for one in (SpecialModel(**document) for document in plan["special"])
        if not one.as_nodata
    )
    raster = RasterAsset(
        href=zone.href(artifact.key),
        size=artifact.size,
        checksum=artifact.checksum,
        grid=made.grid,
        bands=tuple(
            Band(
                name=band.description,
                dtype=made.dtype,
                nodata=made.nodata,
                unit=made.unit,
                statistics=stac_statistics(band.statistics),
                percentiles=stac_percentiles(band.statistics),
                properties={name: _number(value) for name, value in band.tags},
            )
            for band in made.bands
        ),
        special=special,
    )
    return build_item(
        plan["id"],
        plan["collection"],
        raster,
        start=plan["start"],
        end=plan["end"],
        properties={"title": plan["title"], **plan["properties"]},
        lineage=plan["lineage"].format(inputs=len(artifact.inputs)),
        software={"thalweg": __version__},
    )


def collection_of(pipeline: Pipeline, step: CatalogStep, items: Iterable[Document]) -> Document:
    """The STAC collection of a pipeline's items."""
    return build_collection(
        step.collection,
        items,
        title=pipeline.title,
        description=" ".join(pipeline.description.split()),
        license=pipeline.license,
        providers=[one.model_dump(mode="json", exclude_none=True) for one in pipeline.providers],
        keywords=pipeline.keywords,
    )


def _number(text: str) -> float | int | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number
