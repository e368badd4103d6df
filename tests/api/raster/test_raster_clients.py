"""The clients that people have, with no special arguments, over HTTP."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from listening import listening
from raster_world import FLOODS, NODATA, WATER, WEST, depths

from thalweg.api.app import create_app
from thalweg.api.services import Services

RIO_TILER = """
import sys, numpy
from rio_tiler.io import STACReader
with STACReader(sys.argv[1]) as reader:
    found = reader.part((30.2, -0.8, 30.6, -0.4), assets=["data"])
numpy.save(sys.argv[2], found.array.data)
"""
ODC_STAC = """
import sys, numpy, pystac
from odc.stac import load
item = pystac.Item.from_file(sys.argv[1])
found = load([item], bands=["1in10", "1in100", "1in1000"])
numpy.save(sys.argv[2], numpy.stack([found[name].values[0] for name in found.data_vars]))
"""


@pytest.fixture
def item_url(service: TestClient) -> Iterator[str]:
    served: Services = service.app.state.services  # type: ignore[attr-defined]
    with listening(create_app(served.workspace, served.settings)) as url:
        yield f"{url}/stac/collections/{FLOODS}/items/{WEST}"


def read_by(client: str, url: str, folder: Path) -> np.ndarray:
    """What a client reads, in a process of its own: GDAL's requests hold up the server here."""
    file = folder / "pixels.npy"
    done = subprocess.run(
        [sys.executable, "-c", client, url, str(file)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return np.load(file)


def test_rio_tilers_stac_reader_opens_an_item(item_url: str, tmp_path: Path) -> None:
    found = read_by(RIO_TILER, item_url, tmp_path)
    np.testing.assert_array_equal(found, depths(0)[:, 120:240, 60:180])


def test_odc_stac_loads_an_item(item_url: str, tmp_path: Path) -> None:
    values = read_by(ODC_STAC, item_url, tmp_path)
    np.testing.assert_array_equal(values, depths(0))
    assert (values == WATER).any()
    assert (values == NODATA).any()


def test_items_are_found_as_leafmap_asks_for_them(service: TestClient) -> None:
    """`stac_assets`, `stac_bounds`, `stac_stats` and `stac_tile` of leafmap, by their addresses."""
    named = {"collection": FLOODS, "item": WEST}
    assert service.get("/raster/stac/assets", params=named).json() == ["data"]
    assert service.get("/raster/stac/bounds", params=named).json()["bounds"] == [30, -1, 31, 0]
    asked = {**named, "assets": "data"}
    stats = service.get("/raster/stac/statistics", params=asked).json()
    assert all("percentile_2" in band for band in stats.values())
    drawn = {**asked, "bidx": 2, "rescale": "0,300"}
    tiles = service.get("/raster/stac/WebMercatorQuad/tilejson.json", params=drawn).json()["tiles"]
    picture = service.get(tiles[0].format(z=8, x=149, y=128))
    assert picture.headers["content-type"] == "image/png"
    assert "values" in service.get("/raster/stac/point/30.5,-0.5", params=asked).json()
    for wrong in ({"assets": "other"}, {"url": "http://127.0.0.1/a.tif"}):
        assert service.get("/raster/stac/info", params={**named, **wrong}).status_code == 400
    assert service.get("/raster/stac/info", params={"url": "http://a/b"}).status_code == 400
