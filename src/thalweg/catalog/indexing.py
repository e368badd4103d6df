"""What the catalogue knows of an item beside its document, to find it by."""

from __future__ import annotations

from typing import Any

from thalweg.catalog.geometries import shape_of, spans_of
from thalweg.catalog.moments import moment

type Document = dict[str, Any]


def indexed(item: Document) -> tuple[str | None, str | None]:
    """The first and last moment of an item, as `moment` writes them; None where it tells none."""
    properties = item.get("properties", {})
    one = properties.get("datetime")
    times = [properties.get(name) or one for name in ("start_datetime", "end_datetime")]
    starts, ends = (moment(time) if time else None for time in times)
    return starts, ends


def box_rows(number: int, item: Document) -> list[tuple[int, float, float, float, float]]:
    """The rows of the R*Tree of an item: one, or two over the antimeridian; none without a place.

    Row `2 n` and `2 n + 1` belong to item `n`.
    """
    bbox = item.get("bbox")
    if bbox is None and item.get("geometry"):
        bbox = shape_of(item["geometry"]).bounds
    return [(2 * number + part, *span) for part, span in enumerate(spans_of(bbox) if bbox else ())]
