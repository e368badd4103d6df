"""What of CQL2 and of sorting is offered, and in which encodings."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field
from stac_fastapi.extensions import SearchFilterExtension
from stac_fastapi.extensions.filter import FilterConformanceClasses as Classes
from stac_fastapi.types.conformance import BASE_CONFORMANCE_CLASSES

_CQL2 = [
    Classes.FILTER,
    Classes.BASIC_CQL2,
    Classes.CQL2_JSON,
    Classes.CQL2_TEXT,
    Classes.ADVANCED_COMPARISON_OPERATORS,
    Classes.CASE_INSENSITIVE_COMPARISON,
    Classes.ACCENT_INSENSITIVE_COMPARISON,
    Classes.BASIC_SPATIAL_FUNCTIONS,
    Classes.SPATIAL_FUNCTIONS,
    Classes.TEMPORAL_FUNCTIONS,
    Classes.ARRAY_FUNCTIONS,
    Classes.PROPERTY_PROPERTY,
    Classes.ARITHMETIC,
]
CORE = [*BASE_CONFORMANCE_CLASSES, "https://api.stacspec.org/v1.0.0/browseable"]
FILTER = [*_CQL2, Classes.SEARCH]
ITEM_FILTER = [*_CQL2, Classes.ITEMS]
# pystac-client knows the older one only.
SORT = [f"https://api.stacspec.org/{version}/item-search#sort" for version in ("v1.0.0", "v1.1.0")]


class FilterBody(BaseModel):
    """A filter in a body: clients send text there too."""

    filter_expr: dict[str, Any] | str | None = Field(
        None, alias="filter", description="A CQL2 filter, as JSON or as text."
    )
    filter_crs: str | None = Field(
        None, alias="filter-crs", description="The reference system of its geometries: CRS84."
    )
    filter_lang: Literal["cql2-json", "cql2-text"] | None = Field(
        None, alias="filter-lang", description="The encoding of the filter."
    )


class FilterExtension(SearchFilterExtension):  # type: ignore[misc]
    """The filter of searches."""

    POST = FilterBody
