"""Rows of tables by what they mean, a page at a time, through one DuckDB for all who ask.

The tables are those of H3 cells and of areas, as `hexagons.tables` writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from shapely.geometry.base import BaseGeometry

from thalweg.domain.coordinates import NONE
from thalweg.errors import MissingColumn, NothingSelected, UnknownCoordinate
from thalweg.hexagons.layers import column_name
from thalweg.hexagons.places import MOST_CELLS, seed
from thalweg.hexagons.tables import Described, describe, dimension_column, table_columns

type Where = Mapping[str, Sequence[str]]
"""Values of dimensions, of `series` or of `dataset`: one of each is wanted."""
type Key = tuple[int | str, str]
"""Where a page ended: the cell or area, and the series."""

CELL_KEYS = ("cell", "h3", "country", "series")
AREA_KEYS = ("area", "areas", "series")
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "512MB",
    "threads": 2,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_ADDING = frozenset({"pixel", "building", "feature", "km2", "m2", "km"})
_WEIGHTS = {"mean": "valid", "wet_share": "valid", "wet_mean": "wet"}


@dataclass(frozen=True)
class Value:
    """A column of numbers: a statistic of one layer, or of all of a series (`label` is None)."""

    name: str
    statistic: str
    label: str | None
    return_period: float | None
    unit: str
    description: str


@dataclass(frozen=True)
class Query:
    """Some columns of some rows: `tables` are all of one resolution, or all of areas.

    `keys` tell a row from the others, the first of them being its place. Empty or None stands for
    all. `countries` are ISO 3166-1 alpha-3 codes, `areas` codes of areas; `place` is an outline in
    WGS 84: cells with their centre inside, of which there may be `most_cells`. Rows are ordered by
    place and series, and begin after `after`.
    """

    tables: tuple[Described, ...]
    values: tuple[Value, ...]
    keys: tuple[str, ...] = CELL_KEYS
    countries: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    place: BaseGeometry | None = None
    most_cells: int = MOST_CELLS
    after: Key | None = None

    @property
    def dimensions(self) -> list[str]:
        """The columns of the scenarios' coordinates, but those that are `none` everywhere."""
        pairs = [pair for one in self.tables for pair in one.series.coordinates.items()]
        return list(dict.fromkeys(dimension_column(name) for name, value in pairs if value != NONE))


class Reader:
    """One DuckDB, in memory; every call has a cursor of its own, so that threads may share it."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(config=_CONFIG)
        self._connection.execute("SET parquet_metadata_cache = true")

    def close(self) -> None:
        self._connection.close()

    def rows(self, query: Query, limit: int) -> pa.Table:
        """The first `limit` rows: keys, coordinates of the scenario, values.

        The fields' metadata tell units and words. Raises `TooManyCells` for a place.
        """
        names = [*query.keys, *query.dimensions, *(one.name for one in query.values)]
        order = f"{query.keys[0]}, series"
        found = self._asked(query, ", ".join(map(_name, names)), f"ORDER BY {order} LIMIT {limit}")
        told = {one.name: one for one in query.values}
        fields = [_told(field, told.get(field.name)) for field in found.schema]
        return found.cast(pa.schema(fields))

    def as_json(self, rows: pa.Table) -> list[str]:
        """Each row as a JSON object; `cell` as text, since it is too long for JSON's numbers."""
        pairs = [
            f"{_name(name)} := {_name(name)}{'::VARCHAR' if name == 'cell' else ''}"
            for name in rows.column_names
        ]
        with closing(self._connection.cursor()) as cursor:
            made = cursor.from_arrow(rows).project(f"to_json(struct_pack({', '.join(pairs)})) AS j")
            texts: list[str] = made.to_arrow_table()["j"].to_pylist()
        return texts

    def summary(self, query: Query) -> list[dict[str, Any]]:
        """What the rows come to, by series and value: how many there are, how many have a number,
        the least and the greatest; `sum` of what adds up, and `mean` of what can be weighed, as
        that of all pixels or buildings together. None stands for what cannot be told."""
        parts = [part for one in query.values for part in _sums(query, one)]
        columns = ", ".join(["series", 'count(*) AS "rows"', *parts])
        found = self._asked(query, columns, "GROUP BY series ORDER BY series").to_pylist()
        return [_summed(row, query, value) for row in found for value in _of_series(query, row)]

    def _asked(self, query: Query, columns: str, end: str) -> pa.Table:
        files = ", ".join(_quoted(str(one.path)) for one in query.tables)
        with closing(self._connection.cursor()) as cursor:
            where, parameters = _conditions(cursor, query)
            return cursor.sql(
                f"SELECT {columns} FROM read_parquet([{files}], union_by_name = true) "  # noqa: S608
                f"WHERE {where} {end}",
                params=parameters or None,
            ).to_arrow_table()


