"""What happens to every request for features."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any, get_args

from fastapi import Depends, Path, Query, Request, Response, params
from fastapi.routing import APIRoute
from starlette.responses import StreamingResponse
from tipg import dependencies
from tipg.collections import Collection, CollectionList

from thalweg.api.features.asked import bbox_query, datetime_query, filter_query
from thalweg.api.parameters import check_parameters
from thalweg.errors import InvalidRequest
from thalweg.features.tables import GEOMETRY

_ZOOM = Query(ge=0, le=24, description="Another zoom than the tile matrix set's own.")
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
    _check_geometry_column(request)
    request.state.collection = found
    return found


def _check_geometry_column(request: Request) -> None:
    """Raises `InvalidRequest`: tipg breaks off at a column that there is not."""
    held = (GEOMETRY,) if "/tiles/" in request.url.path else (GEOMETRY, "none")
    if request.query_params.get("geom-column", GEOMETRY) not in held:
        raise InvalidRequest("geom-column names no column of geometries", hint=" or ".join(held))


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
        if bbox is None or dependencies.s_intersects(bbox, one.bounds)
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
    """A route of tipg's that reads parameters our way, and whose CSV has a header even where
    nothing was found: tipg's breaks off there."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **given: Any) -> None:
        # FastAPI's own overriding would read their signatures anew in every request.
        signature = inspect.signature(endpoint)
        ours = [_ours(one) for one in signature.parameters.values()]
        endpoint.__signature__ = signature.replace(parameters=ours)  # type: ignore[attr-defined]
        super().__init__(path, endpoint, **given)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            answer = await handle(request)
            if isinstance(answer, StreamingResponse) and answer.media_type == "text/csv":
                await _begin(answer, request.state.collection)
            return answer

        return handled


def _ours(parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter, with our dependency in the place of tipg's, and zooms that there are."""
    if parameter.name in ("minzoom", "maxzoom"):
        return parameter.replace(annotation=Annotated[int | None, _ZOOM])
    told, *more = get_args(parameter.annotation) or (parameter.annotation,)
    if not more or not isinstance(more[0], params.Depends):
        return parameter
    function = _IN_PLACE_OF.get(more[0].dependency)
    return (
        parameter.replace(annotation=Annotated[told, Depends(function)]) if function else parameter
    )


_IN_PLACE_OF: dict[Any, Callable[..., Any]] = {
    dependencies.filter_query: filter_query,
    dependencies.bbox_query: bbox_query,
    dependencies.datetime_query: datetime_query,
}


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
