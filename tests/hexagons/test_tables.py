from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h3.api.numpy_int as h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hexagon_tables import LABELS, RETURN_PERIODS, flood_series, statistics

from thalweg.domain.coordinates import Coordinates
from thalweg.domain.tables import Column
from thalweg.errors import NoTables, UnreadableTable
from thalweg.hexagons.bounds import cell_bounds
from thalweg.hexagons.expected import Integration, expected_annual
from thalweg.hexagons.selection import Form, Selection, selected
from thalweg.hexagons.tables import (
    connect,
    describe,
    find_tables,
    partition,
    series_table,
    table_facts,
    write_table,
)

CELLS = np.sort(h3.grid_disk(h3.latlng_to_cell(-2, 30, 7), 3))


def test_a_row_has_both_ids_and_the_layers_side_by_side() -> None:
    numbers = statistics(len(CELLS), 3)
    table = series_table(flood_series("2050", "ssp245"), CELLS, numbers)
    row = table.slice(3, 1).to_pylist()[0]
    assert row["cell"] == int(row["h3"], 16) == CELLS[3]
    assert row["series"] == "flood_fluvial_2050_ssp245"
    assert (row["peril"], row["scenario"], row["country"]) == ("fluvial", "ssp245", None)
    assert [row[f"mean_{label}"] for label in LABELS] == numbers["mean"][3].tolist()
    assert table.schema.field("mean_1in5").metadata == {b"unit": b"cm"}


def test_rows_are_sorted_and_every_value_stays_with_its_cell() -> None:
    numbers = statistics(len(CELLS), 3)
    shuffled = np.random.default_rng(1).permutation(len(CELLS))
    mixed = series_table(
        flood_series("2020", "none"),
        CELLS[shuffled],
        {name: values[shuffled] for name, values in numbers.items()},
        countries=[str(index) for index in shuffled],
    )
    straight = series_table(
        flood_series("2020", "none"),
        CELLS,
        numbers,
        countries=[str(index) for index in range(len(CELLS))],
    )
    assert mixed.equals(straight, check_metadata=True)


def test_expected_annual_values_are_those_of_the_return_periods() -> None:
    numbers = statistics(len(CELLS), 3)
    integration = Integration(zero_at=2)
    table = series_table(flood_series("2020", "none"), CELLS, numbers, integration=integration)
    depth = table["expected_annual_depth"].to_numpy()
    expected = expected_annual(numbers["mean"], RETURN_PERIODS, integration)
    np.testing.assert_array_equal(depth, expected)
    assert "expected_annual_wet_share" in table.column_names
    assert "expected_annual_wet_area_km2" not in table.column_names
    assert b'"zero_at": 2' in table.schema.metadata[b"thalweg"]


def test_without_valid_pixels_a_value_is_null_and_a_count_zero() -> None:
    table = series_table(flood_series("2020", "none"), CELLS, statistics(len(CELLS), 3))
    row = table.slice(0, 1).to_pylist()[0]
    assert (row["valid_1in5"], row["mean_1in5"], row["expected_annual_depth"]) == (0, None, None)


def test_without_return_periods_nothing_is_expected() -> None:
    series = flood_series("2020", "none", labels=("",), periods=())
    table = series_table(series, CELLS, statistics(len(CELLS), 1))
    assert "mean" in table.column_names
    assert not [name for name in table.column_names if name.startswith("expected")]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        table = series_table(flood_series("2020", "none"), CELLS, statistics(len(CELLS), 3))
        write_table(table, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_says_what_it_is_about(tmp_path: Path) -> None:
    series = flood_series("2050", "ssp245")
    path = tmp_path / partition(series, 7) / "one.parquet"
    path.parent.mkdir(parents=True)
    write_table(series_table(series, CELLS, statistics(len(CELLS), 3)), path)
    found = describe(path)
    assert (found.series, found.resolution) == (series, 7)
    assert found.statistics == ("valid", "mean", "wet_share")
    assert found.expected == ["expected_annual_depth", "expected_annual_wet_share"]
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"


def test_one_view_holds_all_tables_with_their_partitions(tables: Path) -> None:
    with connect(find_tables(tables)) as connection:
        found = connection.sql(
            "SELECT dataset, resolution, count(*), count(mean), count(mean_1in5) FROM hexagons "
            "WHERE theme = 'flood_risk' GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    cells = {resolution: rows for dataset, resolution, rows, *_ in found if dataset == "terrain"}
    assert [(dataset, resolution) for dataset, resolution, *_ in found] == [
        ("flood", 5),
        ("flood", 6),
        ("terrain", 5),
        ("terrain", 6),
    ]
    for dataset, resolution, rows, means, means_by_period in found:
        scenarios = 2 if dataset == "flood" else 1
        known = cells[resolution] - -(-cells[resolution] // 10)
        assert rows == scenarios * cells[resolution]
        assert (means, means_by_period) == ((0, 2 * known) if dataset == "flood" else (known, 0))


def test_a_quote_in_a_folder_does_no_harm(tmp_path: Path) -> None:
    series = flood_series("2020", "none")
    path = tmp_path / "it's" / partition(series, 7) / "one.parquet"
    path.parent.mkdir(parents=True)
    write_table(series_table(series, CELLS, statistics(len(CELLS), 3)), path)
    with connect(find_tables(tmp_path / "it's")) as connection:
        assert connection.sql("SELECT count(*) FROM hexagons").fetchall() == [(len(CELLS),)]


def test_no_tables_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoTables):
        find_tables(tmp_path)


@pytest.mark.parametrize("content", [b"no parquet", b""])
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "damaged.parquet").write_bytes(content)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    for name in ("damaged.parquet", "other.parquet"):
        with pytest.raises(UnreadableTable) as error:
            describe(tmp_path / name)
        assert error.value.where == str(tmp_path / name)


def test_the_facts_tell_each_column_with_its_unit_and_words() -> None:
    words = {"mean": "Mean of the valid pixels"}
    numbers = statistics(len(CELLS), 3)
    facts = table_facts(
        series_table(flood_series("2020", "none"), CELLS, numbers, descriptions=words)
    )
    columns = {column.name: column for column in facts.columns}
    assert facts.rows == len(CELLS)
    assert facts.bounds == cell_bounds(CELLS)
    assert columns["cell"] == Column("cell", "uint64", "", "H3 cell as a number")
    assert columns["mean_1in100"] == Column(
        "mean_1in100", "double", "cm", "Mean of the valid pixels, 1in100"
    )
    expected = columns["expected_annual_depth"].description
    assert expected == "Mean of the valid pixels, expected in a year"
    assert columns["wet_share_1in5"].description == ""


def test_a_dimension_named_like_a_column_of_the_tables_keeps_its_values(tmp_path: Path) -> None:
    """A pixel size called `resolution` once gave exports two columns of that name."""
    series = replace(
        flood_series("2020", "none"),
        coordinates=Coordinates((("year", "2020"), ("resolution", "third"))),
    )
    path = tmp_path / partition(series, 7) / "one.parquet"
    path.parent.mkdir(parents=True)
    write_table(series_table(series, CELLS, statistics(len(CELLS), 3)), path)
    forms: tuple[Form, ...] = ("wide", "long")
    for form in forms:
        with selected([path], Selection(7), form) as reader:
            found = reader.read_all()
        assert len(set(found.column_names)) == len(found.column_names)
        assert set(found["resolution"].to_pylist()) == {7}
        assert set(found["source_resolution"].to_pylist()) == {"third"}
