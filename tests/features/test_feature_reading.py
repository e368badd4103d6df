"""Vector files as tables of features."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from thalweg.cli.main import app
from thalweg.errors import (
    FeatureTableExists,
    FeatureTableNotFound,
    InvalidFeatureTable,
    MissingColumn,
    UnreadableFeatures,
    UnreadableFeatureTable,
)
from thalweg.features.geopackage import GeoPackages
from thalweg.features.reading import VectorFile, _plain
from thalweg.hexagons.records import Source
from vector_files import write

SQUARE = shapely.box(0, 0, 2, 1)
COLUMNS = {"Name": ["a", None], "How many": [1, 2], "share": [0.5, float("nan")]}


def source(path: Path, **given: str) -> Source:
    return Source(str(path), path.name, **given)


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "fgb", "shp", "parquet"])
def test_files_of_every_kind_become_the_same_table(tmp_path: Path, ending: str) -> None:
    columns = {"name": ["a", None], "many": [1, 2]}
    path = write(tmp_path / f"squares.{ending}", [SQUARE, shapely.box(3, 0, 4, 1)], columns)
    read = VectorFile(source(path), "squares")
    kept = GeoPackages(tmp_path / "features").put(read.table, read.rows())
    assert [(one.name, one.kind) for one in kept.columns] == [("name", "text"), ("many", "integer")]
    assert kept.count == 2
    assert kept.bounds == (0, 0, 4, 1)
    (rows,) = GeoPackages(tmp_path / "features").rows("squares")
    assert rows["fid"].to_pylist() == [1, 2]
    assert rows["many"].to_pylist() == [1, 2]
    shapes = shapely.from_wkb(rows["geometry"].to_pylist())
    assert shapely.equals(shapes, [SQUARE, shapely.box(3, 0, 4, 1)]).all()


def test_names_are_small_and_nan_is_unknown(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [SQUARE, SQUARE], COLUMNS)
    read = VectorFile(source(path), "a")
    (rows,) = read.rows()
    assert rows.schema.names == ["fid", "name", "how_many", "share", "geometry"]
    assert rows["share"].to_pylist() == [0.5, None]


@given(st.lists(st.text(max_size=70), max_size=5))
def test_plain_names_are_valid_and_differ(names: list[str]) -> None:
    plain = _plain(names)
    assert len(set(plain)) == len(names)
    for name in plain:
        assert name.isascii()
        assert name.replace("_", "a").isalnum()
        assert len(name) <= 63
        assert name not in ("fid", "geometry")


def test_other_reference_systems_become_longitude_and_latitude(tmp_path: Path) -> None:
    mercator = shapely.Point(111319.49079327358, 0)
    path = write(tmp_path / "m.gpkg", [mercator], {"a": [1]}, crs="EPSG:3857")
    (rows,) = VectorFile(source(path), "m").rows()
    (point,) = shapely.from_wkb(rows["geometry"].to_pylist())
    assert np.allclose(shapely.get_coordinates(point), [[1, 0]], atol=1e-9)


def test_what_is_no_place_is_left_out_and_named(tmp_path: Path) -> None:
    bow = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    path = write(tmp_path / "b.geojson", [SQUARE, None, bow, shapely.Point(200, 0)], {"a": [1] * 4})
    read = VectorFile(source(path), "b")
    (rows,) = read.rows()
    assert rows["fid"].to_pylist() == [1]
    assert read.faults.rows_left_out == 3
    assert [one.row for one in read.faults.named] == [2, 3, 4]


def test_times_lists_and_objects(tmp_path: Path) -> None:
    seen = datetime(2020, 5, 1, 12, tzinfo=UTC)
    columns = {"seen": [seen], "tags": [["a", "b"]], "of": [{"b": 1}]}
    (rows,) = VectorFile(source(write(tmp_path / "t.parquet", [SQUARE], columns)), "t").rows()
    assert rows.to_pylist()[0]["seen"] == seen
    assert rows["tags"].to_pylist() == ['["a", "b"]']
    assert rows["of"].to_pylist() == ['{"b": 1}']


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"a": [float("inf")]}, "infinite"),
        ({"a": [b"x"]}, "binary"),
        ({"a": ["x\0y"]}, "NUL"),
    ],
)
def test_what_no_table_holds_is_refused(
    tmp_path: Path, columns: dict[str, list[object]], told: str
) -> None:
    path = write(tmp_path / "x.parquet", [SQUARE], columns)
    with pytest.raises(InvalidFeatureTable, match=told):
        list(VectorFile(source(path), "x").rows())


def test_numbers_too_large_for_a_whole_number_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "u.parquet", [SQUARE], {"a": pa.array([1 << 63], pa.uint64())})
    with pytest.raises(InvalidFeatureTable, match="column a"):
        list(VectorFile(source(path), "u").rows())


@pytest.mark.parametrize("name", ["", "A", "1a", "a b", "a/b", "..", "a" * 49, "ä", 'a"b'])
def test_names_of_tables_are_plain(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "x.geojson", [SQUARE], {"a": [1]})
    with pytest.raises(InvalidFeatureTable):
        VectorFile(source(path), name)


def test_columns_may_be_chosen(tmp_path: Path) -> None:
    path = write(tmp_path / "x.geojson", [SQUARE], {"a": [1], "b": [2]})
    assert [one.name for one in VectorFile(source(path), "x", columns=["b"]).table.columns] == ["b"]
    with pytest.raises(MissingColumn):
        VectorFile(source(path), "x", columns=["c"])


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.gpkg").write_bytes(b"nothing")
    with pytest.raises(UnreadableFeatures, match=r"x\.gpkg") as raised:
        VectorFile(source(tmp_path / "x.gpkg"), "x")
    assert raised.value.where == "x.gpkg"
    store = GeoPackages(tmp_path)
    with pytest.raises(UnreadableFeatureTable):
        store.table("x")
    for name in ("y", "../x", "a/b"):
        with pytest.raises(FeatureTableNotFound):
            store.table(name)


def test_a_table_that_fails_half_way_leaves_the_earlier_one(tmp_path: Path) -> None:
    store = GeoPackages(tmp_path / "features")
    good = VectorFile(source(write(tmp_path / "g.geojson", [SQUARE], {"a": [1]})), "x")
    store.put(good.table, good.rows())

    def broken() -> object:
        yield from good.rows()
        raise InvalidFeatureTable("half way")

    with pytest.raises(InvalidFeatureTable):
        store.put(good.table, broken())
    assert store.table("x").count == 1
    assert [path.name for path in (tmp_path / "features").iterdir()] == ["x.gpkg"]


def test_commands_add_list_and_remove(tmp_path: Path) -> None:
    runner, on = CliRunner(), ["-w", str(tmp_path / "w")]
    path = write(tmp_path / "Squares.geojson", [SQUARE, None], {"a": [1, 2]})
    added = runner.invoke(app, ["features", "add", str(path), "--title", "Squares", *on])
    assert added.stdout == "squares: 1 features, 1 columns\n"
    assert "1 of 2 rows were left out" in added.stderr
    again = runner.invoke(app, ["features", "add", str(path), *on])
    assert isinstance(again.exception, FeatureTableExists)
    assert runner.invoke(app, ["features", "add", str(path), "--replace", *on]).exit_code == 0
    assert "squares" in runner.invoke(app, ["features", "list", *on]).stdout
    assert runner.invoke(app, ["features", "remove", "squares", *on]).exit_code == 0
    assert "no features yet" in runner.invoke(app, ["features", "list", *on]).stdout


def test_countries_come_with_thalweg(tmp_path: Path) -> None:
    added = CliRunner().invoke(app, ["features", "add", "countries", "-w", str(tmp_path)])
    assert added.stdout.startswith("countries: 254 features")
