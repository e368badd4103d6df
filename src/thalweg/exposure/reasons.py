"""Why a row of a source was left out or mended."""

from __future__ import annotations

from enum import StrEnum

import pyarrow as pa

from thalweg.exposure.readers import reading


class Reason(StrEnum):
    """What was wrong with a row. Rows with one of `MENDED` are kept."""

    BAD_GEOMETRY_TEXT = reading.BAD_GEOMETRY_TEXT
    BAD_NUMBER = reading.BAD_NUMBER
    BAD_RECORD = reading.BAD_RECORD
    NO_GEOMETRY = "no_geometry"
    DAMAGED_GEOMETRY = "damaged_geometry"
    NOT_FINITE = "coordinate_not_finite"
    SWAPPED = "coordinates_swapped"
    OUT_OF_RANGE = "coordinates_out_of_range"
    ANTIMERIDIAN = "spans_half_the_globe"
    WRONG_KIND = "neither_polygon_nor_point"
    CONFIDENCE = "confidence_out_of_range"
    REPAIRED = "geometry_repaired"
    NO_AREA = "footprint_without_area"
    HEIGHT = "height_not_usable"


MENDED = frozenset({Reason.REPAIRED, Reason.NO_AREA, Reason.HEIGHT})

REPORT = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("id", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("kept", pa.bool_(), nullable=False),
    ]
)
