"""Buildings in CSV, plain or gzipped: footprints as WKT, or points as longitude and latitude."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from io import TextIOWrapper

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import shapely
from numpy.typing import NDArray

from thalweg.errors import UnreadableBuildings
from thalweg.exposure.readers.reading import (
    BAD_GEOMETRY_TEXT,
    BAD_NUMBER,
    BAD_RECORD,
    BLOCK_BYTES,
    Columns,
    SourceFile,
    check_columns,
    opened,
    parsed_numbers,
    read_batch,
)

# The columns that Open Buildings' files have.
_WKT_COLUMNS = Columns(
    id="full_plus_code", geometry="geometry", confidence="confidence", area="area_in_meters"
)
_POINT_COLUMNS = Columns(longitude="longitude", latitude="latitude")


def read_wkt_csv(file: SourceFile) -> Iterator[pa.RecordBatch]:
    """A `Reader` of CSV with a column of WKT, by default the columns of Open Buildings."""
    columns = _WKT_COLUMNS if file.columns == Columns() else file.columns
    if not columns.geometry:
        columns = replace(columns, geometry="geometry")
    for batch, rows, broken in _batches(file, columns):
        texts = batch[columns.geometry]
        geometries = shapely.from_wkt(texts.to_numpy(zero_copy_only=False), on_invalid="ignore")
        unread = (geometries == None) & texts.is_valid().to_numpy(zero_copy_only=False)  # noqa: E711
        wkb = pa.array(shapely.to_wkb(geometries), pa.binary())
        yield _assembled(file, columns, batch, rows, wkb, _problems(unread, BAD_GEOMETRY_TEXT))
        yield from _reported(file, broken)


def read_points_csv(file: SourceFile) -> Iterator[pa.RecordBatch]:
    """A `Reader` of CSV with columns of longitude and latitude in degrees."""
    columns = file.columns
    if not (columns.longitude and columns.latitude):
        columns = replace(
            columns,
            longitude=columns.longitude or _POINT_COLUMNS.longitude,
            latitude=columns.latitude or _POINT_COLUMNS.latitude,
        )
    for batch, rows, broken in _batches(file, columns):
        longitude, bad_longitude = parsed_numbers(batch[columns.longitude])
        latitude, bad_latitude = parsed_numbers(batch[columns.latitude])
        absent = np.array(longitude.is_null()) | np.array(latitude.is_null())
        points = shapely.points(_floats(longitude), _floats(latitude))
        wkb = pa.array(np.where(absent, None, shapely.to_wkb(points)), pa.binary())
        problems = _problems(bad_longitude | bad_latitude, BAD_NUMBER)
        yield _assembled(file, columns, batch, rows, wkb, problems)
        yield from _reported(file, broken)


def _assembled(
    file: SourceFile,
    columns: Columns,
    batch: pa.RecordBatch,
    rows: NDArray[np.int64],
    wkb: pa.Array,
    problems: NDArray[np.object_],
) -> pa.RecordBatch:
    taken = {
        name: batch[column]
        for name, column in vars(columns).items()
        if column and name not in ("geometry", "longitude", "latitude")
    }
    return read_batch(file, wkb, rows, taken, problems)


type Batch = tuple[pa.RecordBatch, NDArray[np.int64], list[int]]


def _batches(file: SourceFile, columns: Columns) -> Iterator[Batch]:
    """Batches of text, the line of each row, and the lines of records that were left out."""
    held = _header(file)
    check_columns(file, columns, held)
    wanted = list(dict.fromkeys(name for name in vars(columns).values() if name))
    broken: list[int] = []

    def leave_out(row: pa_csv.InvalidRow) -> str:
        broken.append(row.number)
        return "skip"

    try:
        reader = pa_csv.open_csv(
            opened(file.path),
            pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            pa_csv.ParseOptions(invalid_row_handler=leave_out, ignore_empty_lines=False),
            pa_csv.ConvertOptions(
                include_columns=wanted,
                column_types=dict.fromkeys(wanted, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
        read, told = 0, 0
        for batch in reader:
            # What lies in blocks that are read ahead is added meanwhile.
            known = len(broken)
            skipped = np.array(broken[:known], np.int64)
            ordinal = np.arange(read, read + batch.num_rows)
            # The n-th broken line lies behind its number less n whole ones and the header.
            before = np.searchsorted(skipped - 2 - np.arange(len(skipped)), ordinal, side="right")
            read += batch.num_rows
            yield batch, ordinal + before + 2, broken[told:known]
            told = known
        if broken[told:]:
            yield _none_of(wanted), np.zeros(0, np.int64), broken[told:]
    except (pa.ArrowInvalid, OSError) as error:
        raise UnreadableBuildings(f"not a CSV file, or damaged: {error}", where=file.key) from error


def _none_of(names: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], pa.string()) for _ in names], names=names)


def _reported(file: SourceFile, lines: list[int]) -> Iterator[pa.RecordBatch]:
    """The records that have more or fewer fields than the header."""
    if lines:
        problems = np.full(len(lines), BAD_RECORD, np.object_)
        nothing = pa.nulls(len(lines), pa.binary())
        yield read_batch(file, nothing, np.array(lines, np.int64), {}, problems)


def _header(file: SourceFile) -> list[str]:
    try:
        with opened(file.path) as stream:
            line = TextIOWrapper(stream, encoding="utf-8-sig").readline()
        return next(csv.reader([line]), [])
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableBuildings(f"not a CSV file, or damaged: {error}", where=file.key) from error


def _problems(which: NDArray[np.bool_], reason: str) -> NDArray[np.object_]:
    problems = np.full(len(which), None, np.object_)
    problems[which] = reason
    return problems


def _floats(column: pa.Array) -> NDArray[np.float64]:
    floats: NDArray[np.float64] = column.to_numpy(zero_copy_only=False).astype(np.float64)
    return floats
