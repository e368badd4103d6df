"""The service: one FastAPI application, in which every part has a prefix of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware

from thalweg import __version__
from thalweg.api import health, metrics, openapi
from thalweg.api.access import reading_allowed
from thalweg.api.errors import install_error_handlers
from thalweg.api.exposure import EXPOSURE
from thalweg.api.features.part import FEATURES
from thalweg.api.files import FILES
from thalweg.api.flood import FLOOD
from thalweg.api.hexagons import HEXAGONS
from thalweg.api.limits import Limits
from thalweg.api.parameters import refuse_unknown_parameters
from thalweg.api.parts import Part
from thalweg.api.public_url import PublicUrl
from thalweg.api.raster.part import RASTER
from thalweg.api.raster.query import RASTER_QUERIES
from thalweg.api.requests import Requests
from thalweg.api.services import Services
from thalweg.api.stac.part import STAC
from thalweg.pipelines.workspace import Workspace
from thalweg.settings import ServeSettings, Settings

PARTS: tuple[Part, ...] = (
    STAC,
    RASTER,
    RASTER_QUERIES,
    FLOOD,
    FEATURES,
    HEXAGONS,
    EXPOSURE,
    FILES,
)
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_SENT = ["Authorization", "Content-Type", "If-Match", "If-None-Match", "Range", "X-API-Key"]
_SHOWN = ["Content-Range", "ETag", "Link", "Retry-After", "X-Request-ID"]


def create_app(workspace: Workspace, settings: Settings, parts: Sequence[Part] = PARTS) -> FastAPI:
    """The service over a workspace; with `settings.database_url`, over that database too.

    Nothing is opened before the application starts: a database that is away then is a 503, and is
    used as soon as it is back.
    """
    services = Services(workspace, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            await opened.enter_async_context(services.opened())
            for part in parts:
                await opened.enter_async_context(part.opened(app, services))
            yield

    app = FastAPI(
        title="Thalweg",
        summary="Earth data, catalogued, verified and served",
        version=__version__,
        lifespan=lifespan,
        # Pages above this room show the document; FastAPI's own are made of code from elsewhere.
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(reading_allowed), Depends(refuse_unknown_parameters)],
        separate_input_output_schemas=False,
    )
    app.state.services = services
    health.install(app)
    metrics.install(app)
    for part in parts:
        part.install(app, services)
    app.state.free_parameters = tuple(part.prefix for part in parts if part.free_parameters)
    openapi.install(app, parts)
    # After the parts: libraries bring handlers of their own, and there is to be one error body.
    install_error_handlers(
        app, {kind: code for part in parts for kind, code in part.statuses.items()}
    )
    _add_middleware(app, settings.serve)
    return app


def _add_middleware(app: FastAPI, settings: ServeSettings) -> None:
    """Whatever is added last sees a request first."""
    app.add_middleware(Limits, settings=settings)
    app.add_middleware(Requests)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_credentials="*" not in settings.cors_origins,
        allow_methods=_METHODS,
        allow_headers=_SENT,
        expose_headers=_SHOWN,
        max_age=600,
    )
    if settings.public_url:
        app.add_middleware(PublicUrl, url=settings.public_url)
