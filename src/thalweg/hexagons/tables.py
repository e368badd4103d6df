"""Hexagon tables: Parquet by theme, dataset and resolution, and DuckDB's view of them all.

One row per cell and series (scenario), the layers of the series (return periods) as columns such
as mean_1in100. Rows lie in the order of the cells' ids, which is an order in space.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from thalweg.domain.tables import Column, TableFacts
from thalweg.errors import NoTables, UnreadableTable
from thalweg.hexagons.bounds import cell_bounds
from thalweg.hexagons.cells import Cells, cell_strings
from thalweg.hexagons.expected import Integration, expected_annual
from thalweg.hexagons.layers import Series, column_name

type Statistics = Mapping[str, NDArray[Any]]

ROW_GROUP_ROWS = 50_000
VIEW = "hexagons"
METADATA_KEY = b"thalweg"
_KEYS = frozenset({"cell", "h3", "country", "series", "theme", "dataset", "resolution"})
RESERVED = _KEYS | {"layer", "label", "return_period", "geometry", "bbox", "longitude", "latitude"}
EXPECTED = {
    "mean": "expected_annual_depth",
    "wet_share": "expected_annual_wet_share",
    "wet_area_km2": "expected_annual_wet_area_km2",
}


def dimension_column(name: str) -> str:
    """The column of a dimension's values: `source_` goes before a name that means something else in
    tables and exports, such as `resolution`."""
    return f"source_{name}" if name in RESERVED else name


def partition(series: Series, resolution: int) -> str:
    """The folder of a series' table below the root of all tables."""
    return f"theme={series.theme}/dataset={series.dataset}/resolution={resolution}"


