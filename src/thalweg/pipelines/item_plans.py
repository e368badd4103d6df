"""What a STAC item will say, as far as it is known before its file is made."""

from __future__ import annotations

from thalweg.domain.coordinates import NONE, Coordinates
from thalweg.jobs.tasks import Document
from thalweg.pipelines.schema import CatalogStep, Pipeline, value_titles


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
