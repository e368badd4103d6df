"""What a STAC item will say, as far as it is known before its file is made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from thalweg.domain.coordinates import NONE, Coordinates
from thalweg.jobs.tasks import Document
from thalweg.pipelines.fields import H3_RESOLUTION, REPORT, TABLE
from thalweg.pipelines.schema import Pipeline, value_titles
from thalweg.pipelines.steps import (
    CatalogStep,
    ExposureStep,
    HexagonsStep,
    HexagonsVectorStep,
)


def catalog_step_of(pipeline: Pipeline, step_name: str) -> CatalogStep | None:
    """The step that catalogues what another step makes, if there is one."""
    return next(
        (one for one in pipeline.steps if isinstance(one, CatalogStep) and one.of == step_name),
        None,
    )


def item_plan(pipeline: Pipeline, step_name: str, coordinates: Coordinates) -> Document | None:
    """What an item will say, as far as it is known before the file is made; JSON.

    None where no step catalogues it, and for reports of what was left out.
    """
    step = catalog_step_of(pipeline, step_name)
    if step is None or coordinates.get(TABLE) == REPORT:
        return None
    dimensions = pipeline.domain_dimensions
    titles = value_titles(dimensions, coordinates.to_json())
    titles.setdefault(TABLE, f"H3 resolution {titles.get(H3_RESOLUTION)}")
    year = coordinates.get(pipeline.time.year) if pipeline.time.year else None
    known = year is not None and year.isdigit()
    return {
        "collection": step.collection,
        "id": item_id(coordinates),
        "title": step.title.format_map(titles) if step.title else item_id(coordinates),
        "start": f"{year if known else pipeline.time.start}-01-01T00:00:00Z",
        "end": f"{year if known else pipeline.time.end}-12-31T23:59:59Z",
        "properties": {
            f"thalweg:{name}": int(value) if name == H3_RESOLUTION else value
            for name, value in {**_of_table(pipeline, step_name), **coordinates.to_json()}.items()
            if value != NONE
        },
        "lineage": f"{pipeline.title}: {step_name} of {{inputs}} files by Thalweg",
        "special": [one.model_dump(mode="json") for one in pipeline.special],
    }


def table_item_plans(pipeline: Pipeline, step_name: str, tables: Iterable[Coordinates]) -> Document:
    """What the items of tables will say, by the ids of their coordinates."""
    return {one.id: item_plan(pipeline, step_name, one) for one in tables}


def at_resolution(coordinates: Coordinates, resolution: int) -> Coordinates:
    """The coordinates of a table among those of all resolutions."""
    return Coordinates((*coordinates.items(), (H3_RESOLUTION, str(resolution))))


def item_id(coordinates: Coordinates) -> str:
    """The id of an item: that of the coordinates, in which a table's resolution 6 is r6."""
    resolution = coordinates.get(H3_RESOLUTION)
    rest = coordinates.without(H3_RESOLUTION).id
    return rest if resolution is None else "-".join(filter(None, [rest, f"r{resolution}"]))


def _of_table(pipeline: Pipeline, step_name: str) -> dict[str, Any]:
    """What a table is filed under, and by which rule it was counted."""
    step = pipeline.step(step_name)
    if isinstance(step, HexagonsStep):
        theme = step.theme or pipeline.theme.id
        return {"theme": theme, "dataset": pipeline.name, "rule": step.rule}
    if isinstance(step, HexagonsVectorStep):
        return {"theme": step.theme, "rule": step.rule}
    if isinstance(step, ExposureStep):
        told = step.model_dump(mode="json", include={"theme", "rule", "buffer_m", "thresholds"})
        return {**told, "dataset": step.dataset_of(pipeline.name)}
    return {}
