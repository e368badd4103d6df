"""What is told of a table: its columns, its rows, and where on the globe they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from thalweg.domain.tiles import BoundingBox


@dataclass(frozen=True)
class Column:
    """A column: `type` is Arrow's name, `unit` is empty where there is none."""

    name: str
    type: str
    unit: str = ""
    description: str = ""


@dataclass(frozen=True)
class TableFacts:
    """A table as it was written.

    `bounds` hold all that the rows are about; None where there is nothing. `primary_geometry` names
    the column of geometries, if any.
    """

    rows: int
    columns: tuple[Column, ...]
    bounds: BoundingBox | None = None
    primary_geometry: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        bounds = document["bounds"]
        return cls(
            document["rows"],
            tuple(Column(**column) for column in document["columns"]),
            bounds and BoundingBox(**bounds),
            document["primary_geometry"],
        )
