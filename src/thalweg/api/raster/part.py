"""`/raster`: titiler's paths, by ids of the catalogue."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, FastAPI, Request
from rasterio.errors import CRSError
from rio_tiler.errors import (
    EmptyMosaicError,
    InvalidFormat,
    NoAssetFoundError,
    PointOutsideBounds,
    RioTilerError,
    TileOutsideBounds,
)
from titiler.core.factory import ColorMapFactory, TilerFactory, TMSFactory
from titiler.extensions.wmts import wmtsExtension
from titiler.mosaic.factory import MosaicTilerFactory

from thalweg.api.pages import templates
from thalweg.api.parts import Part
from thalweg.api.raster import by_query, legend
from thalweg.api.raster.checks import TILE_MATRIX_SETS, check_picture, check_request
from thalweg.api.raster.colormaps import COLORMAPS
from thalweg.api.raster.conditional import ConditionalRoute
from thalweg.api.raster.parameters import (
    Bands,
    Rendering,
    Resampling,
    colormap_of,
    first,
    no_process,
)
from thalweg.api.raster.paths import collection_mosaic, item_raster, search_id, search_mosaic
from thalweg.api.raster.reader import CatalogReader, MosaicBackend, gdal_environment
from thalweg.api.raster.rendering import rendered
from thalweg.api.services import Services
from thalweg.api.stac import asked

PREFIX = "/raster"
TITLE = "tiles, statistics and values of rasters and mosaics"
ITEM = f"{PREFIX}/collections/{{collection_id}}/items/{{item_id}}"
COLLECTION = f"{PREFIX}/collections/{{collection_id}}"
SEARCH = f"{PREFIX}/searches/{{search_id}}"


def install(app: FastAPI, services: Services) -> None:
    """Adds titiler's routers."""
    shared = _shared(services)
    wmts = wmtsExtension(
        tile_dependencies=[
            shared[name]
            for name in (
                "layer_dependency",
                "dataset_dependency",
                "colormap_dependency",
                "render_dependency",
            )
        ],
        layer_identifier_provider=lambda raster: raster.item,
    )
    items = TilerFactory(
        router=_router(),
        router_prefix=ITEM,
        name="raster.item",
        reader=CatalogReader,
        path_dependency=item_raster,
        extensions=[wmts],
        **shared,
    )
    legend.install(items.router)
    app.include_router(items.router, prefix=ITEM, tags=["Raster of an item"])
    _install_mosaics(app, shared)
    pages = shared["templates"]
    tms = TMSFactory(supported_tms=TILE_MATRIX_SETS, router_prefix=PREFIX, templates=pages)
    app.include_router(tms.router, prefix=PREFIX, tags=["Tiling schemes and colormaps"])
    maps = ColorMapFactory(
        router=APIRouter(dependencies=[Depends(check_picture)]),
        supported_colormaps=COLORMAPS,
        router_prefix=PREFIX,
        templates=pages,
    )
    app.include_router(maps.router, prefix=PREFIX, tags=["Tiling schemes and colormaps"])
    app.include_router(by_query.router, prefix=PREFIX)


def _install_mosaics(app: FastAPI, shared: dict[str, Any]) -> None:
    for prefix, path, what in (
        (COLLECTION, collection_mosaic, "collection"),
        (SEARCH, search_mosaic, "search"),
    ):
        mosaics = MosaicTilerFactory(
            router=_router(),
            router_prefix=prefix,
            name=f"raster.{what}",
            backend=MosaicBackend,
            dataset_reader=CatalogReader,
            path_dependency=path,
            pixel_selection_dependency=first,
            add_part=True,
            add_statistics=True,
            **shared,
        )
        app.include_router(
            mosaics.router,
            prefix=prefix,
            tags=[f"Mosaic of a {what}"],
            responses={204: {"description": "A tile with nothing on it"}},
        )

    @app.post(f"{PREFIX}/searches/register", tags=["Mosaic of a search"])
    def register_search(
        request: Request,
        search: Annotated[dict[str, Any], Body(examples=[{"collections": ["fathom-flood-depth"]}])],
    ) -> dict[str, Any]:
        """Give a search an id, to be asked for as one mosaic."""
        asked.of_json(request, {k: v for k, v in search.items() if k != "metadata"})
        identity = search_id(search)
        base = f"{str(request.base_url).rstrip('/')}{PREFIX}/searches/{identity}"
        return {
            "id": identity,
            "links": [
                {"rel": "info", "type": "application/json", "href": f"{base}/info"},
                {
                    "rel": "tilejson",
                    "type": "application/json",
                    "href": f"{base}/{{tileMatrixSetId}}/tilejson.json",
                    "templated": True,
                },
            ],
        }


def _router() -> APIRouter:

    return APIRouter(route_class=ConditionalRoute, dependencies=[Depends(check_request)])


def _shared(services: Services) -> dict[str, Any]:
    """What both of titiler's factories are given."""

    environment = gdal_environment(services)

    async def environment_of() -> dict[str, Any]:
        return environment

    return {
        "layer_dependency": Bands,
        "dataset_dependency": Resampling,
        "render_dependency": Rendering,
        "colormap_dependency": colormap_of,
        "process_dependency": no_process,
        "environment_dependency": environment_of,
        "render_func": rendered,
        "supported_tms": TILE_MATRIX_SETS,
        "templates": templates(with_crumbs=False),
        "add_viewer": False,
    }


_STATUSES: dict[type[Exception], int] = {
    RioTilerError: 400,
    InvalidFormat: 500,
    CRSError: 400,
    TileOutsideBounds: 404,
    PointOutsideBounds: 404,
    NoAssetFoundError: 404,
    EmptyMosaicError: 404,
}
RASTER = Part(PREFIX, TITLE, install, statuses=_STATUSES)
