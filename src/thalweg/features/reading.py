"""Vector files as rows of tables of features: few types, plain names, sound geometries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from pyproj import Transformer

from thalweg.errors import InvalidFeatureTable, MissingColumn
from thalweg.features.tables import ARROW, GEOMETRY, ID, Column, FeatureTable, Kind, check_name
from thalweg.hexagons.faults import Faults
from thalweg.hexagons.features import sound_geometries, to_wgs84
from thalweg.hexagons.records import Records, Source, column_types, read_any_records

_COVERING = {"bbox", "covering"}
_LONGEST = 63  # PostgreSQL cuts longer names


class VectorFile:
    """A vector file as a table of features; raises `UnreadableFeatures` or `InvalidFeatureTable`.

    Columns have names of small letters and types of `Kind`: whole numbers, numbers, text, yes or
    no, dates and moments; lists and objects become JSON. Times without a zone are taken as UTC, and
    numbers that are NaN as unknown. `faults` tells, after `rows`, what was left out.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        *,
        title: str = "",
        description: str = "",
        columns: Sequence[str] = (),
    ) -> None:
        self.faults = Faults()
        held = _chosen(column_types(source), columns, source)
        self._names = [field.name for field in held]
        self._source = Source(
            **{**vars(source), "category": "", "sums": tuple(self._names)},
        )
        names = _plain(self._names)
        kinds = [_kind(field, source.where) for field in held]
        self.table = FeatureTable(
            check_name(name),
            tuple(Column(*pair) for pair in zip(names, kinds, strict=True)),
            title or name,
            description,
        )

    def rows(self) -> Iterator[pa.RecordBatch]:
        """The sound rows, in the order of the file; `fid` is the number of a row, from 1."""
        transformer: Transformer | None = None
        for batch in read_any_records(self._source, self.faults):
            if batch.crs is not None:
                transformer = to_wgs84(batch.crs, self._source.where)
            self.faults.rows += len(batch.rows)
            geometries, sound = sound_geometries(batch, self._source, transformer, self.faults)
            yield self._batch(batch, geometries, pa.array(sound))

    def _batch(self, batch: Records, geometries: np.ndarray, sound: pa.Array) -> pa.RecordBatch:
        kept = batch.table.take(sound)
        arrays = [
            _as_kind(kept[name], column, self._source.where)
            for name, column in zip(self._names, self.table.columns, strict=True)
        ]
        wkb = pa.array(shapely.to_wkb(geometries), pa.binary())
        rows = pa.array(batch.rows).take(sound)
        return pa.RecordBatch.from_arrays([rows, *arrays, wkb], schema=self.table.schema)


def _chosen(schema: pa.Schema, columns: Sequence[str], source: Source) -> list[pa.Field]:
    """The columns that are asked for; all but the covering of GeoParquet by default."""
    for name in columns:
        if name not in schema.names:
            raise MissingColumn(
                f"no column {name!r}",
                hint=f"it holds {', '.join(schema.names)}",
                where=source.where,
            )
    return [
        field
        for field in schema
        if (field.name in columns if columns else True)
        and not (field.name in _COVERING and pa.types.is_struct(field.type))
    ]


def _plain(names: Sequence[str]) -> list[str]:
    """Names of small letters, digits and _, no two alike."""
    taken = {ID, GEOMETRY, "tipg_id", "tipg_geom"}
    plain = []
    for name in names:
        short = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[: _LONGEST - 4]
        short = short if short[:1].isalpha() else f"c_{short}".rstrip("_")
        one, number = short, 2
        while one in taken:
            one, number = f"{short}_{number}", number + 1
        taken.add(one)
        plain.append(one)
    return plain


def _kind(field: pa.Field, where: str) -> Kind:
    types, kind = pa.types, field.type
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if types.is_boolean(kind):
        return "boolean"
    if types.is_integer(kind):
        return "integer"
    if types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_date(kind):
        return "date"
    if types.is_timestamp(kind):
        return "timestamp"
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        raise InvalidFeatureTable(
            f"the column {field.name!r} holds binary data",
            hint="name the columns to take by --columns",
            where=where,
        )
    return "text"


def _as_kind(array: pa.Array, column: Column, where: str) -> pa.Array:
    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    if pa.types.is_nested(array.type):
        array = pa.array([_json(one) for one in array.to_pylist()], pa.string())
    if pa.types.is_timestamp(array.type) and array.type.tz is None:
        array = pc.assume_timezone(array, "UTC")
    try:
        cast = array.cast(ARROW[column.kind], safe=column.kind != "timestamp")
    except pa.ArrowInvalid as error:
        raise InvalidFeatureTable(
            f"column {column.name}: {error}", hint="leave it out by --columns", where=where
        ) from error
    return _finite(cast, column, where) if column.kind == "number" else _text(cast, column, where)


def _finite(array: pa.Array, column: Column, where: str) -> pa.Array:
    known = pc.if_else(pc.is_nan(array), None, array)
    if pc.any(pc.is_inf(known)).as_py():
        raise InvalidFeatureTable(
            f"column {column.name} holds an infinite number", hint="mend the file", where=where
        )
    return known


def _text(array: pa.Array, column: Column, where: str) -> pa.Array:
    """PostgreSQL takes no NUL."""
    if column.kind == "text" and pc.any(pc.match_substring(array, "\0")).as_py():
        raise InvalidFeatureTable(
            f"column {column.name} holds a NUL character", hint="mend the file", where=where
        )
    return array


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, default=str, ensure_ascii=False)
