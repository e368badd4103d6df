"""Rows of vector files and tables as Arrow batches, with their numbers, as the file has them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pyogrio
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError

from thalweg.errors import MissingColumn, UnknownFormat, UnreadableFeatures
from thalweg.hexagons.faults import Faults, faults_at

ROWS_AT_ONCE = 1 << 14
WRONG_FIELDS = "not as many fields as the header"

_CSV_BLOCK = 1 << 21


@dataclass(frozen=True)
class Source:
    """A vector file, and what is read of it.

    `path` is what GDAL or Arrow opens, and `where` the name in errors. `longitude` and `latitude`
    name columns of tables without a geometry. `crs` is taken for files that name none; tables
    without it are in EPSG:4326.
    """

    path: str
    where: str
    layer: str = ""
    longitude: str = ""
    latitude: str = ""
    crs: str | None = None
    category: str = ""
    sums: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The columns to read, besides a geometry."""
        named = [self.longitude, self.latitude, self.category, *self.sums]
        return list(dict.fromkeys(name for name in named if name))


@dataclass(frozen=True)
class Records:
    """Rows [n], numbered from 1; `geometry` is WKB, or None where columns hold coordinates.

    `crs` is given once, with the first batch.
    """

    rows: NDArray[np.int64]
    table: pa.RecordBatch
    geometry: pa.Array | None
    crs: str | None


def read_records(source: Source, faults: Faults) -> Iterator[Records]:
    """The rows of a file; raises `UnreadableFeatures`, `MissingColumn` or `UnknownFormat`."""
    suffix = _suffix(source)
    if suffix not in _READERS:
        raise UnknownFormat(
            f"files ending in {suffix!r} are not read",
            hint=f"known are {', '.join(_READERS)}",
            where=source.where,
        )
    return read_any_records(source, faults)


def read_any_records(source: Source, faults: Faults) -> Iterator[Records]:
    """As `read_records`, of whatever else GDAL opens too."""
    return _READERS.get(_suffix(source), _read_gdal)(source, faults)


def column_types(source: Source) -> pa.Schema:
    """The names and types of all columns but the geometry; raises `UnreadableFeatures`."""
    with _named_errors(source.where):
        if _suffix(source) == ".parquet":
            schema = pq.read_schema(source.path)
            return _without(schema, None if source.longitude else _geo(source, schema)[0])
        if _suffix(source) == ".csv":
            with pa_csv.open_csv(source.path) as reader:
                return reader.schema
        with pyogrio.open_arrow(source.path, layer=_layer(source), use_pyarrow=True) as (
            meta,
            reader,
        ):
            return _without(reader.schema, meta["geometry_name"] or "wkb_geometry")


def _without(schema: pa.Schema, geometry: str | None) -> pa.Schema:
    return pa.schema([field for field in schema if field.name != geometry])


def _suffix(source: Source) -> str:
    return PurePosixPath(source.where).suffix.lower()


def _read_gdal(source: Source, faults: Faults) -> Iterator[Records]:  # noqa: ARG001
    with _named_errors(source.where):
        layer = _layer(source)
        with pyogrio.open_arrow(
            source.path,
            layer=layer,
            columns=source.columns,
            batch_size=ROWS_AT_ONCE,
            use_pyarrow=True,
        ) as (meta, reader):
            if set(source.columns) - {*meta["fields"]}:
                _check_columns(source, [*pyogrio.read_info(source.path, layer=layer)["fields"]])
            name = meta["geometry_name"] or "wkb_geometry"
            has_geometry = name in reader.schema.names and not source.longitude
            crs = _crs(source, meta["crs"], is_table=not has_geometry)
            yield from _numbered(reader, name if has_geometry else None, crs, source)


def _layer(source: Source) -> str:
    layers = [str(name) for name, _ in pyogrio.list_layers(source.path)]
    if source.layer not in layers and (source.layer or len(layers) > 1):
        wrong = f"no layer {source.layer!r}" if source.layer else f"it has {len(layers)} layers"
        raise UnreadableFeatures(
            wrong, hint=f"set layer to one of {', '.join(layers)}", where=source.where
        )
    return source.layer or layers[0]


