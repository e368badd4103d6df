"""What happens to every request for features."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.responses import StreamingResponse
from tipg.collections import Collection, CollectionList
from tipg.dependencies import s_intersects

from thalweg.api.features.asked import bbox_query, datetime_query
from thalweg.api.parameters import check_parameters
from thalweg.features.tables import GEOMETRY

_HEADER = ("collectionId", "itemId")


async def collection_of(
    request: Request,
    collectionId: Annotated[str, Path(description="The id of a collection.")],  # noqa: N803 - tipg's name
) -> Collection:
    """The collection of a path, as its table is now; raises `FeatureTableNotFound`.

    Raises `UnknownParameter` for what is neither documented nor a property of its features.
    """
    found: Collection = await request.app.state.pool.collection(collectionId)
    filtered = request.url.path.endswith("/items") or "/tiles/" in request.url.path
    columns = (one.name for one in found.properties if one.name != GEOMETRY)
    check_parameters(request, columns if filtered else ())
    request.state.collection = found
    return found


async def collections_of(
    request: Request,
    bbox: Annotated[list[float] | None, Depends(bbox_query)],
    datetime: Annotated[list[str] | None, Depends(datetime_query)],  # noqa: ARG001 - none has times
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> CollectionList:
    """The collections that touch a box."""
    check_parameters(request)
    found = [
        one
        for one in await request.app.state.pool.collections()
        if bbox is None or s_intersects(bbox, one.bounds)
    ]
    shown = found[offset : offset + limit]
    beyond = offset + len(shown)
    return CollectionList(
        collections=shown,
        matched=len(found),
        next=beyond if shown and beyond < len(found) else None,
        prev=max(offset - limit, 0) if offset else None,
    )


class FeatureRoute(APIRoute):
    """A route whose CSV has a header even where nothing was found: tipg's breaks off there."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            answer = await handle(request)
            if isinstance(answer, StreamingResponse) and answer.media_type == "text/csv":
                await _begin(answer, request.state.collection)
            return answer

        return handled


async def _begin(answer: StreamingResponse, collection: Collection) -> None:
    """Takes the first line, which tells whether there is one."""
    rows = answer.body_iterator
    try:
        first = await anext(aiter(rows))
    except (RuntimeError, StopAsyncIteration):
        answer.body_iterator = _one(",".join([*_HEADER, *collection.columns()]) + "\r\n")
        return
    answer.body_iterator = _with(first, rows)


async def _one(line: str) -> AsyncIterator[str]:
    yield line


async def _with(first: Any, rows: Any) -> AsyncIterator[Any]:
    yield first
    async for row in rows:
        yield row
