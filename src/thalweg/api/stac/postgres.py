"""STAC from pgSTAC, through stac-fastapi.pgstac; what goes there is checked before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import asyncpg
import attr
import orjson
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from stac_fastapi.api.models import create_post_request_model
from stac_fastapi.extensions import SearchFilterExtension, TokenPaginationExtension
from stac_fastapi.extensions.sort import SearchSortExtension
from stac_fastapi.pgstac.core import CoreCrudClient
from stac_fastapi.pgstac.db import translate_pgstac_errors
from stac_fastapi.pgstac.extensions import FiltersClient
from stac_fastapi.pgstac.models.links import ItemCollectionLinks
from stac_fastapi.pgstac.types.search import PgstacSearch
from stac_fastapi.types.errors import NotFoundError

from thalweg.api.files import with_served_assets
from thalweg.api.services import Services
from thalweg.api.stac import asked
from thalweg.api.stac.asked import Asked
from thalweg.api.stac.fields import answer, only_fields
from thalweg.api.stac.links import Browseable, queryables_link
from thalweg.catalog.item_search import ItemSearch
from thalweg.catalog.ledger import Document
from thalweg.catalog.moments import EVER, NEVER
from thalweg.catalog.statements import no_collection, no_item
from thalweg.errors import InvalidRequest

_MODEL = create_post_request_model(
    [SearchSortExtension(), SearchFilterExtension(), TokenPaginationExtension()],
    base_model=PgstacSearch,
)


@asynccontextmanager
async def opened(app: FastAPI, services: Services) -> AsyncIterator[None]:
    """Gives stac-fastapi.pgstac the connections of the service's own pools."""
    database = services.database
    assert database is not None

    @asynccontextmanager
    async def connection(
        _request: Request, readwrite: Literal["r", "w"] = "r"
    ) -> AsyncIterator[asyncpg.Connection]:
        with translate_pgstac_errors():
            async with database.connection(writing=readwrite == "w") as connected:
                try:
                    yield connected
                except (asyncpg.RaiseError, asyncpg.DataError) as error:
                    raise InvalidRequest(_first_line(error)) from error
                except asyncpg.UndefinedFunctionError as error:
                    raise InvalidRequest("values of these types cannot be compared") from error

    app.state.get_connection = connection
    yield


@attr.s
class PostgresClient(Browseable, CoreCrudClient):  # type: ignore[misc]
    """stac-fastapi.pgstac's client, asked in one spelling, whatever the request's was."""

    async def all_collections(self, request: Request, **given: Any) -> Document | JSONResponse:
        wanted = asked.of_parameters(request, **given)
        condition = _with_place(wanted.search)
        found: Document = await super().all_collections(
            request,
            datetime=_interval(wanted.search),
            limit=wanted.search.limit,
            offset=wanted.offset,
            sortby=[f"{'-' if one.descending else '+'}{one.name}" for one in wanted.search.sort],
            filter_expr=orjson.dumps(condition).decode() if condition is not None else None,
            filter_lang="cql2-json",
        )
        found["collections"] = [
            only_fields(with_served_assets(request, one), wanted) for one in found["collections"]
        ]
        return answer(wanted, found)

    async def get_collection(self, collection_id: str, request: Request, **_: Any) -> Document:
        try:
            found: Document = await super().get_collection(collection_id, request)
        except NotFoundError as error:
            raise no_collection(collection_id) from error
        links = [one for one in found["links"] if not one["rel"].endswith("queryables")]
        served = with_served_assets(request, found)
        return {**served, "links": [*links, queryables_link(request, collection_id)]}

    async def get_item(
        self, item_id: str, collection_id: str, request: Request, **_: Any
    ) -> Document:
        try:
            found: Document = await super().get_item(item_id, collection_id, request)
        except NotFoundError as error:
            raise no_item(collection_id, item_id) from error
        return with_served_assets(request, whole(found))

    async def item_collection(
        self, collection_id: str, request: Request, **given: Any
    ) -> Document | JSONResponse:
        await self.get_collection(collection_id, request)
        wanted = asked.of_parameters(request, collections=[collection_id], **given)
        found = await self._found(request, wanted)
        links = ItemCollectionLinks(collection_id=collection_id, request=request)
        return answer(wanted, {**found, "links": await links.get_links(found["links"])})

    async def get_search(self, request: Request, **given: Any) -> Document | JSONResponse:
        wanted = asked.of_parameters(request, **given)
        return answer(wanted, await self._found(request, wanted))

    async def post_search(self, _model: Any, request: Request, **_: Any) -> Document | JSONResponse:
        wanted = await asked.of_body(request)
        return answer(wanted, await self._found(request, wanted))

    async def _found(self, request: Request, wanted: Asked) -> Document:
        search = _MODEL(**as_pgstac(wanted.search))
        found: Document = await super().post_search(search, request)
        served = [with_served_assets(request, whole(one)) for one in found["features"]]
        features = [only_fields(one, wanted) for one in served]
        return {**found, "features": features}


@attr.s
class PostgresFilters(FiltersClient):  # type: ignore[misc]
    """The queryables of pgSTAC."""

    async def get_queryables(
        self, request: Request, collection_id: str | None = None, **_: Any
    ) -> Document:
        try:
            found: Document = await super().get_queryables(request, collection_id)
        except NotFoundError as error:
            raise no_collection(str(collection_id)) from error
        return found


def as_pgstac(search: ItemSearch) -> Document:
    """A search as pgSTAC takes it; without what is not asked for."""
    said: Document = {
        "collections": search.collections and list(search.collections),
        "ids": search.ids and list(search.ids),
        "intersects": search.place,
        "datetime": _interval(search),
        "filter": search.filter,
        "sortby": [
            {"field": one.name, "direction": "desc" if one.descending else "asc"}
            for one in search.sort
        ],
        "token": search.token,
    }
    return {"limit": search.limit, **{name: value for name, value in said.items() if value}}


def _interval(search: ItemSearch) -> str | None:
    if search.times is None:
        return None
    first, last = search.times
    return f"{'..' if first == EVER else first}/{'..' if last == NEVER else last}"


def _with_place(search: ItemSearch) -> Any:
    """The filter of collections: pgSTAC takes no box over the antimeridian but as a geometry."""
    if search.place is None:
        return search.filter
    inside = {"op": "s_intersects", "args": [{"property": "geometry"}, search.place]}
    return {"op": "and", "args": [inside, search.filter]} if search.filter else inside


def whole(item: Document) -> Document:
    """pgSTAC leaves out what is null, but STAC wants `datetime` even then."""
    if "datetime" in item["properties"]:
        return item
    return {**item, "properties": {**item["properties"], "datetime": None}}


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
