"""`/stac`: the STAC API, the same over both backends."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from stac_fastapi.types.errors import (
    ConflictError,
    ForeignKeyError,
    InvalidQueryParameter,
    NotFoundError,
)

from thalweg import __version__
from thalweg.api.access import require
from thalweg.api.parts import Part
from thalweg.api.services import Services
from thalweg.catalog.stac import STAC_VERSION
from thalweg.settings import Role

PREFIX = "/stac"
LANDING_PAGE = "thalweg"
TITLE = "STAC API: search, collections, items"
# It warns of defaults as it is imported, before any setting of ours is there.
logging.getLogger("stac_fastapi.types.config").setLevel(logging.ERROR)


def install(app: FastAPI, services: Services) -> None:
    """Adds the STAC API over the service's backend."""
    from stac_fastapi.api.app import StacApi
    from stac_fastapi.api.models import (
        ItemCollectionUri,
        JSONResponse,
        create_get_request_model,
        create_post_request_model,
        create_request_model,
    )
    from stac_fastapi.extensions import (
        CollectionSearchExtension,
        CollectionSearchFilterExtension,
        FieldsExtension,
        ItemCollectionFilterExtension,
        OffsetPaginationExtension,
        TokenPaginationExtension,
    )
    from stac_fastapi.extensions.fields import FieldsConformanceClasses
    from stac_fastapi.extensions.sort import (
        CollectionSearchSortExtension,
        ItemCollectionSortExtension,
        SearchSortExtension,
    )
    from stac_fastapi.pgstac.config import Settings
    from stac_fastapi.pgstac.extensions import QueryExtension
    from stac_fastapi.pgstac.types.search import PgstacSearch

    from thalweg.api.stac.offered import CORE, FILTER, ITEM_FILTER, SORT, FilterExtension

    filters, client = _clients(services)
    search = [
        QueryExtension(),
        SearchSortExtension(conformance_classes=SORT),
        FieldsExtension(),
        FilterExtension(client=filters, conformance_classes=FILTER),
        TokenPaginationExtension(),
    ]
    items = [
        ItemCollectionSortExtension(),
        FieldsExtension(conformance_classes=[FieldsConformanceClasses.ITEMS]),
        ItemCollectionFilterExtension(client=filters, conformance_classes=ITEM_FILTER),
        TokenPaginationExtension(),
    ]
    collections = CollectionSearchExtension.from_extensions(
        [
            CollectionSearchSortExtension(),
            FieldsExtension(conformance_classes=[FieldsConformanceClasses.COLLECTIONS]),
            CollectionSearchFilterExtension(client=filters),
            OffsetPaginationExtension(),
        ]
    )
    post = create_post_request_model(search, base_model=PgstacSearch)
    settings = Settings(
        _env_file=None,
        stac_fastapi_title=app.title,
        stac_fastapi_description=str(app.summary),
        stac_fastapi_version=__version__,
        stac_fastapi_landing_id=LANDING_PAGE,
        openapi_url=str(app.openapi_url),
        docs_url=str(app.docs_url),
    )
    StacApi(
        app=app,
        router=APIRouter(prefix=PREFIX, tags=["STAC"]),
        settings=settings,
        extensions=[*search, *items, collections, *_transactions(services, settings)],
        client=client(landing_page_id=LANDING_PAGE, base_conformance_classes=CORE),
        stac_version=STAC_VERSION,
        exceptions={},
        response_class=JSONResponse,
        middlewares=[],
        search_get_request_model=create_get_request_model(search),
        search_post_request_model=post,
        items_get_request_model=create_request_model(
            "ItemCollectionUri", ItemCollectionUri, items, request_type="GET"
        ),
        collections_get_request_model=collections.GET,
    )


def _clients(services: Services) -> tuple[Any, Any]:
    """The client of queryables, and the class of the client of all else."""
    if services.database is None:
        from thalweg.api.stac.embedded import EmbeddedClient, EmbeddedFilters

        return EmbeddedFilters(), EmbeddedClient
    from thalweg.api.stac.postgres import PostgresClient, PostgresFilters

    return PostgresFilters(), PostgresClient


def _transactions(services: Services, settings: Any) -> list[Any]:
    """Writing, for operators, where it is switched on."""
    if not services.settings.serve.transactions:
        return []
    from stac_fastapi.api.models import JSONResponse
    from stac_fastapi.extensions import TransactionExtension

    from thalweg.api.stac.transactions import client_of

    return [
        TransactionExtension(
            client=client_of(services),
            settings=settings,
            response_class=JSONResponse,
            router=APIRouter(dependencies=[Depends(require(Role.OPERATOR))]),
        )
    ]


@asynccontextmanager
async def opened(app: FastAPI, services: Services) -> AsyncIterator[None]:
    """Holds what the backend needs."""
    if services.database is None:
        yield
        return
    from thalweg.api.stac import postgres

    async with postgres.opened(app, services):
        yield


STATUSES: dict[type[Exception], int] = {
    ConflictError: 409,
    ForeignKeyError: 404,  # the collection of an item is not there
    InvalidQueryParameter: 400,
    NotFoundError: 404,
}
STAC = Part(PREFIX, TITLE, install, opened, STATUSES)
