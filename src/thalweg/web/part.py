"""The pages, and what they are made of, as a part of the service."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from thalweg.api import openapi
from thalweg.api.app import PARTS as API
from thalweg.api.app import create_app
from thalweg.api.caching import IMMUTABLE_SECONDS
from thalweg.api.parts import Part
from thalweg.api.services import Services
from thalweg.api.tables.held import opened
from thalweg.pipelines.workspace import Workspace
from thalweg.settings import Settings
from thalweg.web import basemap, catalogue, docs, flood, hexagons, home
from thalweg.web.pages import error_page
from thalweg.web.pipelines import Pipelines
from thalweg.web.vendor import STATIC_FOLDER

TITLE = "the pages: what is here, search, floods and hexagons on a map"


class _Static(StaticFiles):
    """Files that pages name by a stamp (`?v=`) may be kept, for with others the stamp changes."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        stamped = scope["query_string"].startswith(b"v=")
        age = f"max-age={IMMUTABLE_SECONDS}, immutable" if stamped else "no-cache"
        response.headers["Cache-Control"] = f"public, {age}" if stamped else age
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def install(app: FastAPI, services: Services) -> None:
    """Adds the pages, the tiles of the base map, and the static files."""
    app.state.error_page = error_page
    app.state.pipelines = Pipelines(services.workspace)
    for room in (home, catalogue, flood, hexagons, basemap):
        app.include_router(room.router)
    # No route of FastAPI's: what the service takes is told without a key, as in /openapi.json.
    app.add_route("/docs", docs.page, name=openapi.DOCS, include_in_schema=False)
    app.mount("/static", _Static(directory=STATIC_FOLDER), name="static")


WEB = Part("/", TITLE, install, opened)
PARTS = (WEB, *API)


def create_site(workspace: Workspace, settings: Settings) -> FastAPI:
    """The service over a workspace with its pages."""
    return create_app(workspace, settings, PARTS)
