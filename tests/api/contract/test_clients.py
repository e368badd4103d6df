"""The clients that people use, against a server that listens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pystac
import pytest
from listening import listening
from pystac_client import Client

from thalweg.api.app import create_app
from thalweg.pipelines.workspace import Workspace

SQUARE = '{"type":"Polygon","coordinates":[[[28,-3],[30,-3],[30,-1],[28,-1],[28,-3]]]}'


@pytest.fixture(params=["embedded", "postgresql"])
def url(world_url: tuple[Path, str], request: pytest.FixtureRequest) -> Iterator[str]:
    folder, database = world_url
    workspace, settings = Workspace.at(folder)
    chosen = database if request.param == "postgresql" else ""
    app = create_app(workspace, settings.model_copy(update={"database_url": chosen}))
    with listening(app) as found:
        yield f"{found}/stac"


def test_pystac_client_searches_pages_and_filters(url: str) -> None:
    client = Client.open(url)
    assert sorted(one.id for one in client.get_collections()) == ["flood", "land-cover"]
    assert len(list(client.search(limit=4, max_items=100).items())) == 26
    box = client.search(bbox=[170, -20, -170, 0], method="GET")
    assert sorted(one.id for one in box.items()) == ["land-0", "land-1"]
    condition = {"op": ">", "args": [{"property": "thalweg:year"}, 2034]}
    found = list(client.search(filter=condition, limit=2, collections=["flood"]).items())
    assert [one.id for one in found] == [f"flood-{n}" for n in (19, 18, 17, 16, 15)]
    text = client.search(filter="\"thalweg:peril\" = 'coastal'", filter_lang="cql2-text", limit=4)
    assert len(list(text.items())) == 6
    sort = client.search(sortby="+properties.depth:max", max_items=2, collections=["flood"])
    assert [one.id for one in sort.items()] == ["flood-00", "flood-01"]
    assert "thalweg:year" in client.get_queryables()["properties"]
    item = client.get_collection("flood").get_item("flood-03")
    assert item.datetime is None
    assert item.get_self_href() == f"{url}/collections/flood/items/flood-03"


def test_items_and_collections_are_valid(url: str) -> None:
    from thalweg.catalog.validate import validate_collection, validate_item

    client = Client.open(url)
    assert {one.id for one in client.get_children()} == {"flood", "land-cover"}
    for collection in client.get_collections():
        validate_collection(collection.to_dict())
    items = list(client.search(limit=100).items())
    assert len(items) == 26
    for item in items:
        assert isinstance(item, pystac.Item)
        validate_item(item.to_dict())


CLASSES = ("core", "browseable", "item-search", "features", "collections", "filter")


@pytest.mark.slow
def test_stac_api_validator_finds_nothing(url: str) -> None:
    """But what it cannot look up without the network: `test_items_and_collections_are_valid` holds
    items and collections against the same schemas, from files."""
    checked = subprocess.run(
        [
            Path(sys.executable).parent / "stac-api-validator",
            *("--root-url", url, "--collection", "flood", "--geometry", SQUARE),
            *(word for one in CLASSES for word in ("--conformance", one)),
        ],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert "Warnings:" in checked.stdout, checked.stderr
    faults = checked.stdout.partition("Errors:")[2].splitlines()
    assert [line for line in faults if line.strip() and "NameResolutionError" not in line] == []
