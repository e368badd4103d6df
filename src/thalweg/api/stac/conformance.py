"""What of CQL2 is answered, as conformance classes tell it."""

from __future__ import annotations

from stac_fastapi.extensions.filter import FilterConformanceClasses as Classes

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
FILTER = [*_CQL2, Classes.SEARCH]
ITEM_FILTER = [*_CQL2, Classes.ITEMS]
