from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from pyproj import Transformer

from thalweg.hexagons import features
from thalweg.hexagons.ellipsoid import areas_km2
from thalweg.hexagons.features import numbers
from vector_files import statistics, told, write

BOX = shapely.box(30, -2, 30.01, -1.99)
BOW = shapely.Polygon([(30, -2), (30.1, -1.9), (30.1, -2), (30, -1.9)])


def test_each_unusable_geometry_is_named_by_row_and_reason_and_the_rest_counted(
    tmp_path: Path,
) -> None:
    geometries = [
        BOX,
        None,
        shapely.Polygon(),
        BOW,
        shapely.Point(np.nan, 1),
        shapely.Point(30, 91),
        shapely.Point(-180.5, 0),
        shapely.GeometryCollection([BOX, shapely.Point(1, 1)]),
        shapely.Point(30, np.inf),
        shapely.LineString([(30, -2), (31, -1)]),
        shapely.Point(180, -90),
    ]
    path = write(tmp_path / "mixed.parquet", geometries, {"n": list(range(11))})
    found, faults = statistics(path, sums=("n",))
    assert told(faults) == [
        (2, features.NO_GEOMETRY),
        (3, features.EMPTY),
        (4, features.INVALID),
        (5, features.NOT_FINITE),
        (6, features.OUT_OF_RANGE),
        (7, features.OUT_OF_RANGE),
        (8, features.COLLECTION),
        (9, features.NOT_FINITE),
    ]
    assert (faults.rows, faults.rows_left_out, faults.numbers_left_out) == (11, 8, 0)
    assert found.sums["count"].sum() == 3
    assert found.sums["sum_n"].sum() == 0 + 9 + 10
    assert faults.named[2].text.startswith("Self-intersection")


def test_a_damaged_geometry_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "damaged.parquet", [BOX, BOX])
    table = pq.read_table(path)
    wkb = pa.array([shapely.to_wkb(BOX)[:40], shapely.to_wkb(BOX)], pa.binary())
    pq.write_table(table.set_column(0, "shape", wkb), path)
    found, faults = statistics(path)
    assert told(faults) == [(1, features.DAMAGED)]
    assert found.sums["count"].sum() == 1


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".gpkg", ".geojson", ".fgb", ".shp"])
def test_text_among_numbers_is_named_and_its_feature_still_counted(
    tmp_path: Path, suffix: str
) -> None:
    points = shapely.points(np.linspace(30, 30.5, 6), -2)
    column = ["12", " 7 ", "12 pupils", None, "1e2", "nan"]
    path = write(tmp_path / f"schools{suffix}", points, {"pupils": column})
    found, faults = statistics(path, sums=("pupils",))
    nothing, text = "no number in pupils", "text instead of a number in pupils"
    assert told(faults) == [(3, text), (4, nothing), (6, text)]
    assert faults.named[0].text == "12 pupils"
    assert (faults.rows_left_out, faults.numbers_left_out) == (0, 3)
    assert found.sums["count"].sum() == 6
    assert found.sums["sum_pupils"].sum() == 12 + 7 + 100


@pytest.mark.parametrize(
    ("column", "values", "wrong"),
    [
        (pa.array([1, None, 3]), [1, np.nan, 3], [1]),
        (pa.array([1.5, np.nan, np.inf]), [1.5, np.nan, np.nan], [1, 2]),
        (pa.array([True, False]).cast(pa.int8()), [1, 0], []),
        (pa.array(["-1.5e3", "1,5", "0x10", "+4."]), [-1500, np.nan, np.nan, 4], [1, 2]),
        (pa.array([1, 2]).cast(pa.decimal128(21, 2)), [1, 2], []),
        (pa.array(["7", "x"]).dictionary_encode(), [7, np.nan], [1]),
        (pa.array([True, False]), [np.nan, np.nan], [0, 1]),
    ],
)
def test_numbers_of_every_kind_of_column(
    column: Any, values: list[float], wrong: list[int]
) -> None:
    found, faults = numbers(column, "n")
    assert found == pytest.approx(values, nan_ok=True)
    assert sorted(faults) == wrong


def test_a_table_s_coordinates_that_are_none_leave_the_row_out(tmp_path: Path) -> None:
    path = tmp_path / "places.csv"
    path.write_text("lat,lon\n-2,30\n,30\nnorth,30\n-2,31\n-2,nan\n")
    found, faults = statistics(path)
    assert told(faults) == [
        (2, "no number in lat"),
        (3, "text instead of a number in lat"),
        (5, "text instead of a number in lon"),
    ]
    assert found.sums["count"].sum() == 2


@pytest.mark.parametrize("suffix", [".gpkg", ".parquet", ".shp", ".fgb"])
def test_other_reference_systems_are_brought_to_longitude_and_latitude(
    tmp_path: Path, suffix: str
) -> None:
    to_utm = Transformer.from_crs("EPSG:4326", "EPSG:32736", always_xy=True)
    moved = shapely.transform(BOX, lambda points: np.column_stack(to_utm.transform(*points.T)))
    path = write(tmp_path / f"utm{suffix}", [moved], crs="EPSG:32736")
    found, faults = statistics(path, 9, "share")
    assert not faults.reasons
    assert found.sums["polygon_area_km2"].sum() == pytest.approx(
        areas_km2(np.array([BOX], object))[0], rel=1e-6
    )


def test_coordinates_outside_their_reference_system_are_named(tmp_path: Path) -> None:
    points = shapely.points([(500_000, 9_000_000), (1e12, 1e12)])
    _, faults = statistics(write(tmp_path / "utm.gpkg", points, crs="EPSG:32736"))
    assert told(faults) == [(2, features.NOT_FINITE)]


def test_heights_are_let_go(tmp_path: Path) -> None:
    path = write(tmp_path / "peaks.parquet", shapely.points([(30, -2, 4507), (30, -2, 1)]))
    found, faults = statistics(path)
    assert found.sums["count"].sum() == 2
    assert not faults.reasons


def test_what_jumps_over_the_antimeridian_is_cut_there(tmp_path: Path) -> None:
    island = shapely.Polygon([(179, -17), (-178, -17), (-178, -16), (179, -16)])
    cable = shapely.LineString([(175, 0), (-175, 1)])
    path = write(tmp_path / "pacific.parquet", [island, cable])
    found, faults = statistics(path, 4, "share")
    assert not faults.reasons
    assert found.sums["polygon_area_km2"].sum() == pytest.approx(35_400, rel=0.01)
    assert found.sums["length_km"].sum() == pytest.approx(1118, rel=0.01)
