from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from both_backends import Both
from fastapi.testclient import TestClient
from stac_world import world

from postgres_server import postgres
from thalweg.api.app import create_app
from thalweg.catalog.pgstac import load_catalog, prepare
from thalweg.pipelines.workspace import Workspace

# The rasters that the tests beside these ask for.
sys.path.append(str(Path(__file__).parents[1] / "raster"))


@pytest.fixture(scope="session")
def world_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A workspace that holds the world, and a database that it is loaded into."""
    folder = tmp_path_factory.mktemp("world") / "workspace"
    workspace, _ = Workspace.open(folder)
    collections, items = world()
    with workspace.catalog() as catalog, postgres() as url:
        for collection in collections:
            catalog.put_collection(collection)
        catalog.put_items(items)
        prepare(url)
        loaded = load_catalog(catalog, url)
        assert (loaded.collections, loaded.items) == (len(collections), len(items))
        yield folder, url


@pytest.fixture(scope="session")
def both(world_url: tuple[Path, str]) -> Iterator[Both]:
    folder, url = world_url
    workspace, settings = Workspace.at(folder)
    with ExitStack() as opened:
        clients = [
            opened.enter_context(
                TestClient(create_app(workspace, settings.model_copy(update={"database_url": one})))
            )
            for one in ("", url)
        ]
        yield Both(*clients)
