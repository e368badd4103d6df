"""Items and collections written through the API, and read while they are."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from stac_world import item, world

from postgres_server import postgres
from thalweg.api.app import create_app
from thalweg.api.items import item_of
from thalweg.catalog.pgstac import prepare
from thalweg.pipelines.workspace import Workspace

# The SHA-256 of "operator" and "reader".
KEYS = {
    "06e55b633481f7bb072957eabcf110c972e86691c3cfedabe088024bffe42f23": "operator",
    "3d0941964aa3ebdcb00ccef58b1bb399f9f898465e9886d5aec7f31090a0fb30": "reader",
}
AS_OPERATOR = {"X-API-Key": "operator"}


@pytest.fixture(params=["embedded", "postgresql"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestClient]:
    workspace, settings = Workspace.open(tmp_path / "workspace")
    serve = type(settings.serve)(transactions=True, keys=KEYS)
    if request.param == "embedded":
        changed = settings.model_copy(update={"serve": serve})
        with TestClient(create_app(workspace, changed), headers=AS_OPERATOR) as opened:
            yield opened
        return
    with postgres() as url:
        prepare(url)
        changed = settings.model_copy(update={"serve": serve, "database_url": url})
        with TestClient(create_app(workspace, changed), headers=AS_OPERATOR) as opened:
            yield opened


def made(number: int, **properties: Any) -> dict[str, Any]:
    return item(f"i-{number}", "flood", [1, 2, 3, 4], ["2030-01-01T00:00:00Z"], **properties)


def test_items_are_written_by_operators_alone(client: TestClient) -> None:
    (flood, _), _ = world()
    assert client.post("/stac/collections", json=flood).status_code == 201
    assert client.post("/stac/collections", json=flood).status_code == 409
    path = "/stac/collections/flood/items"
    for headers, status in (({"X-API-Key": ""}, 401), ({"X-API-Key": "reader"}, 403)):
        assert client.post(path, json=made(1), headers=headers).status_code == status
    assert client.post(path, json=made(1)).status_code == 201
    assert client.post(path, json=made(1)).status_code == 409
    assert client.get("/stac/search?bbox=2,3,2.5,3.5").json()["numberReturned"] == 1
    moved = {**made(1), "bbox": [10, 20, 30, 40], "geometry": made(1)["geometry"]}
    moved["geometry"] = {"type": "Point", "coordinates": [20, 30]}
    assert client.put(f"{path}/i-1", json=moved).status_code == 200
    assert client.get("/stac/search?bbox=2,3,2.5,3.5").json()["numberReturned"] == 0
    assert client.get("/stac/search?bbox=19,29,21,31").json()["numberReturned"] == 1
    assert client.put(f"{path}/none", json={**moved, "id": "none"}).status_code == 404
    assert client.delete(f"{path}/i-1").status_code in (200, 204)
    assert client.get(f"{path}/i-1").status_code == 404
    assert client.delete(f"{path}/i-1").status_code == 404
    assert client.post("/stac/collections/none/items", json=made(1)).status_code == 404
    assert client.delete("/stac/collections/flood").status_code in (200, 204)
    assert client.get("/stac/collections/flood").status_code == 404


def test_what_was_got_can_be_put_back(client: TestClient) -> None:
    """The links to `/files` that items are shown with were stored as they were."""
    (flood, _), _ = world()
    client.post("/stac/collections", json=flood)
    services = client.app.state.services  # type: ignore[attr-defined]
    href = services.workspace.zone("silver").href("a b/é.tif")
    new = made(1)
    new["assets"]["data"]["href"] = href
    path = "/stac/collections/flood/items"
    shown = client.post(path, json=new).json()
    link = shown["assets"]["data"]["href"]
    assert link.startswith("http://testserver/files/silver/a%20b/")
    got = client.get(f"{path}/i-1").json()
    assert got["assets"]["data"]["href"] == link
    assert client.put(f"{path}/i-1", json=got).status_code == 200
    patches = [
        {"assets": {"data": got["assets"]["data"]}},
        [{"op": "replace", "path": "/assets/data/href", "value": link}],
    ]
    for patch in patches:
        kind = "merge-patch" if isinstance(patch, dict) else "json-patch"
        headers = {"content-type": f"application/{kind}+json"}
        answer = client.patch(f"{path}/i-1", content=json.dumps(patch), headers=headers)
        assert answer.status_code == 200, answer.text
    again = client.get(f"{path}/i-1").json()
    assert again["assets"] == got["assets"]
    assert again["properties"].keys() == got["properties"].keys()
    item = client.portal.call(item_of, services, "flood", "i-1")  # type: ignore[union-attr]
    assert item["assets"]["data"]["href"] == href


def test_readers_see_whole_items_while_a_writer_writes(client: TestClient) -> None:
    (flood, _), _ = world()
    client.post("/stac/collections", json=flood)
    path = "/stac/collections/flood/items"
    client.post(path, json=made(0, version=0, copy=0))
    faults: list[str] = []

    def write() -> None:
        for version in range(1, 15):
            put = client.put(f"{path}/i-0", json=made(0, version=version, copy=version))
            if put.status_code != 200:
                faults.append(put.text)

    def read() -> None:
        while writer.is_alive():
            found = client.get("/stac/search", params={"collections": "flood"})
            if found.status_code != 200 or len(found.json()["features"]) != 1:
                faults.append(found.text)
                continue
            told = found.json()["features"][0]["properties"]
            if told["version"] != told["copy"]:
                faults.append(str(told))

    writer = threading.Thread(target=write)
    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in (writer, *readers):
        thread.start()
    for thread in (writer, *readers):
        thread.join()
    assert faults == []
    assert client.get(f"{path}/i-0").json()["properties"]["version"] == 14


def test_nothing_is_written_unless_it_is_switched_on(tmp_path: Path) -> None:
    workspace, settings = Workspace.open(tmp_path / "workspace")
    with TestClient(create_app(workspace, settings)) as client:
        assert client.post("/stac/collections", json={}).status_code == 405
