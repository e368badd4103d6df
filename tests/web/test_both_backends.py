"""The pages are the same whether a workspace or PostgreSQL has the documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from site_world import COLLECTION, TERRAIN

from postgres_server import postgres
from thalweg.catalog.pgstac import load_catalog, prepare
from thalweg.pipelines.workspace import Workspace
from thalweg.web.part import create_site

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def in_database(site: Workspace) -> Iterator[TestClient]:
    """The site, with its documents in pgSTAC."""
    workspace, settings = Workspace.at(site.folder)
    with postgres() as url:
        prepare(url)
        with workspace.catalog() as catalog:
            load_catalog(catalog, url)
        app = create_site(workspace, settings.model_copy(update={"database_url": url}))
        with TestClient(app) as client:
            yield client


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/catalogue",
        f"/catalogue?collection={COLLECTION}&q=fluvial&begin=2050-01-01",
        "/catalogue?bbox=0,0,1,1",
        f"/catalogue/{COLLECTION}/fluvial-2050-ssp245",
        f"/catalogue/{TERRAIN}/plain",
        "/flood",
        "/flood?year=2050&scenario=ssp585&return_period=20",
        "/flood/point?lon=30&lat=-1.5&year=2050",
        "/catalogue/none/none",
    ],
)
def test_pages_are_the_same(client: TestClient, in_database: TestClient, path: str) -> None:
    ours, theirs = client.get(path), in_database.get(path)

    assert ours.status_code == theirs.status_code
    assert without_ids(ours.text) == without_ids(theirs.text)


def test_collections_stand_in_the_order_of_their_ids(in_database: TestClient) -> None:
    text = in_database.get("/catalogue").text

    assert re.findall(r'<option value="([^"]+)"', text) == [COLLECTION, TERRAIN]


def without_ids(text: str) -> str:
    """Without the id of the request, which an error tells."""
    return re.sub(r"request <code>\w+</code>", "", text)
