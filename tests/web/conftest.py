from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

sys.path.append(str(Path(__file__).parent.parent / "api"))

import site_world

from thalweg.pipelines.workspace import Workspace
from thalweg.settings import load_settings
from thalweg.web.part import create_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return site_world.make(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def app(site: Workspace) -> FastAPI:
    return create_site(site, load_settings(site.folder))


@pytest.fixture(scope="session")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=True) as client:
        yield client