def series_table(
    series: Series,
    cells: Cells,
    statistics: Statistics,
    *,
    per_cell: Statistics | None = None,
    countries: Sequence[str | None] | None = None,
    units: Mapping[str, str] | None = None,
    descriptions: Mapping[str, str] | None = None,
    complete: Collection[str] = (),
    integration: Integration | None = None,
    expected: Mapping[str, str] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> pa.Table:
    """The rows of one series: `cells` [n], each once, and each of the statistics [n, layers].

    `per_cell` are numbers [n] that all layers have in common, such as the pixels of a cell. NaN
    becomes null. Where the series has return periods, those statistics that are in `expected`, or
    else in `EXPECTED`, are integrated over annual probability, to the columns named there.
    `units` names each column's unit where it is not that of the pixels, `descriptions` what it is
    in words, `complete` the statistics that every row has: what cannot be null is written faster.
    `notes` go into the metadata beside series and integration: the sampling rule, say.
    """
    codes = pa.array([None] * len(cells) if countries is None else countries, pa.string())
    per_cell = per_cell or {}
    if not (cells[:-1] <= cells[1:]).all():
        order = np.argsort(cells)
        cells, codes = cells[order], codes.take(pa.array(order))
        statistics = {name: values[order] for name, values in statistics.items()}
        per_cell = {name: values[order] for name, values in per_cell.items()}
    return statistics_table(
        series,
        _key_columns(series, cells, codes),
        statistics,
        per_row=per_cell,
        units=units,
        descriptions=descriptions,
        complete=complete,
        integration=integration,
        expected=expected,
        notes=notes,
    )


def statistics_table(
    series: Series,
    keys: Mapping[pa.Field, Any],
    statistics: Statistics,
    *,
    per_row: Statistics,
    units: Mapping[str, str] | None = None,
    descriptions: Mapping[str, str] | None = None,
    complete: Collection[str] = (),
    integration: Integration | None = None,
    expected: Mapping[str, str] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> pa.Table:
    """As `series_table`, of rows that columns of their own are the `keys` of, in their order."""
    words = descriptions or {}
    columns = dict(keys)
    for name, values in per_row.items():
        unit = _unit(series, name, units)
        columns[_field(name, values.dtype, unit, words.get(name))] = values
    chosen = integration or Integration()
    for statistic, column in _expected(series, statistics, expected or EXPECTED).items():
        values = expected_annual(statistics[statistic], series.return_periods, chosen)
        unit, told = _unit(series, statistic, units), _expected_words(words.get(statistic))
        columns[_field(column, np.dtype(np.float64), unit, told)] = values
    for statistic, per_layer in statistics.items():
        unit = _unit(series, statistic, units)
        for layer, label in enumerate(series.labels):
            told = _layer_words(words.get(statistic), label)
            field = _field(column_name(statistic, label), per_layer.dtype, unit, told)
            columns[field.with_nullable(statistic not in complete)] = per_layer[:, layer]
    described = {
        "series": series.to_json(),
        "statistics": list(statistics),
        "per_cell": list(per_row),
        "integration": chosen.to_json(),
        **({"expected": dict(expected)} if expected else {}),
        **(notes or {}),
    }
    schema = pa.schema(list(columns), metadata={METADATA_KEY: json.dumps(described).encode()})
    arrays = [_array(values, field.type) for field, values in columns.items()]
    return pa.Table.from_arrays(arrays, schema=schema)


def write_table(table: pa.Table, path: Path) -> None:
    """Writes a table; the same rows give the same bytes."""
    with _writer(path, table.schema) as writer:
        writer.write_table(table, ROW_GROUP_ROWS)


def write_batches(batches: Iterable[pa.Table], path: Path) -> TableFacts:
    """Writes tables of cells as one, each as a row group, and tells of it as `table_facts`."""
    cells: list[Cells] = []
    with ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        for batch in batches:
            writer = writer or stack.enter_context(_writer(path, batch.schema))
            writer.write_table(batch)
            cells.append(batch["cell"].to_numpy())
            schema = batch.schema
    return _facts(schema, np.concatenate(cells))


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Statistics of numbers are left out: filters are on what rows are found by."""
    keys = [name for name in schema.names if name in _KEYS]
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=["country", "series"],
        write_statistics=keys,
        write_page_index=True,
        write_batch_size=ROW_GROUP_ROWS,
    )


def table_facts(table: pa.Table) -> TableFacts:
    """What is told of a table that has a column `cell`, in catalogues."""
    return _facts(table.schema, table["cell"].to_numpy())


def _facts(schema: pa.Schema, cells: Cells) -> TableFacts:
    return TableFacts(len(cells), table_columns(schema), cell_bounds(cells))


def table_columns(schema: pa.Schema) -> tuple[Column, ...]:
    """What the fields of a schema tell of the columns."""
    return tuple(_column(field) for field in schema)


def _column(field: pa.Field) -> Column:
    told = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    return Column(field.name, str(field.type), told.get("unit", ""), told.get("description", ""))


@dataclass(frozen=True)
class Described:
    """What a table's file says of itself: its series, and what it tells of cells and layers.

    `notes` is all that it says, as JSON.
    """

    path: Path
    series: Series
    per_cell: tuple[str, ...]
    statistics: tuple[str, ...]
    expected_columns: Mapping[str, str]
    notes: Mapping[str, Any]

    @property
    def resolution(self) -> int:
        return int(self.path.parent.name.removeprefix("resolution="))

    @property
    def expected(self) -> list[str]:
        """The columns of expected annual values."""
        return list(_expected(self.series, self.statistics, self.expected_columns).values())


def describe(path: Path) -> Described:
    """What a table's file says of itself; raises `UnreadableTable`."""
    try:
        document = json.loads((pq.read_schema(path).metadata or {})[METADATA_KEY])
        return Described(
            path,
            Series.from_json(document["series"]),
            tuple(document["per_cell"]),
            tuple(document["statistics"]),
            document.get("expected", EXPECTED),
            document,
        )
    except (pa.ArrowInvalid, KeyError) as error:
        raise UnreadableTable(hint="remove it, or make it anew", where=str(path)) from error


def find_tables(root: Path) -> list[Path]:
    """Every table below a folder; raises `NoTables`."""
    found = sorted(root.glob("theme=*/dataset=*/resolution=*/*.parquet"))
    if not found:
        raise NoTables(hint="run a pipeline that has a step `hexagons`", where=str(root))
    return found


def connect(tables: Sequence[Path]) -> duckdb.DuckDBPyConnection:
    """DuckDB with the view `hexagons` of all rows of the tables, to be closed.

    theme, dataset and resolution are columns; a column that some tables lack is null there.
    """
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    files = ", ".join(_quoted(str(path)) for path in tables)
    # A view takes no bound parameters; the only text from outside is quoted.
    connection.execute(
        f"CREATE VIEW {VIEW} AS SELECT * FROM read_parquet([{files}], union_by_name = true, "  # noqa: S608
        "hive_partitioning = true, hive_types = "
        "{'theme': VARCHAR, 'dataset': VARCHAR, 'resolution': TINYINT})"
    )
    return connection


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    """Of numpy's floats NaN becomes null, by a mask that is made faster than `pa.array` does."""
    if isinstance(values, pa.Array):
        return values
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
        return pa.array(values, kind)
    nan = np.isnan(values)
    mask = pa.py_buffer(np.packbits(~nan, bitorder="little")) if nan.any() else None
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(kind, len(values), [mask, data])


def _expected(
    series: Series, statistics: Iterable[str], columns: Mapping[str, str]
) -> dict[str, str]:
    return {one: columns[one] for one in statistics if one in columns and series.return_periods}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _unit(series: Series, statistic: str, units: Mapping[str, str] | None) -> str:
    return (units or {}).get(statistic, series.unit)


def scenario_columns(series: Series, rows: int) -> dict[pa.Field, Any]:
    """The key columns that tell the scenario."""
    return {
        _key("series", pa.string(), "Scenario, by its id"): pa.repeat(series.id, rows),
        **{
            _key(
                dimension_column(name), pa.string(), "Coordinate of the scenario", nullable=True
            ): pa.repeat(value, rows)
            for name, value in series.coordinates.items()
        },
    }


def _key_columns(series: Series, cells: Cells, countries: pa.Array) -> dict[pa.Field, Any]:
    """What rows are found by: the cell, its country, and the scenario with its coordinates."""

    text, country = pa.string(), "Country of the cell's centre, by ISO 3166-1 alpha-3 code"
    return {
        _key("cell", pa.uint64(), "H3 cell as a number"): cells,
        _key("h3", text, "H3 cell as hexadecimal text"): cell_strings(cells),
        _key("country", text, country, nullable=True): countries,
        **scenario_columns(series, len(cells)),
    }


def _key(name: str, kind: pa.DataType, words: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": words})


def _expected_words(words: str | None) -> str | None:
    return words and f"{words}, expected in a year"


def _layer_words(words: str | None, label: str) -> str | None:
    return f"{words}, {label}" if words and label else words


def _field(name: str, dtype: np.dtype[Any], unit: str, description: str | None) -> pa.Field:
    told = {"unit": unit, **({"description": description} if description else {})}
    return pa.field(name, pa.from_numpy_dtype(dtype), metadata=told)
