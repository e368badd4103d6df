"""Exposure by cell and area, against counting buildings one by one with rasterio and shapely."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from flooded import NODATA, PIXEL, RULES, WATER, brute, buildings, flood, write_raster, write_table
from hypothesis import given
from hypothesis import strategies as st

from thalweg.domain.coordinates import Coordinates
from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.errors import PipelineError, UnreadableBuildings, UsageError
from thalweg.exposure import prepared
from thalweg.exposure.aggregate import (
    Aggregation,
    Exposure,
    Groups,
    Question,
    fixed_sums,
    losses_of,
)
from thalweg.exposure.damage import Curve, Damage
from thalweg.exposure.ellipsoid import area_m2
from thalweg.exposure.exposed import areas_exposure, cells_exposure
from thalweg.exposure.exposing import Exposed, Places, expose
from thalweg.exposure.pixel_lists import Rule
from thalweg.exposure.prepared import AreasFile
from thalweg.exposure.sampling import MEASURED, OUTSIDE, SPECIAL, UNKNOWN, Depths, Raster
from thalweg.hexagons.expected import expected_annual
from thalweg.hexagons.layers import Series, above
from thalweg.hexagons.tables import describe
from thalweg.hexagons.tables import write_table as write_cells

PERIODS = (10.0, 100.0, 1000.0)
LABELS = ("1in10", "1in100", "1in1000")
SERIES = Series("exposure", "homes", "cm", Coordinates((("peril", "fluvial"),)), LABELS, PERIODS)
CURVE = Curve((0.0, 1.0, 2.0), (0.0, 0.5, 0.9))
DAMAGES = (
    Damage("homes", CURVE, 300.0, "m2", "USD"),
    Damage("each", CURVE, 1000.0, "building", "USD"),
)
THRESHOLDS = (0.15, 0.5, 1.0)


class Case:
    """A raster, a table of buildings on it, and the areas west and east of 29 degrees."""

    def __init__(self, folder: Path, count: int = 500) -> None:
        self.folder = folder
        self.pixels = flood()
        self.raster = write_raster(folder / "flood.tif", self.pixels)
        shapes = buildings(count)
        codes = ["AAA" if shape.centroid.y > -1 else None for shape in shapes]
        self.shapes = write_table(folder / "buildings.parquet", shapes, codes)
        self.outlines = folder / "areas.geojson"
        features = [
            {"type": "Feature", "properties": {"name": name}, "geometry": json.loads(geometry)}
            for name, geometry in (
                ("west", shapely.to_geojson(shapely.box(28.2, -3, 29, 1))),
                ("east", shapely.to_geojson(shapely.box(29, -3, 31, 1))),
            )
        ]
        self.outlines.write_text(json.dumps({"type": "FeatureCollection", "features": features}))

    def expose(self, question: Question, keep: bool = False, **places: Any) -> Exposed:
        chosen = Places((5, 7), areas=(AreasFile("halves", self.outlines, "name"),), **places)
        return expose(
            self.folder / "buildings.parquet",
            [Raster(str(self.raster), "flood.tif")],
            question,
            chosen,
            SERIES,
            self.folder / "kept.parquet" if keep else None,
        )


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(tmp_path_factory.mktemp("exposing"))


def counted(case: Case, rule: str, group_of) -> dict[Any, dict[str, Any]]:
    """What every group comes to, building by building."""
    found: dict[Any, dict[str, Any]] = {}
    for shape in case.shapes:
        key = group_of(shape)
        if key is None:
            continue
        row = found.setdefault(key, defaultdict(float))
        area = float(area_m2(np.array([shape], object))[0])
        row["buildings"] += 1
        row["floor_area_m2"] += area
        row["without_area"] += shape.geom_type == "Point"
        for band, label in zip(case.pixels, LABELS, strict=True):
            state, depth = brute(band, shape, rule)
            if state == "outside":
                row["outside"] += label == LABELS[0]
            elif state != "measured":
                row[f"{state}_{label}"] += 1
            for threshold in THRESHOLDS:
                if depth > threshold * 100:
                    row[f"exposed_{above(threshold)}_{label}"] += 1
                    row[f"exposed_area_{above(threshold)}_m2_{label}"] += area
            if depth > 15:
                row.setdefault(f"depths_{label}", []).append(depth / 100)
            lost = np.interp(depth / 100, CURVE.depths_m, CURVE.shares)
            row[f"damage_homes_{label}"] += 300 * area * lost
            row[f"damage_each_{label}"] += 1000 * lost
    return found


def check(table: pa.Table, keys: list[Any], expected: dict[Any, dict[str, Any]]) -> None:
    assert sorted(keys) == sorted(expected)
    for key, row in zip(keys, table.to_pylist(), strict=True):
        wanted = expected[key]
        for name in ("buildings", "floor_area_m2", "without_area", "outside"):
            assert row[name] == pytest.approx(wanted[name]), (key, name)
        for label in LABELS:
            names = ["unknown", "permanent_water", "damage_homes", "damage_each"]
            names += [f"exposed_{above(one)}" for one in THRESHOLDS]
            names += [f"exposed_area_{above(one)}_m2" for one in THRESHOLDS]
            for name in names:
                assert row[f"{name}_{label}"] == pytest.approx(wanted[f"{name}_{label}"])
            depths = wanted.get(f"depths_{label}")
            assert row[f"mean_depth_m_{label}"] == (
                pytest.approx(np.mean(depths)) if depths else None
            )
            assert row[f"max_depth_m_{label}"] == (pytest.approx(max(depths)) if depths else None)
            share = wanted[f"exposed_above_50cm_{label}"] / wanted["buildings"]
            assert row[f"exposed_share_above_50cm_{label}"] == pytest.approx(share)
        for name in ("exposed_above_50cm", "damage_homes"):
            values = [wanted[f"{name}_{label}"] for label in LABELS]
            yearly = expected_annual(values, PERIODS)
            assert row[f"expected_annual_{name}"] == pytest.approx(float(yearly))


@pytest.mark.parametrize("rule", ["centroid", "max", "mean", "any"])
def test_every_number_of_cells_and_areas_is_that_of_counting(case: Case, rule: str) -> None:
    question = Question(RULES, Rule(rule), thresholds_m=THRESHOLDS, damages=DAMAGES)
    exposed = case.expose(question)
    assert exposed.buildings == len(case.shapes)
    for resolution in (5, 7):

        def cell(shape: shapely.Geometry, resolution: int = resolution) -> int:
            place = shape.centroid
            return h3.str_to_int(h3.latlng_to_cell(place.y, place.x, resolution))

        table = cells_exposure(SERIES, exposed.cells[resolution], question)
        check(table, table["cell"].to_pylist(), counted(case, rule, cell))

    def half(shape: shapely.Geometry) -> str | None:
        x = shape.centroid.x
        return None if x < 28.2 else "west" if x <= 29 else "east"

    areas = areas_exposure(SERIES, exposed.areas["halves"], question, "halves")
    check(areas, areas["area"].to_pylist(), counted(case, rule, half))
    countries = areas_exposure(SERIES, exposed.areas["countries"], question, "countries")
    within = counted(case, rule, lambda shape: "AAA" if shape.centroid.y > -1 else None)
    check(countries, countries["area"].to_pylist(), within)


def test_shares_of_the_table_come_to_what_the_whole_does(case: Case, monkeypatch) -> None:
    question = Question(RULES, damages=DAMAGES)
    whole = case.expose(question)
    one_tile = prepared.shares
    monkeypatch.setattr(prepared, "shares", lambda table: one_tile(table, most=1))
    cut = case.expose(question)
    assert len(list(prepared.shares(case.folder / "buildings.parquet"))) > 4
    for one, other in (
        (whole.cells[7], cut.cells[7]),
        (whole.areas["halves"], cut.areas["halves"]),
    ):
        same(one, other)


def same(one: Exposure, other: Exposure) -> None:
    assert one.keys.tolist() == other.keys.tolist()
    for mine, theirs in ((one.fixed, other.fixed), (one.layers, other.layers)):
        assert mine.keys() == theirs.keys()
        for name, values in mine.items():
            assert values == pytest.approx(theirs[name]), name
    assert np.array_equal(one.deepest, other.deepest)


@pytest.mark.parametrize(("unit", "factor"), [("cm", 100), ("m", 1), ("mm", 1000)])
def test_half_a_metre_is_met_in_the_unit_of_the_pixels(tmp_path, unit: str, factor: int) -> None:
    """On a centimetre raster 50 is not deeper than 0.5 m, and 51 is."""
    depths = np.array([[[0.49, 0.5, 0.51, 0.1]]]) * factor
    pixels = np.zeros((1, 40, 40), np.float32)
    pixels[0, 0, :4] = depths
    path = write_raster(tmp_path / "flood.tif", pixels, predictor=3, nodata=-1)
    shapes = [shapely.Point(28 + (n + 0.5) * PIXEL, -0.5 * PIXEL) for n in range(4)]
    write_table(tmp_path / "buildings.parquet", shapes)
    rules = PixelRules("float32", unit, -1, 0, 10_000)
    question = Question(rules, Rule.CENTROID, thresholds_m=(0.5,))
    series = Series("exposure", "homes", unit, Coordinates(()), ("1in100",), (100.0,))
    exposed = expose(
        tmp_path / "buildings.parquet", [Raster(str(path), "f")], question, Places((5,)), series
    )
    table = cells_exposure(series, exposed.cells[5], question)
    assert sum(table["exposed_above_50cm_1in100"].to_pylist()) == 1
    assert max(filter(None, table["max_depth_m_1in100"].to_pylist())) == pytest.approx(0.51)


def test_a_centimetre_raster_of_whole_numbers_counts_above_50(tmp_path: Path) -> None:
    pixels = np.zeros((1, 40, 40), np.int16)
    pixels[0, 0, :3] = 50, 51, 49
    path = write_raster(tmp_path / "flood.tif", pixels)
    shapes = [shapely.Point(28 + (n + 0.5) * PIXEL, -0.5 * PIXEL) for n in range(3)]
    write_table(tmp_path / "buildings.parquet", shapes)
    question = Question(RULES, Rule.CENTROID, thresholds_m=(0.5,))
    exposed = expose(
        tmp_path / "buildings.parquet", [Raster(str(path), "f")], question, Places((3,)), SERIES
    )
    assert exposed.cells[3].layers["exposed_above_50cm"].tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("water", "unknown", "apart", "exposed"),
    [("apart", 1, 1, 1), ("unknown", 2, None, 1), ("exposed", 1, 1, 2)],
)
def test_permanent_water_is_what_it_is_declared_to_be(
    tmp_path: Path, water, unknown: int, apart: int | None, exposed: int
) -> None:
    pixels = np.zeros((1, 40, 40), np.int16)
    pixels[0, 0, :3] = 200, WATER, NODATA
    path = write_raster(tmp_path / "flood.tif", pixels)
    shapes = [shapely.Point(28 + (n + 0.5) * PIXEL, -0.5 * PIXEL) for n in range(4)]
    shapes.append(shapely.Point(40.5, 0.5))
    write_table(tmp_path / "buildings.parquet", shapes, ["AAA"] * 5)
    question = Question(RULES, Rule.MAX, thresholds_m=(0.5, 1.0), water=water)
    series = Series("exposure", "homes", "cm", Coordinates(()), ("1in100",), (100.0,))
    found = expose(
        tmp_path / "buildings.parquet", [Raster(str(path), "f")], question, Places(()), series
    )
    (row,) = areas_exposure(series, found.areas["countries"], question, "countries").to_pylist()
    assert (row["buildings"], row["outside"]) == (5, 1)
    assert row["unknown_1in100"] == unknown
    assert row.get("permanent_water_1in100") == apart
    assert row["exposed_above_50cm_1in100"] == row["exposed_above_100cm_1in100"] == exposed
    assert row["exposed_share_above_50cm_1in100"] == pytest.approx(exposed / 5)
    assert row["mean_depth_m_1in100"] == row["max_depth_m_1in100"] == 2.0


def test_each_building_is_kept_with_its_depths_in_metres(case: Case) -> None:
    case.expose(Question(RULES, Rule.MAX), keep=True)
    rows = pq.read_table(case.folder / "kept.parquet").to_pylist()
    assert len(rows) == len(case.shapes)
    for row, shape in zip(rows, case.shapes, strict=True):
        for band, label in zip(case.pixels, LABELS, strict=True):
            state, depth = brute(band, shape, "max")
            assert row[f"state_{label}"] == state
            kept = row[f"depth_m_{label}"]
            assert kept == (pytest.approx(depth / 100) if state == "measured" else None)


def test_a_table_says_what_it_is_and_how_it_was_made(case: Case, tmp_path: Path) -> None:
    question = Question(RULES, Rule.ANY, 2.0, damages=DAMAGES)
    table = cells_exposure(SERIES, case.expose(question).cells[7], question)
    path = tmp_path / "resolution=7" / "table.parquet"
    path.parent.mkdir()
    write_cells(table, path)
    told = describe(path)
    assert told.series == SERIES
    assert "expected_annual_exposed_above_50cm" in told.expected
    assert "expected_annual_damage_homes" in told.expected
    notes = told.notes["exposure"]
    assert (notes["rule"], notes["buffer_m"], notes["water"]) == ("any", 2.0, "apart")
    assert notes["damages"][0]["currency"] == "USD"
    assert "constant" in told.notes["damage_method"]
    assert told.notes["integration"]["rare"] == "constant"
    for field in table.schema:
        assert field.metadata.get(b"description"), field.name


def test_what_is_no_table_of_buildings_is_refused(case: Case, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    raster = [Raster(str(case.raster), "flood.tif")]
    with pytest.raises(UnreadableBuildings, match="no table of buildings"):
        expose(tmp_path / "other.parquet", raster, Question(RULES), Places((5,)), SERIES)


def test_thresholds_and_units_that_make_no_sense_are_refused() -> None:
    for thresholds in ((), (0.5, 0.5), (1.0, 0.5), (-1.0, 0.5)):
        with pytest.raises(UsageError, match="rising"):
            Question(RULES, thresholds_m=thresholds)
    with pytest.raises(PipelineError, match="unit"):
        Question(PixelRules("int16", "K", -1, 0, 300))


@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(0, 60))
def test_parts_in_any_order_come_to_what_the_whole_does(seed: int, low: int, high: int) -> None:
    random = np.random.default_rng(seed)
    count, bands = 60, 2
    keys = random.integers(0, 9, count).astype(np.uint64)
    area = np.where(random.random(count) < 0.2, np.nan, random.integers(1, 99, count))
    state = random.choice([MEASURED, UNKNOWN, OUTSIDE, SPECIAL], (bands, count)).astype(np.uint8)
    state[:, state[0] == OUTSIDE] = OUTSIDE
    state[1, (state[1] == OUTSIDE) & (state[0] != OUTSIDE)] = UNKNOWN
    depth = np.where(state == MEASURED, random.integers(0, 300, (bands, count)), 0.0)
    rules = PixelRules("int16", "cm", -1, 0, 300, (SpecialValue(-2, "permanent_water"),))
    question = Question(rules, damages=DAMAGES)

    def added(parts: Sequence[slice]) -> Exposure:
        aggregation = Aggregation(question, np.unique(keys), bands)
        for part in parts:
            groups = Groups.of(keys[part])
            assert groups.keys[groups.labels].tolist() == keys[part].tolist()
            place = aggregation.place(groups.keys)
            outside = state[0, part] == OUTSIDE
            fixed = fixed_sums(groups.labels, len(groups.keys), area[part], outside)
            aggregation.add_fixed(place, fixed)
            for band in range(bands):
                noted = np.flatnonzero((state[band, part] != MEASURED) | (depth[band, part] > 0))
                depths = Depths(depth[band, part], state[band, part], noted)
                losses = losses_of(question, depths, area[part])
                aggregation.add(band, depths, groups.labels, place, area[part], losses)
        return aggregation.exposure()

    cut, other = sorted((low, high))
    parts = [slice(0, cut), slice(cut, other), slice(other, count)]
    same(added(parts), added([slice(0, count)]))
    same(added(parts[::-1]), added(parts))
