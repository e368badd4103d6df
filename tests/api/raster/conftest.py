from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from raster_world import make

from postgres_server import postgres
from thalweg.api.app import create_app
from thalweg.catalog.pgstac import load_catalog, prepare
from thalweg.pipelines.workspace import Workspace


@pytest.fixture(scope="session")
def rasters(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace of small rasters."""
    return make(tmp_path_factory.mktemp("rasters") / "workspace")


@pytest.fixture(scope="session")
def embedded(rasters: Workspace) -> Iterator[TestClient]:
    """It, served from its own files."""
    with TestClient(create_app(*Workspace.at(rasters.folder))) as client:
        yield client


@pytest.fixture(scope="session", params=["embedded", "postgresql"])
def service(
    request: pytest.FixtureRequest, rasters: Workspace, embedded: TestClient
) -> Iterator[TestClient]:
    """It, served from either backend."""
    if request.param == "embedded":
        yield embedded
        return
    workspace, settings = Workspace.at(rasters.folder)
    with ExitStack() as opened:
        url = opened.enter_context(postgres())
        prepare(url)
        with workspace.catalog() as catalog:
            load_catalog(catalog, url)
        app = create_app(workspace, settings.model_copy(update={"database_url": url}))
        yield opened.enter_context(TestClient(app))


@pytest.fixture(scope="session")
def folder(rasters: Workspace) -> Path:
    return rasters.folder
