"""The clients that people use for features, against a server that listens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from feature_world import COUNT, add_to, places
from owslib.ogcapi.features import Features
from test_clients import listening

from thalweg.api.app import create_app
from thalweg.features import schema
from thalweg.features.geopackage import GeoPackages
from thalweg.features.postgis import PostgisTables
from thalweg.pipelines.workspace import Workspace

GDAL = """
import sys
import pyogrio
from shapely import from_wkb

url = "OAPIF:" + sys.argv[1]
print(sorted(pyogrio.list_layers(url)[:, 0]))
told = pyogrio.read_info(url, layer="places")
print(told["features"], told["crs"], dict(zip(told["fields"], told["ogr_types"])))
meta, table = pyogrio.read_arrow(url, layer="places", PAGE_SIZE=17)
name = meta["geometry_name"] or "wkb_geometry"
most = max(table["people"].drop_null().to_pylist())
print(table.num_rows, len(set(table["fid"].to_pylist())), most)
print(pyogrio.read_arrow(url, layer="places", bbox=(170, -20, 180, 0))[1].num_rows)
print(pyogrio.read_arrow(url, layer="places", where="name = 'Kigali'")[1]["name"].to_pylist())
print(sorted({shape.geom_type for shape in from_wkb(table[name].to_pylist())}))
"""


@pytest.fixture(params=["embedded", "postgresql"])
def url(world_url: tuple[Path, str], request: pytest.FixtureRequest) -> Iterator[str]:
    folder, database = world_url
    workspace, settings = Workspace.at(folder)
    chosen = database if request.param == "postgresql" else ""
    if chosen:
        schema.prepare(database)
    add_to(PostgisTables(database) if chosen else GeoPackages(folder / "features"))
    app = create_app(workspace, settings.model_copy(update={"database_url": chosen}))
    with listening(app) as found:
        yield f"{found}/features"


def test_gdal_reads_collections_types_pages_and_filters(url: str) -> None:
    # In a process of its own: GDAL's requests hold what the server would answer them with.
    done = subprocess.run(
        [sys.executable, "-c", GDAL, url],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    layers, told, rows, box, where, kinds = done.stdout.splitlines()
    assert layers == "['nothing', 'places']"
    assert told.startswith(f"{COUNT} ")
    assert "'seen': 'OFTDateTime'" in told
    assert "'founded': 'OFTDate'" in told
    assert "'people': 'OFTInteger64'" in told
    assert rows == f"{COUNT} {COUNT} {1 << 40}"
    assert int(box) > 0
    # In OGR's SQL texts are equal whatever their case.
    names = [one for one in places()["name"].to_pylist() if one and one.lower() == "kigali"]
    assert where == str(names)
    assert kinds == "['LineString', 'MultiPolygon', 'Point', 'Polygon']"


def test_owslib_reads_collections_queryables_and_items(url: str) -> None:
    client = Features(f"{url}/")
    assert (
        "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core"
        in (client.conformance()["conformsTo"])
    )
    assert sorted(client.feature_collections()) == ["nothing", "places"]
    assert client.collection("places")["title"] == "Places"
    assert "people" in client.collection_queryables("places")["properties"]
    found = client.collection_items("places", limit=5, bbox=[-180, -90, 180, 90])
    assert found["numberReturned"] == 5
    assert found["numberMatched"] == COUNT
    named = client.collection_items("places", filter="name = 'Kigali'")
    assert {one["properties"]["name"] for one in named["features"]} == {"Kigali"}
    assert client.collection_item("places", "4")["id"] == 4
