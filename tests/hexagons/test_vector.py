from __future__ import annotations

import math
from collections import Counter, defaultdict
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import h3.api.numpy_int as h3
import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.errors import TooManyCategories
from thalweg.hexagons.export import export
from thalweg.hexagons.faults import Faults
from thalweg.hexagons.layers import slug
from thalweg.hexagons.records import Source
from thalweg.hexagons.selection import Selection
from thalweg.hexagons.tables import describe, write_table
from thalweg.hexagons.vector import (
    MOST_CATEGORIES,
    Categories,
    Tally,
    vector_statistics,
    vector_table,
)
from vector_files import statistics, write

CELLS = np.unique([h3.latlng_to_cell(-2 + index / 50, 30, 6) for index in range(20)]).astype(
    np.uint64
)

numbers = st.floats(-1e12, 1e12, allow_subnormal=False)
rows = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), numbers), min_size=1, max_size=60)


def tallied(batches: list[list[tuple[int, int, float]]]) -> np.ndarray[Any, Any]:
    tally = Tally(6, 1)
    for batch in batches:
        cell, category, value = (np.array(column) for column in zip(*batch, strict=True))
        tally.add(CELLS[cell], category.astype(np.uint64), value[:, None].astype(float))
    cells, sums = tally.sums(4)
    whole = np.zeros((len(CELLS), 4))
    whole[np.searchsorted(CELLS, cells)] = sums[..., 0]
    return whole


@settings(deadline=None)
@given(rows=rows, cuts=st.lists(st.integers(1, 59), max_size=5), seed=st.integers(0, 99))
def test_sums_are_exact_whatever_the_batches_and_their_order(
    rows: list[tuple[int, int, float]], cuts: list[int], seed: int
) -> None:
    exact: dict[tuple[int, int], Fraction] = defaultdict(Fraction)
    for cell, category, value in rows:
        exact[cell, category] += Fraction(value)
    edges = [0, *sorted({cut for cut in cuts if cut < len(rows)}), len(rows)]
    shuffled = [rows[index] for index in np.random.default_rng(seed).permutation(len(rows))]
    for order in (rows, shuffled):
        batches = [order[start:stop] for start, stop in pairwise(edges)]
        found = tallied(batches)
        for (cell, category), expected in exact.items():
            scale = sum(abs(value) for c, k, value in rows if (c, k) == (cell, category))
            # A hundred thousand times better than adding one after the other.
            assert found[cell, category] == pytest.approx(
                float(expected), rel=1e-15, abs=1e-28 * scale
            )


def test_cells_and_categories_that_were_not_met_are_absent_and_zero() -> None:
    tally = Tally(6, 2)
    tally.add(
        CELLS[[3, 1, 3]], np.array([0, 2, 0], np.uint64), np.array([[1, 0], [1, 5], [1, 7]], float)
    )
    tally.add(CELLS[:0], np.array([], np.uint64), np.zeros((0, 2)))
    cells, sums = tally.sums(3)
    assert cells.tolist() == CELLS[[1, 3]].tolist()
    assert sums.tolist() == [[[0, 0], [0, 0], [1, 5]], [[2, 7], [0, 0], [0, 0]]]


def by_hand(points: np.ndarray[Any, Any], kinds: list[str], resolution: int) -> Counter[Any]:
    cells = [h3.latlng_to_cell(lat, lon, resolution) for lon, lat in points.tolist()]
    return Counter(zip(cells, kinds, strict=True))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 9999), resolution=st.integers(0, 12))
