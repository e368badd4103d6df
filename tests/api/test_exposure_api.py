"""Exposure over HTTP: buildings by cell, by area and in sum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tables_world import cells_of, codes_of, make

from thalweg.api.app import create_app
from thalweg.pipelines.workspace import Workspace

CELLS, SUMMARY, AREAS = (f"/api/exposure/homes/{one}" for one in ("cells", "summary", "areas"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("exposure") / "workspace"
    make(folder)
    with TestClient(create_app(*Workspace.at(folder))) as found:
        yield found


def asked(client: TestClient, path: str, **parameters: Any) -> dict[str, Any]:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_datasets_tell_what_can_be_asked_for(client: TestClient) -> None:
    (found,) = asked(client, "/api/exposure")["datasets"]
    assert found["dataset"] == "homes"
    assert found["resolutions"] == [5, 6]
    assert found["return_periods"] == [5.0, 100.0]
    assert found["thresholds_m"] == [0.15, 0.5]
    assert found["areas"] == ["countries", "districts"]


def test_cells_tell_buildings_and_the_exposed_at_a_threshold(client: TestClient) -> None:
    found = asked(client, CELLS, resolution=6, year="2050", return_period="100", threshold=0.15)
    assert found["threshold_m"] == 0.15
    assert [one["name"] for one in found["columns"]] == [
        "buildings",
        "exposed_above_15cm_1in100",
        "exposed_share_above_15cm_1in100",
        "max_depth_m_1in100",
    ]
    numbers = [one["exposed_above_15cm_1in100"] for one in found["cells"]]
    assert numbers == [4 * index for index in range(len(cells_of(6)))]
    assert {one["buildings"] for one in found["cells"]} == {1000}


def test_half_a_metre_is_meant_unless_said(client: TestClient) -> None:
    assert asked(client, CELLS, resolution=5, year="2020")["threshold_m"] == 0.5


def test_a_sum_over_cells_is_theirs(client: TestClient) -> None:
    bbox = "-180,-90,180,90"
    found = asked(client, SUMMARY, resolution=6, year="2020", return_period="5", bbox=bbox)
    assert found["counted_by"] == "cells"
    rows = {one["statistic"]: one for one in found["summary"]}
    count = len(cells_of(6))
    assert rows["exposed_above_50cm"]["sum"] == sum(range(count))
    assert rows["buildings"]["sum"] == 1000 * count
    # Each cell has as many buildings: the share of them all is the mean of the shares.
    assert rows["exposed_share_above_50cm"]["mean"] == pytest.approx(
        sum(range(count)) / 1000 / count
    )


def test_whole_countries_are_those_of_their_own_table(client: TestClient) -> None:
    """Buildings count where they stand, not where the centre of their cell lies."""
    asking = {"resolution": 6, "year": "2020", "return_period": "5", "country": "rwa"}
    found = asked(client, SUMMARY, **asking)
    assert found["counted_by"] == "countries"
    rows = {one["statistic"]: one for one in found["summary"]}
    assert rows["exposed_above_50cm"]["sum"] == 100
    part = asked(
        client,
        SUMMARY,
        resolution=6,
        year="2020",
        return_period="5",
        country="RWA",
        bbox="29,-3,31,-1",
    )
    by_cells = [n for n, code in enumerate(codes_of(cells_of(6))) if code == "RWA"]
    assert part["counted_by"] == "cells"
    assert {one["statistic"]: one for one in part["summary"]}["exposed_above_50cm"]["sum"] == sum(
        by_cells
    )


def test_areas_are_paged_whatever_their_codes_are(client: TestClient) -> None:
    whole = asked(client, AREAS, areas="districts")["areas"]
    assert [(one["area"], one["year"]) for one in whole] == [
        ("<b>", "2020"),
        ("<b>", "2050"),
        ("a:b", "2020"),
        ("a:b", "2050"),
    ]
    url, found = f"{AREAS}?areas=districts&limit=1", []
    while url:
        page = client.get(url).json()
        found += page["areas"]
        url = next((one["href"] for one in page["links"] if one["rel"] == "next"), "")
    assert found == whole
    one = asked(client, AREAS, areas="countries", area="RWA", year="2050", return_period="100")
    assert [row["exposed_above_50cm_1in100"] for row in one["areas"]] == [400]
    text = client.get(AREAS, params={"areas": "countries", "format": "csv"}).text
    assert text.splitlines()[0].startswith('"area","areas","series","year","buildings"')


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        (CELLS, "resolution=6&threshold=0.3", 400, "UnknownCoordinate"),
        (CELLS, "resolution=6&threshold=nan", 400, "InvalidRequest"),
        (CELLS, "resolution=6&threshold=-1", 400, "InvalidRequest"),
        (CELLS, "resolution=6&limit=1000000000", 413, "RequestTooLarge"),
        (CELLS, "resolution=6&bbox=nan,0,0,0", 400, "UsageError"),
        (CELLS, "resolution=6&year=1999", 400, "UnknownCoordinate"),
        (CELLS, "resolution=6&yeer=2020", 400, "UnknownParameter"),
        (SUMMARY, "resolution=6&limit=3", 400, "UnknownParameter"),
        (SUMMARY, "resolution=6&country=%27%27%27", 400, "InvalidRequest"),
        (AREAS, "", 400, "InvalidRequest"),
        (AREAS, "areas=nothing", 404, "NoExposure"),
        (AREAS, "areas=..%2F..", 404, "NoExposure"),
        (AREAS, "areas=districts&resolution=6", 400, "UnknownParameter"),
        (AREAS, "areas=districts&token=x", 400, "InvalidRequest"),
        (AREAS, "areas=districts&format=parquet", 400, "InvalidRequest"),
        ("/api/exposure/none/cells", "resolution=6", 404, "NoExposure"),
        ("/api/exposure/a%27b/areas", "", 404, "NoExposure"),
    ],
)
def test_bad_input_is_named(
    client: TestClient, path: str, query: str, status: int, code: str
) -> None:
    answer = client.get(f"{path}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert set(answer.json()) == {"code", "message", "hint", "request_id"}


def test_a_workspace_without_exposure_says_so(tmp_path: Any) -> None:
    workspace, settings = Workspace.open(tmp_path / "empty")
    with TestClient(create_app(workspace, settings)) as client:
        assert client.get("/api/exposure").json() == {"datasets": []}
        answer = client.get(CELLS, params={"resolution": 6})
        assert (answer.status_code, answer.json()["hint"]) == (404, "run a step `exposure`")
