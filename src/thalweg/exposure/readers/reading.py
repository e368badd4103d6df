"""What readers of building footprints have in common: what they take and what they give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform as reproject

from thalweg.errors import MissingColumn

type Texts = NDArray[np.object_]

ROWS_AT_ONCE = 1 << 16
# Arrow reads up to 32 blocks of text ahead, and no line may be longer than one.
BLOCK_BYTES = 1 << 20
LONGITUDE_LATITUDE = ("EPSG:4326", "OGC:CRS84")

READ = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("geometry", pa.binary()),
        pa.field("height", pa.float64()),
        pa.field("confidence", pa.float64()),
        pa.field("area", pa.float64()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("problem", pa.string()),
    ]
)

# Reasons that only a reader can see; `cleaning` has the others.
BAD_GEOMETRY_TEXT = "bad_geometry_text"
BAD_NUMBER = "bad_number"
BAD_RECORD = "bad_record"

_GZIP = b"\x1f\x8b"
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$|^\s*[+-]?(nan|inf|NaN|Inf)\s*$"


@dataclass(frozen=True)
class Columns:
    """The names of a file's columns; an empty name where the file has no such column."""

    id: str = ""
    geometry: str = ""
    longitude: str = ""
    latitude: str = ""
    height: str = ""
    confidence: str = ""
    area: str = ""
    source: str = ""


@dataclass(frozen=True)
class SourceFile:
    """A file of buildings on this machine.

    `source` is the name that its rows bear, unless a column has one; `key` is what the file is
    called in reports and errors. `layer` and `where` (SQL) choose among the features of formats
    that hold several kinds.
    """

    path: Path
    source: str
    key: str
    columns: Columns = Columns()
    layer: str = ""
    where: str = ""


class Reader(Protocol):
    """Streams a file's rows as record batches of the schema `READ`, of bounded size, in order.

    Geometry is WKB, longitude and latitude in WGS 84. `row` counts from 1: the line of a text
    file, whose header is line 1, or else the feature. A row that cannot be read has its reason in
    `problem`. Numbers stand as they are in the file. Raises `UnreadableBuildings` for a file that
    is damaged or of another kind, `MissingColumn` for a column that was named and is not there.
    """

    def __call__(self, file: SourceFile) -> Iterator[pa.RecordBatch]: ...


def opened(path: Path) -> pa.NativeFile:
    """A file of text as a stream, decompressed where it is gzipped, whatever its name."""
    with path.open("rb") as file:
        gzipped = file.read(2) == _GZIP
    return pa.input_stream(str(path), compression="gzip" if gzipped else None)


def check_columns(file: SourceFile, wanted: Columns, held: list[str]) -> None:
    """Raises `MissingColumn` for the first column that was named and is not there."""
    for name in vars(wanted).values():
        if name and name not in held:
            raise MissingColumn(
                f"no column {name!r}", hint=f"it holds {', '.join(held)}", where=file.key
            )


def read_batch(
    file: SourceFile,
    geometry: pa.Array,
    rows: NDArray[np.int64],
    columns: dict[str, pa.Array],
    problems: Texts | None = None,
) -> pa.RecordBatch:
    """A batch of `READ` from columns of any type by their names there; absent ones are null."""
    count = len(rows)
    problems = np.full(count, None, np.object_) if problems is None else problems
    numbers = {}
    for name in ("height", "confidence", "area"):
        numbers[name], bad = _numbers(columns.get(name), count)
        problems[bad] = BAD_NUMBER
    arrays = {
        "id": _texts(columns.get("id"), count),
        "geometry": geometry.cast(pa.binary()),
        **numbers,
        "source": _sources(columns.get("source"), file, count),
        "row": pa.array(rows, pa.int64()),
        "problem": pa.array(problems, pa.string()),
    }
    return pa.RecordBatch.from_arrays([arrays[name] for name in READ.names], schema=READ)


def parsed_numbers(texts: pa.Array) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Numbers from text, null where there is none, and which texts are no numbers."""
    good = pc.match_substring_regex(texts, _NUMBER)
    bad = pc.fill_null(pc.invert(good), False)
    kept = pc.if_else(bad, pa.scalar(None, pa.string()), texts)
    return pc.cast(pc.utf8_trim_whitespace(kept), pa.float64()), bad.to_numpy(zero_copy_only=False)


def to_longitude_latitude(crs: str) -> Any:
    """A function of points [n, 2] for `shapely.transform`, or None where they are such already."""
    if crs in LONGITUDE_LATITUDE:
        return None
    source, target = CRS.from_user_input(crs), CRS.from_epsg(4326)
    if source == target:
        return None
    return lambda points: np.column_stack(reproject(source, target, *points.T))


def _texts(column: pa.Array | None, count: int) -> pa.Array:
    return pa.nulls(count, pa.string()) if column is None else column.cast(pa.string())


def _numbers(column: pa.Array | None, count: int) -> tuple[pa.Array, NDArray[np.bool_]]:
    if column is None:
        return pa.nulls(count, pa.float64()), np.zeros(count, np.bool_)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return parsed_numbers(column.cast(pa.string()))
    return column.cast(pa.float64()), np.zeros(count, np.bool_)


def _sources(column: pa.Array | None, file: SourceFile, count: int) -> pa.Array:
    if column is None:
        return pa.repeat(pa.scalar(file.source), count)
    return pc.fill_null(column.cast(pa.string()), file.source)
