"""Where artifacts lie in their zone."""

from __future__ import annotations

from thalweg.domain.coordinates import Coordinates
from thalweg.pipelines.fields import CELL
from thalweg.pipelines.schema import Pipeline


def key_stem(pipeline: Pipeline, step: str, coordinates: Coordinates) -> str:
    """`pipeline/step/place/id` without the place in the id, or `pipeline/step/id` without one.

    So all layers of a place lie side by side: `fathom/mosaic/s04e028/rwa-fluvial-…`.
    """
    places = {pipeline.tile_dimension or "", CELL}
    names = [name for name in coordinates if name in places]
    parts = [pipeline.name, step, *(coordinates[name] for name in names)]
    return "/".join([*parts, coordinates.without(*names).id])
