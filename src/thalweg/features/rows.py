"""Rows of a GeoPackage as values and as Arrow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from thalweg.features.functions import wkb_of
from thalweg.features.tables import FeatureTable, Kind

type Row = tuple[Any, ...]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


READ: Mapping[Kind, Callable[[Any], Any]] = {
    "boolean": bool,
    "date": date.fromisoformat,
    "timestamp": _moment,
    "number": float,
}
"""How the values of those kinds are read from SQLite; others are as they stand there."""


def column_values(values: Sequence[Any], kind: Kind) -> list[Any]:
    """The values of one column, as Python has them."""
    read = READ.get(kind)
    if read is None:
        return list(values)
    return [None if value is None else read(value) for value in values]


def arrow_rows(table: FeatureTable, rows: Sequence[Row]) -> pa.RecordBatch:
    """Rows of `fid`, columns and geometry as Arrow, of the schema of the table."""
    ids, *columns, blobs = zip(*rows, strict=True)
    arrays = [
        column_values(values, column.kind)
        for values, column in zip(columns, table.columns, strict=True)
    ]
    wkb = [None if blob is None else wkb_of(blob) for blob in blobs]
    return pa.record_batch([list(ids), *arrays, wkb], schema=table.schema)