def _read_parquet(source: Source, faults: Faults) -> Iterator[Records]:  # noqa: ARG001
    with _named_errors(source.where), pq.ParquetFile(source.path) as file:
        schema = file.schema_arrow
        _check_columns(source, schema.names)
        name: str | None = None
        if source.longitude:
            crs = _crs(source, None, is_table=True)
        else:
            name, crs = _geo(source, schema)
        columns = [*source.columns, *([name] if name else [])]
        batches = file.iter_batches(ROWS_AT_ONCE, columns=columns)
        yield from _numbered(batches, name, crs, source)


def _geo(source: Source, schema: pa.Schema) -> tuple[str, str]:
    """The geometry column of GeoParquet, and its reference system."""
    metadata = (schema.metadata or {}).get(b"geo")
    if metadata is None:
        raise UnreadableFeatures(
            "it is Parquet, but not GeoParquet",
            hint="name the columns of longitude and latitude, if it has some",
            where=source.where,
        )
    geo = json.loads(metadata)
    name: str = geo["primary_column"]
    column = geo["columns"][name]
    if column["encoding"] != "WKB":
        raise UnreadableFeatures(
            f"its geometries are encoded as {column['encoding']}, not as WKB", where=source.where
        )
    # Without the key it is OGC:CRS84; null says that nobody knows.
    crs = column.get("crs", "OGC:CRS84")
    return name, _crs(source, json.dumps(crs) if isinstance(crs, dict) else crs)


def _read_csv(source: Source, faults: Faults) -> Iterator[Records]:
    if not source.longitude:
        raise UnreadableFeatures(
            "a CSV has no geometry",
            hint="name the columns of longitude and latitude",
            where=source.where,
        )
    skipped: set[int] = set()

    def skip(row: pa_csv.InvalidRow) -> str:
        skipped.add(row.number - 1)
        return "skip"

    with (
        _named_errors(source.where),
        pa_csv.open_csv(
            source.path,
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=_CSV_BLOCK),
            parse_options=pa_csv.ParseOptions(invalid_row_handler=skip, newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(source.columns, pa.string()), strings_can_be_null=False
            ),
        ) as reader,
    ):
        _check_columns(source, reader.schema.names)
        crs = _crs(source, None, is_table=True)
        yield from _numbered(reader, None, crs, source, skipped)
    rows = sorted(skipped)
    faults.rows += len(rows)
    faults.add(faults_at(source.where, rows, WRONG_FIELDS), whole_rows=True)


def _numbered(
    batches: Iterator[pa.RecordBatch],
    geometry: str | None,
    crs: str,
    source: Source,
    skipped: set[int] | None = None,
) -> Iterator[Records]:
    last = 0
    first: str | None = crs
    for whole in batches:
        for start in range(0, whole.num_rows, ROWS_AT_ONCE):
            batch = whole[start : start + ROWS_AT_ONCE]
            rows = _next_rows(last, batch.num_rows, skipped or set())
            columns = batch.select(source.columns)
            yield Records(rows, columns, None if geometry is None else batch[geometry], first)
            last, first = int(rows[-1]), None


def _next_rows(last: int, count: int, skipped: set[int]) -> NDArray[np.int64]:
    """The numbers of the next rows, past those that were skipped."""
    numbers = np.arange(last + 1, last + 1 + count + len(skipped))
    return numbers[~np.isin(numbers, list(skipped))][:count]


def _crs(source: Source, named: str | None, *, is_table: bool = False) -> str:
    crs = named or source.crs or ("EPSG:4326" if is_table else None)
    if crs is None:
        raise UnreadableFeatures(
            "it names no coordinate reference system",
            hint="say which it is by crs, as EPSG:code",
            where=source.where,
        )
    return crs


def _check_columns(source: Source, held: list[str]) -> None:
    for name in source.columns:
        if name not in held:
            raise MissingColumn(
                f"no column {name!r}", hint=f"it holds {', '.join(held)}", where=source.where
            )


@contextmanager
def _named_errors(where: str) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise UnreadableFeatures("it is not text in UTF-8", where=where) from error
    except (DataSourceError, DataLayerError, pa.ArrowInvalid, OSError) as error:
        raise UnreadableFeatures(str(error).splitlines()[0], where=where) from error


_READERS: dict[str, Callable[[Source, Faults], Iterator[Records]]] = {
    ".gpkg": _read_gdal,
    ".fgb": _read_gdal,
    ".geojson": _read_gdal,
    ".json": _read_gdal,
    ".shp": _read_gdal,
    ".parquet": _read_parquet,
    ".csv": _read_csv,
}