def chosen(tables: Iterable[Described], where: Where) -> list[Described]:
    """The tables of the series that have one of each's values.

    `none` stands for no value. Raises `UnknownCoordinate`, which names what there is, and
    `NothingSelected` where each value is known but no series has them all.
    """
    held = [(one, coordinates_of(one)) for one in tables]
    for name, values in where.items():
        known = {coordinates[name] for _, coordinates in held if name in coordinates}
        if not known:
            names = dict.fromkeys(name for _, coordinates in held for name in coordinates)
            raise UnknownCoordinate(
                f"no table has a dimension {name!r}", hint=f"there are {', '.join(names)}"
            )
        for value in values:
            if value not in known:
                raise UnknownCoordinate(
                    f"no table has {name} {value!r}", hint=f"there are {', '.join(sorted(known))}"
                )
    found = [
        one
        for one, coordinates in held
        if all(coordinates.get(name, NONE) in values for name, values in where.items())
    ]
    if not found:
        raise NothingSelected("no scenario is all of that", hint="take one of the values away")
    return found


def values_of(
    tables: Sequence[Described], statistics: Sequence[str], periods: Sequence[float] = ()
) -> tuple[Value, ...]:
    """The columns of some statistics, of the layers with those return periods in years (or all).

    Raises `MissingColumn` for a statistic that no table has, and `UnknownCoordinate` for such a
    return period.
    """
    _check_periods(tables, periods)
    found: dict[str, Value] = {}
    for statistic in statistics:
        for table in tables:
            found |= {one.name: one for one in _values(table, statistic, periods)}
        if not any(_has(one, statistic) for one in tables):
            known = dict.fromkeys(name for one in tables for name in statistics_of(one))
            raise MissingColumn(
                f"there is no statistic {statistic!r}", hint=f"there are {', '.join(known)}"
            )
    return tuple(found.values())


@lru_cache(maxsize=65_536)
def described(path: Path) -> Described:
    """`tables.describe`, once for each file: what is published does not change."""
    return describe(path)


@lru_cache(maxsize=256)
def _told_columns(path: Path) -> Mapping[str, tuple[str, str]]:
    return {one.name: (one.unit, one.description) for one in table_columns(pq.read_schema(path))}


def coordinates_of(table: Described) -> dict[str, str]:
    """What a table's series can be asked for by: its coordinates by column, itself, its dataset."""
    series = table.series
    return {
        **{dimension_column(name): value for name, value in series.coordinates.items()},
        "series": series.id,
        "dataset": series.dataset,
    }


def _check_periods(tables: Sequence[Described], periods: Sequence[float]) -> None:
    known = sorted({period for one in tables for period in one.series.return_periods})
    for period in periods:
        if period not in known:
            listed = ", ".join(f"{one:g}" for one in known)
            raise UnknownCoordinate(
                f"no table has a return period of {period:g} years",
                hint=f"there are {listed}" if known else "these tables have none",
            )


def statistics_of(table: Described) -> list[str]:
    """Whatever can be asked of a table's cells: by layer, expected in a year, and by cell."""
    return [*table.statistics, *table.expected, *table.per_cell]


def _has(table: Described, statistic: str) -> bool:
    return statistic in statistics_of(table)


