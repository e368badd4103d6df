"""Hexagons over HTTP: numbers against those that the tables were made of, pages, bad input."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import geopandas
import h3.api.numpy_int as h3
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import shapely
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from tables_world import add_cells, cells_of, codes_of, flood, make, means_of

from thalweg.api.app import create_app
from thalweg.api.tables.asked import resolution_for
from thalweg.hexagons.cells import cell_centres
from thalweg.pipelines.workspace import Workspace

BODY = {"code", "message", "hint", "request_id"}
CELLS = "/api/hexagons/flood_risk/cells"
SUMMARY = "/api/hexagons/flood_risk/summary"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("hexagons") / "workspace"
    make(folder)
    workspace, settings = Workspace.at(folder)
    with TestClient(create_app(workspace, settings)) as found:
        yield found


def asked(client: TestClient, path: str = CELLS, **parameters: Any) -> dict[str, Any]:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_cells_have_the_numbers_of_the_tables(client: TestClient) -> None:
    found = asked(client, resolution=6, year="2050", return_period="100")
    cells, means = cells_of(6), means_of(len(cells_of(6)), 2)[:, 1]
    assert [int(one["cell"]) for one in found["cells"]] == cells.tolist()
    assert [one["h3"] for one in found["cells"]] == [h3.int_to_str(one) for one in cells.tolist()]
    assert [one["country"] for one in found["cells"]] == codes_of(cells)
    held = [np.nan if one["mean_1in100"] is None else one["mean_1in100"] for one in found["cells"]]
    np.testing.assert_array_equal(held, means)
    (column,) = found["columns"]
    assert (column["statistic"], column["return_period"], column["unit"]) == ("mean", 100.0, "cm")
    assert found["numberReturned"] == len(cells)
    assert [link["rel"] for link in found["links"]] == ["self"]


def test_pages_are_all_rows_once_and_in_order(client: TestClient) -> None:
    whole = asked(client, resolution=5, dataset="flood")["cells"]
    url, found = f"{CELLS}?resolution=5&dataset=flood&limit=7", []
    while url:
        answer = client.get(url)
        page = answer.json()
        found += page["cells"]
        url = next((one["href"] for one in page["links"] if one["rel"] == "next"), "")
        assert answer.headers.get("link") == (f'<{url}>; rel="next"' if url else None)
    assert found == whole
    assert len(whole) == 2 * len(cells_of(5))


def test_a_box_takes_the_cells_with_their_centre_in_it(client: TestClient) -> None:
    west, south, east, north = 29.8, -2.3, 30.1, -1.9
    found = asked(client, resolution=6, year="2020", bbox=f"{west},{south},{east},{north}")
    x, y = cell_centres(cells_of(6)).T
    inside = (west < x) & (x < east) & (south < y) & (y < north)
    assert [int(one["cell"]) for one in found["cells"]] == cells_of(6)[inside].tolist()
    assert 0 < inside.sum() < len(inside)


def test_a_box_of_nothing_is_empty_and_the_world_is_everything(client: TestClient) -> None:
    assert asked(client, resolution=6, year="2020", bbox="100,10,101,11")["cells"] == []
    world = asked(client, resolution=6, year="2020", bbox="-180,-90,180,90")["cells"]
    assert len(world) == len(cells_of(6))
    over = asked(client, resolution=6, year="2020", bbox="170,-10,40,10")["cells"]
    assert len(over) == len(cells_of(6))


def test_countries_are_taken_in_either_case(client: TestClient) -> None:
    found = asked(client, resolution=6, year="2020", country="rwa")["cells"]
    assert {one["country"] for one in found} == {"RWA"}
    both = asked(client, resolution=6, year="2020", country="RWA,COD")["cells"]
    assert len(both) == len(cells_of(6))


def test_a_terrain_has_no_return_period(client: TestClient) -> None:
    found = asked(client, resolution=6, dataset="terrain")
    assert [one["name"] for one in found["columns"]] == ["mean"]
    assert "year" not in found["cells"][0]


@pytest.mark.parametrize("kind", ["geojson", "csv", "parquet", "arrow"])
def test_every_format_tells_the_same(client: TestClient, kind: str, tmp_path: Path) -> None:
    asking = {"resolution": "6", "year": "2020", "limit": "9"}
    expected = asked(client, **asking)
    answer = client.get(CELLS, params={**asking, "format": kind})
    assert answer.status_code == 200
    assert answer.headers["link"].endswith('rel="next"')
    content = io.BytesIO(answer.content)
    if kind == "geojson":
        document = answer.json()
        rows = [one["properties"] for one in document["features"]]
        assert rows == expected["cells"]
        for feature in document["features"]:
            centre = cell_centres(np.array([int(feature["properties"]["cell"])], np.uint64))[0]
            assert shapely.from_geojson(json.dumps(feature)).contains(shapely.Point(centre))
        return
    if kind == "arrow":
        table = pa.ipc.open_stream(content).read_all()
    else:
        table = pa_csv.read_csv(content) if kind == "csv" else pq.read_table(content)
    assert table["h3"].to_pylist() == [one["h3"] for one in expected["cells"]]
    assert table["mean_1in5"].to_pylist() == [one["mean_1in5"] for one in expected["cells"]]
    if kind == "parquet":
        (tmp_path / "a.parquet").write_bytes(answer.content)
        assert geopandas.read_parquet(tmp_path / "a.parquet").crs.equals("OGC:CRS84")


def test_a_summary_weighs_means_by_valid_pixels(client: TestClient) -> None:
    found = asked(client, SUMMARY, resolution=6, year="2020", return_period="5")["summary"]
    (row,) = found
    means = means_of(len(cells_of(6)), 1)[:, 0]
    valid = 10 + np.arange(len(means))
    has = ~np.isnan(means)
    assert row["mean"] == pytest.approx(np.average(means[has], weights=valid[has]))
    assert (row["rows"], row["rows_with_value"]) == (len(means), has.sum())
    assert (row["min"], row["max"]) == (0, np.nanmax(means))
    assert row["sum"] is None
    (counted,) = asked(
        client, SUMMARY, resolution=6, year="2020", return_period="5", statistic="valid"
    )["summary"]
    assert (counted["sum"], counted["mean"]) == (valid[has].sum(), None)


def test_layers_and_themes_tell_what_can_be_asked_for(client: TestClient) -> None:
    themes = {one["theme"]: one for one in asked(client, "/api/hexagons")["themes"]}
    assert set(themes) == {"flood_risk", "exposure"}
    assert themes["flood_risk"]["resolutions"] == [5, 6]
    layers = asked(client, "/api/hexagons/flood_risk/layers", year="2050")["layers"]
    assert [one["return_period"] for one in layers] == [5.0, 100.0]
    assert layers[0]["statistics"] == ["valid", "mean", "expected_annual_depth"]
    assert layers[0]["resolutions"] == [5, 6]


def test_a_zoom_takes_the_finest_that_is_large_enough(client: TestClient) -> None:
    assert asked(client, zoom=1, year="2020")["resolution"] == 5
    assert asked(client, zoom=12, year="2020")["resolution"] == 6


@given(st.floats(0, 30), st.sets(st.integers(0, 15), min_size=1))
def test_resolutions_grow_with_the_zoom(zoom: float, held: set[int]) -> None:
    some = sorted(held)
    assert resolution_for(zoom, some) in held
    assert resolution_for(zoom, some) <= resolution_for(zoom + 1, some)


def test_what_a_client_holds_is_not_sent_again(client: TestClient) -> None:
    first = client.get(CELLS, params={"resolution": 6, "year": "2020"})
    assert first.headers["cache-control"] == "public, max-age=60"
    tag = {"If-None-Match": first.headers["etag"]}
    again = client.get(CELLS, params={"resolution": 6, "year": "2020"}, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(CELLS, params={"resolution": 6, "year": "2050"}, headers=tag)
    assert other.status_code == 200


def test_many_at_once_get_what_they_asked_for(client: TestClient) -> None:
    """Boxes are registered with a cursor each: one's must not be another's."""
    boxes = [f"{29.6 + 0.1 * n},-2.5,{29.9 + 0.1 * n},-1.5" for n in range(6)] * 4

    def cells(bbox: str) -> list[str]:
        answer = client.get(CELLS, params={"resolution": 6, "year": "2020", "bbox": bbox})
        return [one["h3"] for one in answer.json()["cells"]]

    alone = {bbox: cells(bbox) for bbox in set(boxes)}
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(cells, boxes)) == [alone[bbox] for bbox in boxes]


def test_a_new_table_shows_at_once(tmp_path: Path) -> None:
    workspace = make(tmp_path / "workspace")
    cells = cells_of(5)
    with TestClient(create_app(*Workspace.at(workspace.folder))) as client:
        assert client.get(CELLS, params={"resolution": 5, "year": "2080"}).status_code == 400
        add_cells(workspace, flood("2080"), cells, {"mean": means_of(len(cells), 3)})
        assert len(asked(client, resolution=5, year="2080")["cells"]) == len(cells)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("resolution=6&bbox=nan,nan,nan,nan", 400, "UsageError"),
        ("resolution=6&bbox=1,2,3", 400, "UsageError"),
        ("resolution=6&bbox=inf,0,1,1", 400, "UsageError"),
        ("resolution=6&limit=1000000000", 413, "RequestTooLarge"),
        ("resolution=6&limit=0", 400, "InvalidRequest"),
        ("resolution=99", 400, "InvalidRequest"),
        ("resolution=7", 400, "UnknownCoordinate"),
        ("", 400, "InvalidRequest"),
        ("zoom=nan", 400, "InvalidRequest"),
        ("resolution=6&perill=fluvial", 400, "UnknownParameter"),
        ("resolution=6&peril=x%27%20OR%201=1--", 400, "UnknownCoordinate"),
        ("resolution=6&year=2050&series=flood_fluvial_2020", 404, "NothingSelected"),
        ("resolution=6&return_period=7", 400, "UnknownCoordinate"),
        ("resolution=6&return_period=nan", 400, "InvalidRequest"),
        ("resolution=6&statistic=mean%22%20FROM%20x", 400, "MissingColumn"),
        ("resolution=6&country=R%25", 400, "InvalidRequest"),
        ("resolution=6&token=x", 400, "InvalidRequest"),
        ("resolution=6&token=99999999999999999999999:a", 400, "InvalidRequest"),
        ("resolution=6&token=%27;DROP:b", 400, "InvalidRequest"),
        ("resolution=6&format=exe", 400, "InvalidRequest"),
        ("resolution=6&country=RWA%00", 400, "InvalidRequest"),
    ],
)
@pytest.mark.parametrize("path", ["cells", "summary"])
def test_bad_input_is_named(
    client: TestClient, path: str, query: str, status: int, code: str
) -> None:
    paging = any(f"{name}=" in query for name in ("limit", "token", "format"))
    if path == "summary" and paging:
        status, code = 400, "UnknownParameter"
    answer = client.get(f"/api/hexagons/flood_risk/{path}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert set(answer.json()) == BODY


@pytest.mark.parametrize("theme", ["nothing", "..%2F..", "a'b", "%25", "x" * 5000])
@pytest.mark.parametrize("path", ["cells?resolution=6", "summary?resolution=6", "layers"])
def test_unknown_themes_are_404(client: TestClient, theme: str, path: str) -> None:
    answer = client.get(f"/api/hexagons/{theme}/{path}")
    assert answer.status_code == 404
    assert set(answer.json()) == BODY


def test_a_box_of_too_many_cells_is_413_with_the_limit(tmp_path: Path) -> None:
    workspace, settings = make(tmp_path / "workspace"), Workspace.at(tmp_path / "workspace")[1]
    settings.serve.max_cells = 20
    with TestClient(create_app(workspace, settings)) as client:
        answer = client.get(
            CELLS, params={"resolution": 6, "limit": 5, "bbox": "29,-3,31,-1", "year": "2020"}
        )
        assert (answer.status_code, answer.json()["code"]) == (413, "TooManyCells")
        assert "20 are the most" in answer.json()["message"]


def test_a_workspace_without_tables_says_so(tmp_path: Path) -> None:
    workspace, settings = Workspace.open(tmp_path / "empty")
    with TestClient(create_app(workspace, settings)) as client:
        assert asked(client, "/api/hexagons") == {"themes": []}
        answer = client.get(CELLS, params={"resolution": 6})
        assert (answer.status_code, answer.json()["code"]) == (404, "NoTables")
