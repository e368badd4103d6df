from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from thalweg.errors import MissingColumn, UnknownFormat, UnreadableFeatures
from thalweg.hexagons import records
from vector_files import statistics, told, write

POINTS = shapely.points(np.random.default_rng(3).uniform((29, -3), (31, -1), (60, 2)))
COLUMNS = {
    "kind": ["school", "clinic", "School"] * 19 + ["shop", None, ""],
    "pupils": list(range(60)),
}
SUFFIXES = [".gpkg", ".fgb", ".geojson", ".json", ".shp", ".parquet", ".csv"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same(tmp_path: Path, suffix: str) -> None:
    options = {"driver": "GeoJSON"} if suffix == ".json" else {}
    path = write(tmp_path / f"some{suffix}", POINTS, COLUMNS, **options)
    found, faults = statistics(path, category="kind", sums=("pupils",))
    assert not faults.reasons
    assert faults.rows == 60
    assert dict(found.categories) == {
        "clinic": "clinic", "school": "School", "shop": "shop", "uncategorised": "",
    }  # fmt: skip
    assert found.sums["count"].sum(axis=0).tolist() == [19, 38, 1, 2]
    assert found.sums["sum_pupils"].sum(axis=0)[[0, 3]].tolist() == [sum(range(1, 57, 3)), 58 + 59]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("at_once", [1, 7, 59])
def test_batches_of_any_size_give_the_same(
    tmp_path: Path, suffix: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"driver": "GeoJSON"} if suffix == ".json" else {}
    path = write(tmp_path / f"some{suffix}", POINTS, COLUMNS, **options)
    whole, _ = statistics(path, category="kind", sums=("pupils",))
    monkeypatch.setattr(records, "ROWS_AT_ONCE", at_once)
    found, faults = statistics(path, category="kind", sums=("pupils",))
    assert faults.rows == 60
    assert (found.cells == whole.cells).all()
    assert found.sums.keys() == whole.sums.keys()
    for name, sums in found.sums.items():
        assert (sums == whole.sums[name]).all()


def test_rows_with_too_few_or_many_fields_are_named_and_the_others_keep_their_numbers(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ragged.csv"
    path.write_text('lon,lat,n\n30,-2,1\n30,-2\n30,-2,x\n\n30,-2,"a\nb"\n1,2,3,4\n30,-2,\n')
    found, faults = statistics(path, sums=("n",))
    assert sorted(told(faults)) == [
        (2, records.WRONG_FIELDS),
        (3, "text instead of a number in n"),
        (4, "text instead of a number in n"),
        (5, records.WRONG_FIELDS),
        (6, "no number in n"),
    ]
    assert (faults.rows, faults.rows_left_out, faults.numbers_left_out) == (6, 2, 3)
    assert found.sums["count"].sum() == 4


def test_a_parquet_table_of_points(tmp_path: Path) -> None:
    path = tmp_path / "points.parquet"
    pq.write_table(pa.table({"x": [30.0, 31.0], "y": [-2.0, None]}), path)
    found, faults = statistics(path, longitude="x", latitude="y")
    assert told(faults) == [(2, "no number in y")]
    assert found.sums["count"].sum() == 1


def test_coordinates_in_columns_may_be_of_another_reference_system(tmp_path: Path) -> None:
    path = tmp_path / "utm.csv"
    path.write_text("lon,lat\n500000,9779000\n")
    found, _ = statistics(path, crs="EPSG:32736")
    expected, _ = statistics(write(tmp_path / "same.gpkg", shapely.points([(33, -1.99930)])))
    assert found.cells.tolist() == expected.cells.tolist()


class TestRefused:
    def test_a_format_that_is_not_read(self, tmp_path: Path) -> None:
        with pytest.raises(UnknownFormat, match=r"'\.xls' are not read .*\.gpkg"):
            statistics(tmp_path / "table.xls")

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_a_column_that_is_not_there(self, tmp_path: Path, suffix: str) -> None:
        options = {"driver": "GeoJSON"} if suffix == ".json" else {}
        path = write(tmp_path / f"some{suffix}", POINTS, COLUMNS, **options)
        with pytest.raises(MissingColumn, match=r"no column 'staff'.*kind, pupils"):
            statistics(path, sums=("staff",))

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_a_file_that_is_something_else(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"damaged{suffix}"
        path.write_bytes(b"\xff\xfe\x00 not this \x00\xff\n" * 50)
        with pytest.raises((UnreadableFeatures, MissingColumn)) as caught:
            statistics(path)
        assert caught.value.where == path.name

    @pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".parquet", ".csv"])
    def test_a_file_that_is_not_there(self, tmp_path: Path, suffix: str) -> None:
        with pytest.raises(UnreadableFeatures):
            statistics(tmp_path / f"absent{suffix}")

    def test_one_of_several_layers_that_nobody_named(self, tmp_path: Path) -> None:
        path = write(tmp_path / "two.gpkg", POINTS, layer="schools")
        write(path, POINTS[:3], layer="clinics", append=True)
        with pytest.raises(UnreadableFeatures, match=r"2 layers.*schools, clinics"):
            statistics(path)
        with pytest.raises(UnreadableFeatures, match="no layer 'shops'"):
            statistics(path, layer="shops")
        found, _ = statistics(path, layer="clinics")
        assert found.sums["count"].sum() == 3

    @pytest.mark.parametrize("suffix", [".gpkg", ".parquet"])
    def test_an_unknown_reference_system_unless_it_is_told(
        self, tmp_path: Path, suffix: str
    ) -> None:
        path = write(tmp_path / f"some{suffix}", POINTS, crs=None)
        with pytest.raises(UnreadableFeatures, match="names no coordinate reference system"):
            statistics(path)
        assert statistics(path, crs="EPSG:4326")[0].sums["count"].sum() == 60

    def test_a_reference_system_that_does_not_exist(self, tmp_path: Path) -> None:
        path = write(tmp_path / "some.csv", POINTS)
        with pytest.raises(UnreadableFeatures, match="unknown reference system"):
            statistics(path, crs="EPSG:999999")

    def test_parquet_and_csv_without_any_geometry(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"n": [1]}), tmp_path / "plain.parquet")
        with pytest.raises(UnreadableFeatures, match="not GeoParquet"):
            statistics(tmp_path / "plain.parquet")
        path = write(tmp_path / "some.csv", POINTS)
        with pytest.raises(UnreadableFeatures, match="a CSV has no geometry"):
            statistics(path, longitude="", latitude="")
