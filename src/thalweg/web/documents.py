"""What pages need to know of STAC documents, whichever backend has them."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi.concurrency import run_in_threadpool

from thalweg.api.raster.rendering import is_depth
from thalweg.api.raster.source import RETURN_PERIOD
from thalweg.api.services import Services
from thalweg.catalog.ledger import Document
from thalweg.catalog.stac import DATA_ASSET


async def collections_of(services: Services) -> list[Document]:
    """All collections, ordered by id."""
    if services.database is None:
        return await run_in_threadpool(services.catalog.collections)
    async with services.database.connection() as connection:
        found: Any = await connection.fetchval("SELECT all_collections()")
    documents = found if isinstance(found, list) else orjson.loads(found or "[]")
    return sorted(documents, key=lambda one: one["id"])


def bands_of(item: Document) -> list[Document]:
    """The bands of an item's data; empty where it is no raster."""
    bands: list[Document] = item["assets"].get(DATA_ASSET, {}).get("bands") or []
    return bands


def depth_bands(item: Document) -> list[Document]:
    """The bands that are depths of floods, by return period."""
    return sorted(filter(is_depth, bands_of(item)), key=lambda band: band[RETURN_PERIOD])


def union(boxes: list[list[float]]) -> tuple[float, float, float, float]:
    """The box around some boxes."""
    wests, souths, easts, norths = zip(*boxes, strict=True)
    return min(wests), min(souths), max(easts), max(norths)
