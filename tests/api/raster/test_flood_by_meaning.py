"""`/api/flood`: depths in metres by meaning, over both backends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from pyproj import Geod
from raster_world import EAST, FLOODS, TODAY, UNDEFENDED, WEST, depths
from shapely.geometry import shape

FUTURE = {"peril": "fluvial", "defended": True, "year": 2050, "scenario": "ssp245"}
PLACE = {"lon": 30.335, "lat": -0.5017}


def get(client: TestClient, path: str, status: int = 200, **params: Any) -> dict[str, Any]:
    answer = client.get(f"/api/flood/{path}", params=params)
    assert answer.status_code == status, answer.text[:300]
    told: dict[str, Any] = answer.json()
    return told


def test_a_point_has_the_depths_in_metres_of_every_return_period(service: TestClient) -> None:
    told = get(service, "point", **PLACE, **FUTURE, threshold=2)
    metres = depths(0)[:, 150, 100] / 100
    assert [one["depth"] for one in told["curve"]] == pytest.approx(metres.tolist())
    assert [one["annual_probability"] for one in told["curve"]] == [0.1, 0.01, 0.001]
    assert told["items"] == [WEST]
    assert (told["collection"], told["year"], told["defended"]) == (FLOODS, 2050, True)
    reached = [p for p, depth in zip((10, 100, 1000), metres, strict=True) if depth >= 2]
    assert told["reached_at"] == reached[0]


def test_a_scenario_is_found_by_what_it_means(service: TestClient) -> None:
    assert get(service, "point", **PLACE, defended=False)["items"] == [UNDEFENDED]
    assert get(service, "point", **PLACE, year=2020)["items"] == [TODAY]
    assert get(service, "point", **PLACE, scenario="none")["items"] == [TODAY]
    assert get(service, "point", lon=31.5, lat=-0.5)["items"] == [EAST]


def test_what_is_ambiguous_or_missing_is_named_with_what_there_is(service: TestClient) -> None:
    told = get(service, "point", 400, **PLACE)
    assert told["code"] == "AmbiguousScenario"
    assert "defended: true or false" in told["hint"]
    assert "year (2020, 2050)" in told["hint"]
    told = get(service, "point", 400, **PLACE, peril="coastal")
    assert (told["code"], told["hint"]) == ("UnknownCoordinate", "there are fluvial")
    told = get(service, "point", 400, **PLACE, **FUTURE, return_period=30)
    assert told["hint"] == "there are 10, 100, 1000"
    assert get(service, "point", 404, lon=0, lat=0)["code"] == "OutsideData"


def test_permanent_water_has_no_depth(service: TestClient) -> None:
    told = get(service, "point", lon=30.135, lat=-0.135, **FUTURE)
    assert told["permanent_water"]
    assert {one["depth"] for one in told["curve"]} == {None}


def test_a_profile_follows_the_line_over_two_rasters(service: TestClient) -> None:
    line = "30.9013,-0.5013;31.1013,-0.5213"
    told = get(service, "profile", line=line, return_period=1000, samples=11, **FUTURE)
    assert sorted(told["items"]) == [WEST, EAST]
    lons, lats = np.linspace(30.9013, 31.1013, 11), np.linspace(-0.5013, -0.5213, 11)
    both = np.concatenate([depths(0)[2], depths(1)[2]], axis=1)
    rows, columns = np.floor(-lats * 300), np.floor((lons - 30) * 300)
    expected = both[rows.astype(int), columns.astype(int)] / 100
    found = [one["depth"] for one in told["points"]]
    assert found == pytest.approx(expected.tolist())
    length = Geod(ellps="WGS84").line_length([30.9013, 31.1013], [-0.5013, -0.5213]) / 1000
    assert told["points"][-1]["distance_km"] == pytest.approx(length, rel=1e-6)


def test_an_extent_has_the_area_and_outline_of_what_is_flooded(service: TestClient) -> None:
    asked = {"bbox": "30.8,-0.8,31.2,-0.2", "return_period": 100, "threshold": 0.5, **FUTURE}
    told = get(service, "extent", **asked)
    both = np.concatenate([depths(0)[1], depths(1)[1]], axis=1)[60:240, 240:360]
    flooded = both >= 50
    pixel = (
        abs(
            Geod(ellps="WGS84").polygon_area_perimeter(
                [30, 30 + 1 / 300, 30 + 1 / 300, 30], [-0.5, -0.5, -0.5 - 1 / 300, -0.5 - 1 / 300]
            )[0]
        )
        / 1e6
    )
    figures = told["properties"]
    assert figures["flooded_km2"] == pytest.approx(flooded.sum() * pixel, rel=1e-4)
    assert figures["deepest"] == pytest.approx(both.max() / 100)
    assert figures["mean_depth"] == pytest.approx(both[flooded].mean() / 100, rel=1e-4)
    outline = shape(told["geometry"])
    assert outline.is_valid
    assert outline.area == pytest.approx(flooded.sum() / 300**2)
    alone = get(service, "extent", **asked, geometry=False)
    assert alone == {**told, "geometry": None}


def test_all_of_a_box_is_accounted_for(service: TestClient) -> None:
    asked = {"bbox": "30,-0.4,31,0", "return_period": 10, "threshold": 0, **FUTURE}
    figures = get(service, "extent", **asked)["properties"]
    values = depths(0)[0][:120]
    pixel = figures["box_km2"] / values.size
    assert figures["permanent_water_km2"] == pytest.approx(1600 * pixel, rel=1e-3)
    assert figures["without_data_km2"] == pytest.approx(225 * pixel, rel=1e-3)
    assert figures["flooded_km2"] == pytest.approx((values > 0).sum() * pixel, rel=1e-3)


@pytest.mark.parametrize(
    "asked",
    [
        "point?lon=nan&lat=0",
        "point?lon=30.3&lat=-0.5&year=abc",
        "point?lon=30.3&lat=-0.5&peril=a%27%3B--",
        "point?lon=30.3&lat=-0.5&unknown=1",
        "profile?line=30,0&return_period=10",
        "profile?line=30,0;30,0&return_period=10",
        "profile?line=nan,0;30,0&return_period=10",
        "profile?line=30,-0.5;30.5,-0.5&return_period=nan",
        "profile?line=30,-0.5;30.5,-0.5&return_period=10&samples=1000000000",
        "extent?bbox=nan,0,1,1&return_period=10",
        "extent?bbox=31,-1,30,0&return_period=10",
        "extent?bbox=30,-1,31,0&return_period=10&threshold=-1",
        "extent?bbox=30,-1,31,0&return_period=10&threshold=inf",
        "extent?bbox=-180,-90,180,90&return_period=10&year=2020",
    ],
)
def test_what_is_wrong_is_refused(embedded: TestClient, asked: str) -> None:
    answer = embedded.get(f"/api/flood/{asked}")
    assert 400 <= answer.status_code < 500, answer.text[:200]
    assert set(answer.json()) == {"code", "message", "hint", "request_id"}
