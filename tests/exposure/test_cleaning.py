from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyproj
import pytest
import shapely
from building_files import house
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.domain.tiles import BoundingBox
from thalweg.exposure.cleaning import Wanted, clean
from thalweg.exposure.ellipsoid import area_m2
from thalweg.exposure.readers.reading import Columns, SourceFile, read_batch
from thalweg.exposure.reasons import MENDED, Reason

FILE = SourceFile(Path("a.csv"), "test", "a.csv", Columns())
RWANDA = BoundingBox(28.8, -2.9, 30.9, -1.0)


def cleaned(*geometries, wanted: Wanted | None = None, problems=None, **columns):
    wkb = [one if isinstance(one, bytes | None) else shapely.to_wkb(one) for one in geometries]
    batch = read_batch(
        FILE,
        pa.array(wkb, pa.binary()),
        np.arange(2, 2 + len(wkb)),
        {name: pa.array(values) for name, values in columns.items()},
        None if problems is None else np.array(problems, object),
    )
    return clean(batch, FILE, wanted or Wanted())


def told(result) -> dict[int, str]:
    rows, reasons = result.report["row"].to_pylist(), result.report["reason"].to_pylist()
    assert result.report["kept"].to_pylist() == [Reason(one) in MENDED for one in reasons]
    return dict(zip(rows, reasons, strict=True))


BOWTIE = shapely.Polygon([(30, -2), (30.001, -1.999), (30.001, -2), (30, -1.999)])
LINE = shapely.Polygon([(30, -2), (30.001, -2), (30.002, -2)])

DROPPED = {
    "no geometry": (None, Reason.NO_GEOMETRY),
    "empty": (shapely.Polygon(), Reason.NO_GEOMETRY),
    "cut off": (shapely.to_wkb(house(30, -2))[:40], Reason.DAMAGED_GEOMETRY),
    "NaN": (shapely.Point(np.nan, -2), Reason.NOT_FINITE),
    "infinite": (shapely.Point(np.inf, -2), Reason.NOT_FINITE),
    "swapped": (house(-2, 130), Reason.SWAPPED),
    "beyond": (house(500, 500), Reason.OUT_OF_RANGE),
    "in metres": (house(500_000, 9_800_000, 10), Reason.OUT_OF_RANGE),
    "round the globe": (shapely.box(-179.9, -17, 179.9, -16.9), Reason.ANTIMERIDIAN),
    "a line": (shapely.LineString([(30, -2), (31, -2)]), Reason.WRONG_KIND),
}


@pytest.mark.parametrize("case", DROPPED)
def test_a_bad_row_is_reported_by_its_reason_and_the_others_are_right(case: str) -> None:
    geometry, reason = DROPPED[case]
    result = cleaned(house(30, -2), geometry, house(30.5, -2.5))
    assert told(result) == {3: reason}
    assert result.buildings["longitude"].to_pylist() == pytest.approx([30, 30.5])
    assert result.buildings["id"].to_pylist() == ["a.csv#2", "a.csv#4"]


def test_coordinates_that_are_swapped_within_the_globe_are_told_by_the_bounds() -> None:
    result = cleaned(house(-2, 30), house(30, -2), house(10, 10), wanted=Wanted(RWANDA))
    assert told(result) == {2: Reason.SWAPPED}
    assert result.outside == 1
    assert result.buildings.num_rows == 1


@pytest.mark.parametrize("confidence", [-0.1, 1.01, np.nan, np.inf])
def test_a_confidence_out_of_range_is_reported(confidence: float) -> None:
    result = cleaned(house(30, -2), house(30, -2), confidence=[confidence, 1.0])
    assert told(result) == {2: Reason.CONFIDENCE}


def test_the_number_for_unknown_is_unknown_and_others_below_zero_are_not() -> None:
    result = cleaned(
        *[house(30, -2)] * 4,
        wanted=Wanted(unknown=-1),
        height=[-1.0, 3.5, -2.0, np.nan],
        confidence=[-1.0, None, 0.5, 1.0],
    )
    assert result.buildings["height_m"].to_pylist() == [None, 3.5, None, None]
    assert result.buildings["confidence"].to_pylist() == [None, None, 0.5, 1.0]
    assert told(result) == {4: Reason.HEIGHT, 5: Reason.HEIGHT}


def test_a_reader_problem_is_reported_as_it_is() -> None:
    result = cleaned(house(30, -2), None, problems=["bad_number", "bad_geometry_text"])
    assert told(result) == {2: "bad_number", 3: "bad_geometry_text"}
    assert result.buildings.num_rows == 0


