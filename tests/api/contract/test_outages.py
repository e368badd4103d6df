"""The database stopped and started again, under load."""

from __future__ import annotations

import time
from pathlib import Path

from fastapi.testclient import TestClient
from stac_world import world

from postgres_server import cluster
from thalweg.api.app import create_app
from thalweg.catalog.pgstac import load_catalog, prepare
from thalweg.pipelines.workspace import Workspace


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
