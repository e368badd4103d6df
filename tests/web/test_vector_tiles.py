"""Tiles are read by GDAL as what was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from fastapi.testclient import TestClient

from thalweg.hexagons.outlines import outlines_file
from thalweg.web.vector_tiles import Layer, clipped, encoded, tile_bounds

HALF_THE_WORLD_M = 20037508.342789244


def read(content: bytes, folder: Path, z: int, x: int, y: int, layer: str) -> dict[str, object]:
    """Names and geometries of a layer, in Web Mercator."""
    file = folder / f"{z}-{x}-{y}.mvt"
    file.write_bytes(content)
    _, table = pyogrio.read_arrow(file, layer=layer, X=x, Y=y, Z=z)
    geometry = shapely.from_wkb(table["wkb_geometry"].to_numpy(zero_copy_only=False))
    return dict(zip(table["name"].to_pylist(), geometry, strict=True))


def metres(longitude: float, latitude: float) -> tuple[float, float]:
    x = longitude / 180 * HALF_THE_WORLD_M
    y = np.log(np.tan(np.pi / 4 + np.radians(latitude) / 2)) / np.pi * HALF_THE_WORLD_M
    return x, float(y)


def test_a_polygon_with_a_hole_comes_back(tmp_path: Path) -> None:
    z, x, y = 5, 18, 16
    shape = shapely.box(24, -5, 30, -1).difference(shapely.box(26, -4, 28, -2))
    point = shapely.Point(29, -3)
    layers = [
        Layer("countries", list(clipped([shape], z, x, y)), ["Ö & <b>"]),
        Layer("names", [point], ["Here"]),
    ]

    content = encoded(layers, z, x, y)

    (found,) = read(content, tmp_path, z, x, y, "countries").values()
    west, south, east, north = tile_bounds(z, x, y)
    inside = shapely.transform(
        shape.intersection(shapely.box(west, south, east, north)),
        lambda at: np.array([metres(*one) for one in at]),
    )
    unit = 2 * HALF_THE_WORLD_M / 2**z / 4096
    assert found.is_valid
    assert shapely.hausdorff_distance(found, inside) < 2 * unit
    assert found.area == pytest.approx(inside.area, rel=1e-3)
    names = read(content, tmp_path, z, x, y, "names")
    assert shapely.distance(names["Here"], shapely.Point(*metres(29, -3))) < unit


def test_what_is_outside_is_left_out() -> None:
    z, x, y = 5, 0, 0
    layers = [Layer("countries", list(clipped([shapely.box(24, -5, 30, -1)], z, x, y)), ["a"])]

    assert b"a" not in encoded(layers, z, x, y).replace(b"name", b"")[20:]


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


def test_the_open_sea_is_no_tile(client: TestClient) -> None:
    assert client.get("/basemap/8/0/128.mvt").status_code == 204
