"""`/features`: OGC API Features and Tiles, the same over both backends."""

from __future__ import annotations

import warnings
from typing import Any

from fastapi import APIRouter, FastAPI
from tipg.errors import NotFound

from thalweg.api.parts import Part
from thalweg.api.services import Services

PREFIX = "/features"
TITLE = "OGC API: features and vector tiles"


def install(app: FastAPI, services: Services) -> None:
    """Adds tipg's routes over the service's backend."""
    from morecantile import tms
    from morecantile.defaults import TileMatrixSets
    from morecantile.errors import PointOutsideTMSBounds

    from thalweg.api.features.endpoints import FeaturesEndpoints
    from thalweg.api.features.requests import collection_of, collections_of
    from thalweg.api.pages import templates

    # Of corners of collections that reach the poles; tipg cuts off what lies beyond.
    warnings.filterwarnings("ignore", category=PointOutsideTMSBounds)
    _set_pool(app, services)
    # tipg's types know no asynchronous dependencies.
    given: dict[str, Any] = {
        "collection_dependency": collection_of,
        "collections_dependency": collections_of,
    }
    made = FeaturesEndpoints(
        router=APIRouter(),
        title="Thalweg: features",
        router_prefix=PREFIX,
        templates=templates(with_crumbs=True),
        with_tiles_viewer=False,
        **given,
        supported_tms=TileMatrixSets({"WebMercatorQuad": tms.get("WebMercatorQuad")}),
    )
    app.include_router(made.router, prefix=PREFIX)


def _set_pool(app: FastAPI, services: Services) -> None:
    """Where tipg's routes look for connections."""
    if services.database is None:
        from thalweg.api.features.embedded import Embedded
        from thalweg.features.geopackage import GeoPackages
        from thalweg.features.stores import FOLDER

        app.state.pool = Embedded(GeoPackages(services.workspace.folder / FOLDER))
        return
    from thalweg.api.features.postgres import Postgres

    app.state.pool = Postgres(services.database)
    services.checks["features"] = app.state.pool.check


FEATURES = Part(PREFIX, TITLE, install, statuses={NotFound: 404}, free_parameters=True)
