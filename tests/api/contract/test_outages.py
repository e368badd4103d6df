"""The database stopped and started again, under load."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from fastapi.testclient import TestClient
from feature_world import add_to
from raster_world import FLOODS, WEST, make
from stac_world import world
from test_clients import listening

from postgres_server import cluster
from thalweg.api.app import create_app
from thalweg.catalog.pgstac import load_catalog, prepare
from thalweg.features import schema
from thalweg.features.postgis import PostgisTables
from thalweg.pipelines.workspace import Workspace

CLIENTS = 12
LOAD = (
    "/stac/search?limit=5",
    f"/stac/collections/{FLOODS}/items/{WEST}",
    "/features/collections/places/items?limit=50",
    "/features/collections/places/tiles/WebMercatorQuad/2/2/1",
    f"/raster/collections/{FLOODS}/items/{WEST}/tiles/WebMercatorQuad/8/149/128.png?bidx=1",
    f"/raster/collections/{FLOODS}/tiles/WebMercatorQuad/8/149/128.png?bidx=1&ids={WEST}",
)


@dataclass
class Load:
    """What clients that never rest were answered, and by which path, where they asked since it was
    last cleared."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0
    since: float = 0.0

    def clear(self) -> None:
        self.answers, self.slowest, self.since = Counter(), 0.0, time.perf_counter()

    def statuses(self) -> set[int]:
        return {status for _, status in self.answers}

    def note(self, path: str, answer: httpx.Response, began: float) -> None:
        if began < self.since:
            return
        self.answers[path, answer.status_code] += 1
        self.slowest = max(self.slowest, time.perf_counter() - began)
        told = answer.json() if answer.status_code == 503 else {"hint": "-"}
        if answer.status_code not in (200, 204, 503) or not told["hint"]:
            self.faults.append(f"{path}: {answer.status_code} {answer.text[:300]}")


@contextmanager
def loaded(url: str) -> Iterator[Load]:
    """`CLIENTS` of them, each with a path of its own, and one that asks for `/livez`."""
    load, over = Load(), threading.Event()

    def ask(path: str) -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while not over.is_set():
                began = time.perf_counter()
                answer = client.get(path)
                load.note(path, answer, began)

    paths = ["/livez", *(LOAD[n % len(LOAD)] for n in range(CLIENTS))]
    threads = [threading.Thread(target=ask, args=(path,)) for path in paths]
    for one in threads:
        one.start()
    try:
        yield load
    finally:
        over.set()
        for one in threads:
            one.join()


def until(load: Load, reached: set[tuple[str, int]], seconds: float = 120) -> None:
    """Waits till every one of these was answered."""
    end = time.monotonic() + seconds
    while not reached <= set(load.answers):
        assert time.monotonic() < end, (reached - set(load.answers), load.answers)
        time.sleep(0.1)


def answered(client: TestClient, url: str, seconds: float = 20) -> int:
    """How the URL is answered, once it is no longer 503."""
    until = time.monotonic() + seconds
    while (status := client.get(url).status_code) == 503 and time.monotonic() < until:
        time.sleep(0.1)
    return status


def test_an_outage_is_a_503_and_needs_no_restart(tmp_path: Path) -> None:
    workspace, settings = Workspace.open(tmp_path / "workspace")
    collections, items = world()
    with cluster() as server, workspace.catalog() as catalog:
        for collection in collections:
            catalog.put_collection(collection)
        catalog.put_items(items)
        prepare(server.url)
        load_catalog(catalog, server.url)
        serve = settings.serve.model_copy(update={"health_seconds": 0})
        changed = settings.model_copy(update={"database_url": server.url, "serve": serve})
        with TestClient(create_app(workspace, changed)) as client:
            assert client.get("/stac/search").status_code == 200
            server.stop()
            for path in (
                "/stac/search",
                "/stac/collections/flood",
                "/features/collections",
                "/features/collections/points/items",
                "/readyz",
            ):
                answer = client.get(path)
                assert answer.status_code == 503, path
            answer = client.get("/stac/search")
            assert answer.json()["code"] == "DatabaseUnavailable"
            assert answer.json()["hint"]
            assert answer.headers["Retry-After"]
            assert client.get("/livez").status_code == 200
            server.start()
            assert answered(client, "/stac/search") == 200
            assert answered(client, "/readyz") == 200
            assert answered(client, "/features/collections") == 200


def test_an_outage_under_load_is_a_503_while_it_lasts(tmp_path: Path) -> None:
    workspace = make(tmp_path / "workspace")
    _, settings = Workspace.at(workspace.folder)
    with cluster() as server, workspace.catalog() as catalog:
        prepare(server.url)
        schema.prepare(server.url)
        load_catalog(catalog, server.url)
        add_to(PostgisTables(server.url))
        changed = settings.model_copy(update={"database_url": server.url})
        app = create_app(workspace, changed)
        app.openapi()  # which a first request would wait for
        with listening(app) as url, loaded(url) as load:
            answered_well = {(path, 200) for path in LOAD}
            until(load, answered_well)
            assert load.statuses() == {200}
            for _ in range(2):
                server.stop()
                load.clear()
                until(load, {(path, 503) for path in LOAD})
                load.clear()
                time.sleep(2)
                away = {one: n for one, n in load.answers.items() if one[0] != "/livez"}
                assert {status for _, status in away} == {503}, away
                assert {status for path, status in load.answers if path == "/livez"} == {200}
                server.start()
                until(load, answered_well)
                load.clear()
                time.sleep(2)
                assert load.statuses() == {200}
                assert load.slowest < 15
            assert load.faults == []