def test_an_invalid_footprint_is_repaired_to_its_polygonal_part() -> None:
    result = cleaned(BOWTIE, house(30, -2))
    assert told(result) == {2: Reason.REPAIRED}
    repaired = shapely.from_wkb(result.buildings["geometry"][0].as_py())
    assert repaired.is_valid
    assert repaired.geom_type == "MultiPolygon"
    assert result.buildings["area_m2"][0].as_py() == pytest.approx(area_m2(np.array([repaired]))[0])


def test_a_footprint_without_area_becomes_a_point() -> None:
    result = cleaned(LINE, shapely.Polygon([(30, -2)] * 4), house(30, -2))
    assert told(result) == {2: Reason.NO_AREA, 3: Reason.NO_AREA}
    points = shapely.from_wkb(result.buildings["geometry"].to_numpy(zero_copy_only=False)[:2])
    assert {point.geom_type for point in points} == {"Point"}
    assert result.buildings["longitude"].to_pylist()[:2] == pytest.approx([30.001, 30])
    assert result.buildings["area_m2"].to_pylist()[:2] == [None, None]


def test_a_point_has_the_area_that_its_source_says() -> None:
    result = cleaned(shapely.Point(30, -2), shapely.Point(30, -2), area=[55.5, None])
    assert result.buildings["area_m2"].to_pylist() == [55.5, None]


def test_height_is_dropped_from_geometries_of_three_dimensions() -> None:
    deep = shapely.force_3d(house(30, -2), 1500)
    big_endian = shapely.to_wkb(house(30, -2), byte_order=0)
    result = cleaned(deep, big_endian, house(30, -2))
    assert set(result.buildings["geometry"].to_pylist()) == {shapely.to_wkb(house(30, -2))}
    assert told(result) == {}


def test_what_is_not_wanted_is_counted_and_not_reported() -> None:
    result = cleaned(
        house(30, -2), house(30, -2), house(10, -2), BOWTIE,
        wanted=Wanted(RWANDA, confidence=0.7),
        confidence=[0.69, 0.7, 0.9, 0.1],
    )  # fmt: skip
    assert (result.outside, result.unconfident, result.buildings.num_rows) == (1, 2, 1)
    assert told(result) == {}


def test_a_building_of_unknown_confidence_is_taken() -> None:
    result = cleaned(house(30, -2), wanted=Wanted(confidence=0.7), confidence=[None])
    assert result.buildings.num_rows == 1


def test_bounds_over_the_antimeridian_hold_both_sides() -> None:
    result = cleaned(
        house(179, -17), house(-179, -17), house(0, -17),
        wanted=Wanted(BoundingBox(178, -20, -178, -15)),
    )  # fmt: skip
    assert (result.buildings.num_rows, result.outside) == (2, 1)


@settings(deadline=None)
@given(
    lon=st.floats(-179, 179),
    lat=st.floats(-85, 85),
    side=st.floats(1e-4, 1e-2),
    turn=st.floats(0, 360),
)
def test_areas_are_the_geodesic_ones(lon: float, lat: float, side: float, turn: float) -> None:
    polygon = shapely.affinity.rotate(house(lon, lat, side), turn)
    expected = abs(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(polygon)[0])
    assert area_m2(np.array([polygon]))[0] == pytest.approx(expected, rel=1e-5)


def test_holes_and_parts_count_in_the_area() -> None:
    outer, hole = house(30, -2, 1e-3), house(30, -2, 5e-4)
    holed = shapely.Polygon(outer.exterior, [hole.exterior])
    parts = shapely.multipolygons([holed, house(31, -2)])
    areas = area_m2(np.array([outer, hole, holed, house(31, -2), parts, shapely.Point(1, 1), None]))
    assert areas[2] == pytest.approx(areas[0] - areas[1])
    assert areas[4] == pytest.approx(areas[2] + areas[3])
    assert areas[5:].tolist() == [0, 0]


NAN_GEOMETRY = st.sampled_from([None, b"", b"\x01\x03", shapely.Point(np.nan, 1), BOWTIE, LINE])


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(NAN_GEOMETRY, st.builds(house, st.floats(-400, 400), st.floats(-200, 200))),
        min_size=1,
        max_size=30,
    )
)
def test_every_row_is_a_building_or_reported_or_not_wanted(geometries) -> None:
    result = cleaned(*geometries, wanted=Wanted(BoundingBox(-180, -90, 100, 90)))
    dropped = result.report.filter(pa.compute.invert(result.report["kept"])).num_rows
    assert result.buildings.num_rows + dropped + result.outside == len(geometries)
    assert shapely.is_valid(
        shapely.from_wkb(result.buildings["geometry"].to_numpy(zero_copy_only=False))
    ).all()