def _values(table: Described, statistic: str, periods: Sequence[float]) -> Iterable[Value]:
    told = _told_columns(table.path)
    if statistic in table.statistics:
        series = table.series
        for label, period in zip(
            series.labels, series.return_periods or [None] * len(series.labels), strict=True
        ):
            if not periods or period in periods:
                name = column_name(statistic, label)
                yield Value(name, statistic, label, period, *told[name])
    elif _has(table, statistic):
        yield Value(statistic, statistic, None, None, *told[statistic])


def _conditions(connection: duckdb.DuckDBPyConnection, query: Query) -> tuple[str, list[Any]]:
    conditions: list[str] = ["true"]
    parameters: list[Any] = []
    for column, codes in (("country", query.countries), ("area", query.areas)):
        if codes:
            conditions.append(f"list_contains(?, {column})")
            parameters.append(list(codes))
    if query.place is not None:
        cells = seed(query.place, query.tables[0].resolution, most=query.most_cells).cells
        connection.register("wanted_cells", pa.table({"cell": cells}))
        conditions.append("cell IN (SELECT cell FROM wanted_cells)")
    if query.after is not None:
        place, series = query.after
        first = query.keys[0]
        conditions.append(f"{first} >= ? AND ({first} > ? OR series > ?)")
        parameters += [place, place, series]
    return " AND ".join(conditions), parameters


def _of_series(query: Query, row: Mapping[str, Any]) -> Iterable[Value]:
    """The values that the series of a row has: a column may be another's."""
    table = next(one for one in query.tables if one.series.id == row["series"])
    for value in query.values:
        in_layers = value.label in table.series.labels and value.statistic in table.statistics
        if in_layers or (value.label is None and _has(table, value.statistic)):
            yield value


def _sums(query: Query, value: Value) -> Iterable[str]:
    column, weight = _name(value.name), _weight(query, value)
    for function in ("count", "min", "max", *(["sum"] if _adds(value) else [])):
        yield f"{function}({column}) AS {_name(f'{function} {value.name}')}"
    if weight:
        by = f"{_name(weight)} * ({column} IS NOT NULL)::INT"
        mean = f"sum({column} * {_name(weight)}) / nullif(sum({by}), 0)"
        yield f"{mean} AS {_name(f'mean {value.name}')}"


def _summed(row: Mapping[str, Any], query: Query, value: Value) -> dict[str, Any]:
    table = next(one for one in query.tables if one.series.id == row["series"])
    told = {
        dimension_column(name): held
        for name, held in table.series.coordinates.items()
        if held != NONE
    }
    total = row.get(f"sum {value.name}")
    return {
        "series": row["series"],
        **told,
        "statistic": value.statistic,
        "label": value.label,
        "return_period": value.return_period,
        "unit": value.unit,
        "rows": row["rows"],
        "rows_with_value": row[f"count {value.name}"],
        "min": row[f"min {value.name}"],
        "max": row[f"max {value.name}"],
        "sum": None if total is None else float(total),
        "mean": row.get(f"mean {value.name}"),
        "weighed_by": _weight(query, value),
    }


def _adds(value: Value) -> bool:
    """Whether the sum over cells is that of the place: counts, areas and damage add up."""
    statistic = value.statistic.removeprefix("expected_annual_")
    return value.unit in _ADDING or statistic == "sum" or statistic.startswith("damage_")


def _weight(query: Query, value: Value) -> str | None:
    """The column that a mean over cells is weighed by, if all tables have it."""
    if value.statistic.startswith("exposed_share_"):
        weight = "buildings"
    elif value.label is None:
        weight = "" if _adds(value) else "area_km2"
    else:
        share = value.statistic.startswith("share_above_")
        counted = "valid" if share else _WEIGHTS.get(value.statistic, "")
        weight = counted and column_name(counted, value.label)
    held = all(weight in _told_columns(one.path) for one in query.tables)
    return weight if weight and held else None


def _told(field: pa.Field, value: Value | None) -> pa.Field:
    if value is None:
        return field
    return field.with_metadata({"unit": value.unit, "description": value.description})


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
