"""Which rows of the hexagon tables are wanted, wide or long, as a stream of Arrow batches."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
from shapely.geometry.base import BaseGeometry

from thalweg.errors import NothingSelected, UnknownLayer
from thalweg.hexagons.layers import Series, column_name
from thalweg.hexagons.places import seed
from thalweg.hexagons.tables import VIEW, Described, connect, describe, dimension_column

type Form = Literal["wide", "long"]

ROWS_AT_ONCE = 100_000
_MEMORY = "512MB"
_KEYS = ("cell", "h3", "country", "series")


@dataclass(frozen=True)
class Selection:
    """Rows of one resolution; empty or None stands for all.

    `layers` are ids of layers or of whole series. `countries` are ISO 3166-1 alpha-3 codes. `place`
    is an outline in WGS 84: cells with their centre inside.
    """

    resolution: int
    layers: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    place: BaseGeometry | None = None


@dataclass(frozen=True)
class _Wanted:
    """A table, and the selected ones of its layers by number."""

    table: Described
    layers: tuple[int, ...]

    @property
    def is_whole(self) -> bool:
        return len(self.layers) == len(self.table.series.labels)


@contextmanager
def selected(
    tables: Sequence[Path], selection: Selection, form: Form = "wide"
) -> Iterator[pa.RecordBatchReader]:
    """The selected rows in the order of cells, then series, then layers, `ROWS_AT_ONCE` a batch.

    `wide` is as the tables are: one row per cell and series, layers as columns (mean_1in100).
    `long` has one row per cell and layer: columns `layer`, `label` and `return_period` (in years,
    where there is one) and the statistics; expected annual values, which no single layer has, are
    left out. Bounded in memory. Raises `NothingSelected` or `UnknownLayer`.
    """
    wanted = _wanted(tables, selection)
    with connect([one.table.path for one in wanted]) as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        where = _conditions(connection, selection)
        any_row = f"SELECT 1 FROM {VIEW} WHERE {where} LIMIT 1"  # noqa: S608
        if not connection.sql(any_row).fetchall():
            raise NothingSelected(hint="widen the countries, the place or the bounding box")
        sql = _wide(wanted) if form == "wide" else _long(wanted)
        reader = connection.sql(sql.format(where=where)).to_arrow_reader(ROWS_AT_ONCE)
        yield pa.RecordBatchReader.from_batches(reader.schema, _rebatched(reader))


def _rebatched(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The same rows, `ROWS_AT_ONCE` in every batch but the last: DuckDB gives what suits it."""
    held = reader.schema.empty_table()
    for batch in reader:
        held = pa.concat_tables([held, pa.Table.from_batches([batch])])
        while held.num_rows >= ROWS_AT_ONCE:
            yield from held[:ROWS_AT_ONCE].combine_chunks().to_batches()
            held = held[ROWS_AT_ONCE:]
    yield from held.combine_chunks().to_batches()


def _wanted(tables: Sequence[Path], selection: Selection) -> list[_Wanted]:
    described = [describe(path) for path in tables]
    at_resolution = [one for one in described if one.resolution == selection.resolution]
    if not at_resolution:
        resolutions = sorted({one.resolution for one in described})
        raise NothingSelected(
            f"no table has resolution {selection.resolution}",
            hint=f"there are {', '.join(map(str, resolutions)) or 'none'}",
        )
    _check_known(selection.layers, at_resolution)
    wanted = [_Wanted(one, _layers(one.series, selection)) for one in at_resolution]
    return [one for one in wanted if one.layers]


def _layers(series: Series, selection: Selection) -> tuple[int, ...]:
    every = range(len(series.labels))
    if not selection.layers or series.id in selection.layers:
        return tuple(every)
    ids = [series.layer_id(label) for label in series.labels]
    return tuple(index for index in every if ids[index] in selection.layers)


def _check_known(wanted: Iterable[str], tables: Sequence[Described]) -> None:
    known = {one.series.id for one in tables} | set(_all_layers(tables))
    for one in wanted:
        if one not in known:
            raise unknown_layer(one, tables)


def unknown_layer(layer: str, tables: Sequence[Described]) -> UnknownLayer:
    """The error that says which layers are near one that is not there."""
    layers = _all_layers(tables)
    near = difflib.get_close_matches(layer, layers, n=3, cutoff=0.3) or layers[:3]
    return UnknownLayer(f"there is no {layer}", hint=f"there are such as {', '.join(near)}")


def _all_layers(tables: Sequence[Described]) -> list[str]:
    return sorted({one.series.layer_id(label) for one in tables for label in one.series.labels})


def _conditions(connection: duckdb.DuckDBPyConnection, selection: Selection) -> str:
    conditions = ["true"]
    if selection.countries:
        codes = pa.table({"code": [code.upper() for code in selection.countries]})
        connection.register("chosen_countries", codes)
        conditions.append("country IN (SELECT code FROM chosen_countries)")
    if selection.place is not None:
        cells = seed(selection.place, selection.resolution).cells
        connection.register("chosen_cells", pa.table({"cell": cells}))
        conditions.append("cell IN (SELECT cell FROM chosen_cells)")
    return " AND ".join(conditions)


def _wide(wanted: Sequence[_Wanted]) -> str:
    per_cell = [name for one in wanted for name in one.table.per_cell]
    expected = [name for one in wanted if one.is_whole for name in one.table.expected]
    layers = [
        column_name(statistic, one.table.series.labels[index])
        for one in wanted
        for statistic in one.table.statistics
        for index in one.layers
    ]
    columns = ", ".join(
        [*_keys(wanted), *map(_name, dict.fromkeys([*per_cell, *expected, *layers]))]
    )
    return f"SELECT {columns} FROM {VIEW} WHERE {{where}} ORDER BY cell, series"  # noqa: S608


def _long(wanted: Sequence[_Wanted]) -> str:
    per_cell = dict.fromkeys(name for one in wanted for name in one.table.per_cell)
    keys = [*_keys(wanted), *map(_name, per_cell)]
    statistics = dict.fromkeys(name for one in wanted for name in one.table.statistics)
    parts = {
        _layer_rows(one.table, index, statistics, keys): None
        for one in wanted
        for index in one.layers
    }
    return f"SELECT * EXCLUDE (nth) FROM ({' UNION ALL '.join(parts)}) ORDER BY cell, series, nth"  # noqa: S608


def _layer_rows(table: Described, index: int, statistics: Iterable[str], keys: list[str]) -> str:
    series, label = table.series, table.series.labels[index]
    period = series.return_periods[index] if series.return_periods else "NULL"
    held = {name: _name(column_name(name, label)) for name in table.statistics}
    values = [f"{held.get(name, 'NULL')} AS {_name(name)}" for name in statistics]
    return (
        f"SELECT {', '.join(keys)}, '{series.layer_id(label)}' AS layer, '{label}' AS label, "  # noqa: S608
        f"{period}::DOUBLE AS return_period, {', '.join(values)}, {index} AS nth "
        f"FROM {VIEW} WHERE series = '{series.id}' AND {{where}}"
    )


def _keys(wanted: Sequence[_Wanted]) -> list[str]:
    dimensions = dict.fromkeys(
        dimension_column(name) for one in wanted for name in one.table.series.coordinates
    )
    return [_name(name) for name in (*_KEYS, *dimensions, "theme", "dataset", "resolution")]


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
