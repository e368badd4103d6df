"""The base map's tiles hold the countries that are there."""

from __future__ import annotations

from pathlib import Path

import pyogrio
import pytest
import shapely
from fastapi.testclient import TestClient

from thalweg.hexagons.outlines import outlines_file


def read(content: bytes, folder: Path, z: int, x: int, y: int, layer: str) -> dict[str, object]:
    """Names and geometries of a layer, in Web Mercator."""
    file = folder / f"{z}-{x}-{y}.mvt"
    file.write_bytes(content)
    _, table = pyogrio.read_arrow(file, layer=layer, X=x, Y=y, Z=z)
    geometry = shapely.from_wkb(table["wkb_geometry"].to_numpy(zero_copy_only=False))
    return dict(zip(table["name"].to_pylist(), geometry, strict=True))


@pytest.mark.skipif(not outlines_file("10m").exists(), reason="no outlines: script/bootstrap")
@pytest.mark.parametrize(("z", "x", "y"), [(0, 0, 0), (3, 4, 4), (6, 37, 32)])
def test_the_base_map_has_the_countries_that_are_there(
    client: TestClient, tmp_path: Path, z: int, x: int, y: int
) -> None:
    answer = client.get(f"/basemap/{z}/{x}/{y}.mvt")

    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert len(answer.content) < 400_000
    found = read(answer.content, tmp_path, z, x, y, "countries")
    assert "Rwanda" in found
    assert all(shape.is_valid for shape in found.values())


@pytest.mark.skipif(not outlines_file("10m").exists(), reason="no outlines: script/bootstrap")
def test_a_name_stands_on_one_tile_only(client: TestClient, tmp_path: Path) -> None:
    named = []
    for x, y in [(36, 31), (36, 32), (37, 31), (37, 32), (38, 32)]:
        content = client.get(f"/basemap/6/{x}/{y}.mvt").content
        named += read(content, tmp_path, 6, x, y, "names") if b"\x05names" in content else []

    assert named.count("Rwanda") == 1


def test_the_open_sea_is_no_tile(client: TestClient) -> None:
    assert client.get("/basemap/8/0/128.mvt").status_code == 204
