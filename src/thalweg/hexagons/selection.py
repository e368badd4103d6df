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
from thalweg.hexagons.layers import column_name
from thalweg.hexagons.places import seed
from thalweg.hexagons.tables import VIEW, Described, connect, describe

type Form = Literal["wide", "long"]

ROWS_AT_ONCE = 100_000
_MEMORY = "512MB"
_KEYS = ("cell", "h3", "country", "series")


@dataclass(frozen=True)
class Selection:
    """Rows of one resolution; empty or None stands for all.

    `series` and `layers` are ids; a layer's id selects its series, too. `countries` are ISO 3166-1
    alpha-3 codes. `place` is an outline in WGS 84: cells with their centre inside.
    """

    resolution: int
    series: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    place: BaseGeometry | None = None


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
    described = _described(tables, selection)
    with connect([one.path for one in described]) as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        where = _conditions(connection, selection)
        any_row = f"SELECT 1 FROM {VIEW} WHERE {where} LIMIT 1"  # noqa: S608
        if not connection.sql(any_row).fetchall():
            raise NothingSelected(hint="widen the countries, the place or the bounding box")
        sql = _wide(described, selection) if form == "wide" else _long(described, selection)
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


def _described(tables: Sequence[Path], selection: Selection) -> list[Described]:
    at_resolution = [path for path in tables if f"resolution={selection.resolution}" in path.parts]
    if not at_resolution:
        raise NothingSelected(
            f"no table has resolution {selection.resolution}",
            hint=f"there are {', '.join(_resolutions(tables)) or 'none'}",
        )
    all_described = [describe(path) for path in at_resolution]
    _check_known(selection.series, (one.series.id for one in all_described))
    _check_known(selection.layers, (layer for one in all_described for layer in _layers(one)))
    if not selection.series and not selection.layers:
        return all_described
    return [
        one
        for one in all_described
        if one.series.id in selection.series or set(_layers(one)) & set(selection.layers)
    ]


def _resolutions(tables: Sequence[Path]) -> list[str]:
    found = {path.parent.name.removeprefix("resolution=") for path in tables}
    return sorted(found, key=int)


def _layers(described: Described) -> list[str]:
    return [described.series.layer_id(label) for label in described.series.labels]


def _check_known(wanted: Iterable[str], known: Iterable[str]) -> None:
    all_known = sorted(set(known))
    for one in wanted:
        if one not in all_known:
            near = difflib.get_close_matches(one, all_known, n=2, cutoff=0.3) or all_known[:2]
            raise UnknownLayer(f"there is no {one}", hint=f"there are such as {', '.join(near)}")


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


def _wide(described: Sequence[Described], selection: Selection) -> str:
    keys = ", ".join(_keys(described))
    others = f"* EXCLUDE ({keys})"
    if selection.layers:
        others = ", ".join(
            dict.fromkeys(
                _name(column_name(statistic, label))
                for one in described
                for statistic in one.statistics
                for label in one.series.labels
                if one.series.layer_id(label) in selection.layers
            )
        )
    return f"SELECT {keys}, {others} FROM {VIEW} WHERE {{where}} ORDER BY cell, series"  # noqa: S608


def _long(described: Sequence[Described], selection: Selection) -> str:
    statistics = dict.fromkeys(name for one in described for name in one.statistics)
    parts = [
        _layer_rows(one, index, statistics, _keys(described))
        for one in described
        for index, label in enumerate(one.series.labels)
        if not selection.layers or one.series.layer_id(label) in selection.layers
    ]
    return f"SELECT * EXCLUDE (nth) FROM ({' UNION ALL '.join(parts)}) ORDER BY cell, series, nth"  # noqa: S608


def _layer_rows(one: Described, index: int, statistics: Iterable[str], keys: list[str]) -> str:
    series, label = one.series, one.series.labels[index]
    period = series.return_periods[index] if series.return_periods else "NULL"
    values = [
        f"{_name(column_name(name, label)) if name in one.statistics else 'NULL'} AS {_name(name)}"
        for name in statistics
    ]
    return (
        f"SELECT {', '.join(keys)}, '{series.layer_id(label)}' AS layer, '{label}' AS label, "  # noqa: S608
        f"{period}::DOUBLE AS return_period, {', '.join(values)}, {index} AS nth "
        f"FROM {VIEW} WHERE series = '{series.id}' AND {{where}}"
    )


def _keys(described: Sequence[Described]) -> list[str]:
    dimensions = dict.fromkeys(name for one in described for name in one.series.coordinates)
    return [_name(name) for name in (*_KEYS, *dimensions, "theme", "dataset", "resolution")]


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
