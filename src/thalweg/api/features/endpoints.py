"""tipg's routes, with the schema of each collection beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from tipg import model
from tipg.collections import Collection
from tipg.dependencies import QueryablesOutputType
from tipg.factory import Endpoints, OGCFeaturesFactory, OGCTilesFactory
from tipg.resources.enums import MediaType
from tipg.resources.response import SchemaJSONResponse

from thalweg.api.features.collections import schema
from thalweg.api.features.requests import FeatureRoute
from thalweg.api.features.xml_schema import MEDIA_TYPE, xml_schema

_CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf/"
_CONFORMS = [
    f"{_CQL2}{name}"
    for name in (
        "cql2-text",
        "cql2-json",
        "basic-cql2",
        "advanced-comparison-operators",
        "case-insensitive-comparison",
        "accent-insensitive-comparison",
        "basic-spatial-functions",
        "basic-spatial-functions-plus",
        "spatial-functions",
        "property-property",
        "arithmetic",
    )
] + [
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables",
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/schemas",
]


class XmlResponse(Response):
    """A document of XML."""

    media_type = MEDIA_TYPE


@dataclass
class FeaturesFactory(OGCFeaturesFactory):
    """The routes of collections and features."""

    def register_routes(self) -> None:
        super().register_routes()  # type: ignore[no-untyped-call]

        @self.router.get(
            "/collections/{collectionId}/schema",
            response_class=SchemaJSONResponse,
            tags=["OGC Features API"],
        )
        def collection_schema(
            request: Request,
            collection: Any = Depends(self.collection_dependency),  # noqa: B008 - FastAPI's way
            output_type: MediaType | None = Depends(QueryablesOutputType),  # noqa: B008
        ) -> Any:
            """The JSON Schema of the features of a collection."""
            url = self.url_for(request, "collection_schema", collectionId=collection.id)
            told = schema(collection.held, url)
            if output_type == MediaType.html:
                return self._create_html_response(request, told, "schema")
            return SchemaJSONResponse(told)

        @self.router.get(
            "/collections/{collectionId}/schema.xsd",
            response_class=XmlResponse,
            tags=["OGC Features API"],
        )
        def collection_xml_schema(
            request: Request,
            collection: Any = Depends(self.collection_dependency),  # noqa: B008 - FastAPI's way
        ) -> Any:
            """The XML Schema of the features of a collection, which GDAL reads types from."""
            url = self.url_for(request, "collection_xml_schema", collectionId=collection.id)
            return XmlResponse(xml_schema(collection.held, url))

    def _additional_collection_tiles_links(
        self, request: Request, collection: Collection
    ) -> list[model.Link]:
        """Links of every collection beside those to its features."""
        here = self.url_for(request, "collection", collectionId=collection.id)
        return [
            model.Link(
                rel="describedby",
                title="Schema of the features",
                type=MediaType.schemajson,
                href=f"{here}/schema",
            ),
            model.Link(
                rel="describedby",
                title="XML Schema of the features",
                type=MediaType.xml,
                href=f"{here}/schema.xsd",
            ),
            model.Link(
                rel="http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector",
                title="Vector tiles",
                type=MediaType.json,
                href=f"{here}/tiles",
            ),
        ]


@dataclass
class FeaturesEndpoints(Endpoints):
    """The landing page, and the routes of features and of tiles."""

    def register_routes(self) -> None:
        common: dict[str, Any] = {
            "collection_dependency": self.collection_dependency,
            "router_prefix": self.router_prefix,
            "templates": self.templates,
            "with_common": False,
        }
        self.ogc_features = FeaturesFactory(
            router=APIRouter(route_class=FeatureRoute),
            collections_dependency=self.collections_dependency,
            **common,
        )
        self.ogc_tiles = OGCTilesFactory(
            router=APIRouter(route_class=FeatureRoute),
            supported_tms=self.supported_tms,
            with_viewer=self.with_tiles_viewer,
            **common,
        )
        self.router.include_router(self.ogc_features.router)
        self.router.include_router(self.ogc_tiles.router)

    @property
    def conforms_to(self) -> list[str]:
        return [*super().conforms_to, *_CONFORMS]
