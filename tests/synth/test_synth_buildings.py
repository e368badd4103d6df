from __future__ import annotations

import json

import geopandas
import numpy as np
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely

from thalweg.errors import DeliveryExists, UnknownPreset, UsageError
from thalweg.synth.buildings import BUILDINGS, MANIFEST, BuildingOrder, deliver_buildings
from thalweg.synth.presets import PRESETS, find_preset
from thalweg.synth.settlements import settle


def test_the_manifest_tells_what_is_in_the_file(tmp_path) -> None:
    manifest = deliver_buildings(BuildingOrder("rwanda", 3000), tmp_path)
    assert json.loads((tmp_path / MANIFEST).read_text()) == manifest
    frame = geopandas.read_parquet(tmp_path / BUILDINGS)
    assert len(frame) == manifest["count"] == 3000
    assert frame["id"].is_unique
    areas = np.array(
        [abs(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(one)[0]) for one in frame.geometry]
    )
    assert frame["area_in_meters"].to_numpy() == pytest.approx(areas, rel=1e-6)
    assert manifest["area_m2"] == pytest.approx(areas.sum(), rel=1e-9)
    centres = shapely.get_coordinates(shapely.centroid(frame.geometry.to_numpy()))
    for tile, one in manifest["tiles"].items():
        south, west = -int(tile[1:3]), int(tile[4:])
        here = (np.floor(centres) == (west, south)).all(axis=1)
        assert here.sum() == one["count"]
        assert areas[here].sum() == pytest.approx(one["area_m2"], rel=1e-9)


@pytest.mark.parametrize("preset", PRESETS)
def test_buildings_stand_on_the_presets_land_and_tiles(preset: str) -> None:
    settlements = settle(find_preset(preset), seed=4)
    places = settlements.places(5000, np.random.default_rng(0))
    assert places.shape == (5000, 2)
    land = shapely.Polygon(find_preset(preset).land)
    assert shapely.contains_xy(land, places).all()


def test_people_live_in_towns(tmp_path) -> None:
    places = settle(find_preset("rwanda"), seed=1).places(20_000, np.random.default_rng(0))
    squares = np.unique(np.floor(places * 20), axis=0, return_counts=True)[1]
    dense = np.sort(squares)[::-1]
    assert dense[: len(dense) // 20].sum() > 0.4 * len(places)


def test_the_same_order_makes_the_same_bytes_and_another_seed_others(tmp_path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        deliver_buildings(BuildingOrder("tiny", 500, seed), tmp_path / name)
    a, b, c = ((tmp_path / name / BUILDINGS).read_bytes() for name in "abc")
    assert a == b != c


def test_more_buildings_than_a_chunk_are_streamed_and_all_differ(tmp_path, monkeypatch) -> None:
    from thalweg.synth import buildings

    monkeypatch.setattr(buildings, "CHUNK", 400)
    manifest = deliver_buildings(BuildingOrder("rwanda", 1001, shape="point"), tmp_path)
    table = pq.read_table(tmp_path / BUILDINGS)
    assert table.num_rows == sum(one["count"] for one in manifest["tiles"].values()) == 1001
    assert len(set(table["geometry"].to_pylist())) == 1001
    points = shapely.from_wkb(table["geometry"].to_numpy())
    assert {point.geom_type for point in points} == {"Point"}
    assert pq.ParquetFile(tmp_path / BUILDINGS).num_row_groups == 3


def test_a_finished_order_is_left_and_another_refused(tmp_path) -> None:
    order = BuildingOrder("tiny", 100)
    deliver_buildings(order, tmp_path)
    made = (tmp_path / BUILDINGS).stat().st_mtime_ns
    assert deliver_buildings(order, tmp_path)["count"] == 100
    assert (tmp_path / BUILDINGS).stat().st_mtime_ns == made
    with pytest.raises(DeliveryExists):
        deliver_buildings(BuildingOrder("tiny", 101), tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x/other.txt").touch()
    with pytest.raises(DeliveryExists):
        deliver_buildings(order, tmp_path / "x")


def test_an_order_that_was_broken_off_is_made_anew(tmp_path) -> None:
    (tmp_path / BUILDINGS).write_bytes(b"half")
    assert deliver_buildings(BuildingOrder("tiny", 100), tmp_path)["count"] == 100
    assert pq.read_table(tmp_path / BUILDINGS).num_rows == 100


@pytest.mark.parametrize(
    ("order", "error"),
    [({"preset": "uganda"}, UnknownPreset), ({"count": 0}, UsageError), ({"seed": -1}, UsageError)],
)
def test_a_wrong_order_is_a_named_error(order, error) -> None:
    with pytest.raises(error):
        BuildingOrder(**{"preset": "tiny", "count": 1, **order})