def test_points_are_counted_as_one_by_one(
    seed: int, resolution: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    random = np.random.default_rng(seed)
    points = random.uniform((-180, -90), (180, 90), (300, 2))
    points[100:] = points[100] + random.normal(0, 0.01, (200, 2))
    points = np.clip(points, (-180, -90), (180, 90))
    kinds = random.choice(["a", "b", "c"], 300).tolist()
    path = tmp_path_factory.mktemp("points") / "points.parquet"
    write(path, shapely.points(points), {"kind": kinds})
    found, _ = statistics(path, resolution, category="kind")
    expected = by_hand(points, kinds, resolution)
    counts = found.sums["count"]
    assert counts.dtype == np.int64
    assert counts.sum() == 300
    for row, cell in enumerate(found.cells):
        for column, kind in enumerate(found.categories):
            assert counts[row, column] == expected[cell, kind]


def test_all_resolutions_come_of_one_reading_and_files_add_up(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    parts = [random.uniform((29, -3), (31, -1), (size, 2)) for size in (70, 30)]
    values = [random.random(len(part)).tolist() for part in parts]
    paths = [
        write(tmp_path / f"{index}.gpkg", shapely.points(part), {"v": values[index]})
        for index, part in enumerate(parts)
    ]
    sources = [Source(str(path), path.name, sums=("v",)) for path in paths]
    faults = Faults()
    found = vector_statistics(sources, [3, 8], "centroid", faults)
    assert faults.rows == 100
    for one in found.values():
        assert one.sums["count"].sum() == 100
        assert one.sums["sum_v"].sum() == pytest.approx(math.fsum([*values[0], *values[1]]))


def test_columns_tell_what_kinds_of_features_there_are(tmp_path: Path) -> None:
    line, box = shapely.LineString([(30, -2), (30.01, -2)]), shapely.box(30, -2, 30.01, -1.99)
    only, _ = statistics(write(tmp_path / "points.gpkg", [shapely.Point(30, -2)]))
    assert list(only.sums) == ["count"]
    lines, _ = statistics(write(tmp_path / "lines.gpkg", [line]))
    assert list(lines.sums) == ["count", "length_km"]
    mixed, _ = statistics(write(tmp_path / "mixed.parquet", [line, box]), rule="share")
    assert list(mixed.sums) == ["count", "length_km", "polygon_area_km2"]
    assert mixed.sums["length_km"].sum() == pytest.approx(1.112, rel=1e-3)
    assert mixed.sums["polygon_area_km2"].sum() == pytest.approx(1.23, rel=1e-2)


def test_a_file_of_nothing_usable_makes_an_empty_table(tmp_path: Path) -> None:
    path = write(tmp_path / "none.parquet", [None, shapely.Point(500, 0)], {"kind": ["a", "b"]})
    found, faults = statistics(path, category="kind")
    table = vector_table(found, theme="infrastructure", dataset="none", units={})
    assert table.num_rows == 0
    assert faults.rows_left_out == 2


def test_words_that_cannot_be_column_names_are_told_apart_by_what_they_spell() -> None:
    texts = np.array(["École  primaire", "ecole primaire", "none", None, "學校", "大学"], object)
    categories = Categories("kind")
    numbers = categories.labelled(texts)
    labels = list(categories.texts)
    assert [labels[number] for number in numbers] == [
        "ecole_primaire", "ecole_primaire", "uncategorised", "uncategorised",
        slug("學校"), slug("大学"),
    ]  # fmt: skip
    assert categories.texts[slug("學校")] == "學校"
    assert len(set(labels)) == 4


def test_more_categories_than_a_table_has_room_for_are_refused(tmp_path: Path) -> None:
    count = MOST_CATEGORIES + 1
    path = write(
        tmp_path / "ids.csv", shapely.points([(30, -2)] * count), {"id": list(range(count))}
    )
    with pytest.raises(TooManyCategories, match="'id' tells more than 200"):
        statistics(path, category="id")


def test_the_table_is_wide_by_category_and_long_when_exported_so(tmp_path: Path) -> None:
    points = shapely.points([(30, -2), (30, -2), (30.5, -1.5)])
    columns = {"kind": ["School", "Clinic", "School"], "staff": [7, 2, 4]}
    found, _ = statistics(
        write(tmp_path / "some.gpkg", points, columns), category="kind", sums=("staff",)
    )
    table = vector_table(found, theme="health", dataset="my-places", units={"staff": "person"})
    rows = {row["h3"]: row for row in table.to_pylist()}
    first, second = (
        h3.int_to_str(h3.latlng_to_cell(*place, 7)) for place in ((-2, 30), (-1.5, 30.5))
    )
    wanted = ("count_school", "count_clinic", "sum_staff_school", "sum_staff_clinic")
    assert [rows[first][name] for name in wanted] == [1, 1, 7, 2]
    assert [rows[second][name] for name in wanted] == [1, 0, 4, 0]
    assert rows[first]["area_km2"] == pytest.approx(h3.average_hexagon_area(7, "km^2"), rel=0.3)
    assert table.schema.field("sum_staff_clinic").metadata[b"unit"] == b"person"
    folder = tmp_path / "theme=health" / "dataset=my-places" / "resolution=7"
    folder.mkdir(parents=True)
    write_table(table, folder / "t.parquet")
    assert describe(folder / "t.parquet").series.id == "my_places"
    out = tmp_path / "long.parquet"
    assert export([folder / "t.parquet"], out, Selection(7), form="long") == 4
    long = pq.read_table(out).to_pylist()
    assert {(row["layer"], row["h3"], row["count"], row["sum_staff"]) for row in long} == {
        ("my_places_school", first, 1, 7),
        ("my_places_clinic", first, 1, 2),
        ("my_places_school", second, 1, 4),
        ("my_places_clinic", second, 0, 0),
    }


def test_the_same_features_in_another_order_give_the_same_bytes(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    corners = random.uniform((29, -3), (31, -1), (200, 2))
    boxes = shapely.box(*corners.T, *(corners + 0.02).T)
    columns = {"kind": random.choice(["a", "b"], 200).tolist(), "v": random.random(200).tolist()}
    order = random.permutation(200)
    shuffled = {name: [values[index] for index in order] for name, values in columns.items()}
    tables = []
    for name, held, one in (("a", boxes, columns), ("b", boxes[order], shuffled)):
        path = write(tmp_path / f"{name}.parquet", held, one)
        found, _ = statistics(path, 7, "share", category="kind", sums=("v",))
        tables.append(vector_table(found, theme="t", dataset="d", units={"v": "1"}))
    assert tables[0].equals(tables[1], check_metadata=False)


@pytest.mark.shared
def test_the_schools_and_health_facilities_of_rwanda(shared: Path) -> None:
    path = shared / "rwanda" / "facilities" / "wasac-rwasom-2-data-revised.gpkg"
    schools, faults = statistics(
        path, 7, "share", layer="School", category="type_ of_facility", sums=("staff_number",)
    )
    assert faults.rows == 1186
    assert dict(faults.reasons) == {"no number in staff_number": 12}
    assert schools.sums["count"].sum() == pytest.approx(1186)
    assert schools.sums["sum_staff_number"].sum() == pytest.approx(49_541)
    assert len(schools.categories) == 9
    health, faults = statistics(path, 7, layer="Health_Facility", sums=("visitor_number",))
    assert (faults.rows, faults.rows_left_out) == (459, 1)
    assert faults.named[0].reason == "an invalid geometry"
    assert health.sums["count"].sum() == 458


@pytest.mark.shared
@pytest.mark.parametrize("rule", ["centroid", "each", "share"])
def test_the_buildings_of_kampala(shared: Path, rule: str) -> None:
    path = shared / "rwanda" / "kampala_buildings" / "kampala_buildings_ms.geojson"
    found, faults = statistics(path, 10, rule)
    assert not faults.reasons
    count = found.sums["count"].sum()
    assert count == pytest.approx(4840) if rule != "each" else count > 4840
    assert found.sums["polygon_area_km2"].sum() == pytest.approx(1.273823, rel=1e-6)
