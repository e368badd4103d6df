"""The STAC items and collection of a pipeline: what its artifacts are, in the field's words."""

from __future__ import annotations

from collections.abc import Iterable

from thalweg import __version__
from thalweg.catalog.collections import build_collection
from thalweg.catalog.ledger import PARQUET_MEDIA_TYPE, Artifact
from thalweg.catalog.stac import (
    Band,
    RasterAsset,
    TableAsset,
    build_item,
    build_table_item,
    stac_percentiles,
    stac_statistics,
)
from thalweg.domain.pixels import SpecialValue
from thalweg.domain.tables import TableFacts
from thalweg.jobs.tasks import Document
from thalweg.pipelines.schema import Pipeline, SpecialModel
from thalweg.pipelines.steps import CatalogStep
from thalweg.raster.made import Made
from thalweg.storage.zones import Zone

# What a collection holds, behind the title of its pipeline.
_HELD = {
    "stack": "",
    "mosaic": "",
    "hexagons": ", by H3 cell",
    "hexagons_vector": ", by H3 cell",
    "buildings": ": buildings",
    "exposure": ": buildings exposed",
}


def item_of(artifact: Artifact, plan: Document, zone: Zone) -> Document:
    """The STAC item of a raster or a table; the same inputs give the same item, byte for byte."""
    told = {
        "start": plan["start"],
        "end": plan["end"],
        "properties": {"title": plan["title"], **plan["properties"]},
        "lineage": plan["lineage"].format(inputs=len(artifact.inputs)),
        "software": {"thalweg": __version__},
    }
    if artifact.media_type == PARQUET_MEDIA_TYPE:
        table = _table(artifact, zone)
        return build_table_item(plan["id"], plan["collection"], table, **told)
    return build_item(plan["id"], plan["collection"], _raster(artifact, plan, zone), **told)


def _table(artifact: Artifact, zone: Zone) -> TableAsset:
    facts = TableFacts.from_json(artifact.facts["table"])
    return TableAsset(zone.href(artifact.key), artifact.size, artifact.checksum, facts)


def _raster(artifact: Artifact, plan: Document, zone: Zone) -> RasterAsset:
    made = Made.from_json(artifact.facts)
    special = tuple(
        SpecialValue(one.value, one.meaning)
        for one in (SpecialModel(**document) for document in plan["special"])
        if not one.as_nodata
    )
    return RasterAsset(
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


def collection_of(pipeline: Pipeline, step: CatalogStep, items: Iterable[Document]) -> Document:
    """The STAC collection of a pipeline's items."""
    held = _HELD[pipeline.step(step.of).operator]
    return build_collection(
        step.collection,
        items,
        title=f"{pipeline.title}{held}",
        description=" ".join(pipeline.description.split()),
        license=pipeline.license,
        providers=[one.model_dump(mode="json", exclude_none=True) for one in pipeline.providers],
        keywords=pipeline.keywords,
        citation=pipeline.citation,
    )


def _number(text: str) -> float | int | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number
