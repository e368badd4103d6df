"""What a table of features is, whichever store holds it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import pyarrow as pa

from thalweg.errors import FeatureTableNotFound, InvalidFeatureTable

type Kind = Literal["integer", "number", "text", "boolean", "date", "timestamp"]
type Bounds = tuple[float, float, float, float]
"""West, south, east and north in degrees."""

ID = "fid"
GEOMETRY = "geometry"
ARROW: Mapping[Kind, pa.DataType] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "text": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("ms", "UTC"),
}
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,47}")


@dataclass(frozen=True)
class Column:
    """A property of features."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class FeatureTable:
    """A table: its name, which is the id of its collection, and what it holds.

    Every table has beside `columns` a whole number `fid`, which tells its features apart, and
    `geometry`, in longitude and latitude of WGS 84. `bounds` is None where there is no feature.
    """

    name: str
    columns: tuple[Column, ...]
    title: str = ""
    description: str = ""
    bounds: Bounds | None = None
    count: int = 0

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of its rows: `fid`, the columns, and `geometry` as WKB."""
        return pa.schema(
            [
                pa.field(ID, pa.int64(), nullable=False),
                *(pa.field(one.name, ARROW[one.kind]) for one in self.columns),
                pa.field(GEOMETRY, pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"}),
            ]
        )


class FeatureStore(Protocol):
    """Where tables of features are. What is put is there whole for all readers, or not at all."""

    def tables(self) -> list[FeatureTable]:
        """All tables, by name."""

    def table(self, name: str) -> FeatureTable:
        """The table of a name; raises `FeatureTableNotFound`."""

    def put(self, table: FeatureTable, rows: Iterable[pa.RecordBatch]) -> FeatureTable:
        """Puts a table in the place of any of its name; gives it with its bounds and count.

        `rows` have the schema of the table.
        """

    def rows(self, name: str) -> Iterator[pa.RecordBatch]:
        """The rows of a table, by `fid`; raises `FeatureTableNotFound`."""

    def remove(self, name: str) -> None:
        """Removes a table; raises `FeatureTableNotFound`."""


def check_name(name: str) -> str:
    """The name, where a table may have it; else raises `InvalidFeatureTable`."""
    if not _NAME.fullmatch(name):
        raise InvalidFeatureTable(
            f"no table can be named {name[:64]!r}",
            hint="a name begins with a small letter and has up to 48 of a-z, 0-9, _ and -",
        )
    return name


def no_table(name: str, held: Iterable[str] = ()) -> FeatureTableNotFound:
    """The error of a table that is not there."""
    names = ", ".join(held)
    return FeatureTableNotFound(
        f"there is no table of features named {name[:64]!r}",
        hint=f"there are {names}" if names else "thalweg features add FILE --name NAME makes one",
    )
