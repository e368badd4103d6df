"""`/api/raster`: windows and values of one raster, over both backends."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from raster_world import FLOODS, HEIGHTS, NODATA, TERRAIN, WATER, WEST, depths
from rasterio.features import geometry_mask
from rasterio.transform import Affine

from thalweg.api.app import create_app
from thalweg.pipelines.workspace import Workspace

ITEM = f"{FLOODS}/{WEST}"
TRIANGLE = {
    "type": "Polygon",
    "coordinates": [[[30.1, -0.8], [30.8, -0.7], [30.4, -0.1], [30.1, -0.8]]],
}


def window(client: TestClient, path: str, **params: Any) -> np.ndarray:
    answer = client.get(f"/api/raster/{path}", params={"format": "npy", **params})
    assert answer.status_code == 200, answer.text
    return np.load(BytesIO(answer.content))


def test_a_window_has_the_pixels_of_the_file_and_its_place(
    service: TestClient, tmp_path: Path
) -> None:
    asked = {"bbox": "30.2,-0.8,30.6,-0.4"}
    expected = depths(0)[:, 120:240, 60:180]
    np.testing.assert_array_equal(window(service, f"extract/{ITEM}", **asked), expected)
    file = tmp_path / "a.tif"
    file.write_bytes(service.get(f"/api/raster/extract/{ITEM}", params=asked).content)
    with rasterio.open(file) as dataset:
        np.testing.assert_array_equal(dataset.read(), expected)
        assert dataset.bounds == pytest.approx((30.2, -0.8, 30.6, -0.4))


@given(west=st.floats(29.9, 30.98), south=st.floats(-1.1, -0.02), size=st.floats(0.004, 0.3))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_window_is_every_pixel_that_shares_area_with_the_box(
    embedded: TestClient, west: float, south: float, size: float
) -> None:
    east, north = west + size, south + size
    answer = embedded.get(
        f"/api/raster/extract/{ITEM}",
        params={"bbox": f"{west!r},{south!r},{east!r},{north!r}", "bidx": 3},
    )
    if not (west < 31 and east > 30 and south < 0 and north > -1):
        assert answer.status_code == 404
        return
    assert answer.status_code == 200
    with rasterio.MemoryFile(answer.content) as memory, memory.open() as dataset:
        left, bottom, right, top = dataset.bounds
        assert left <= west + 1e-9
        assert right >= east - 1e-9
        assert bottom <= south + 1e-9
        assert top >= north - 1e-9
        column, row = round((left - 30) * 300), round(-top * 300)
        found = dataset.read(1)
    known = np.full((900, 900), NODATA)
    known[300:600, 300:600] = np.where(depths(0)[2] == WATER, NODATA, depths(0)[2])
    rows, columns = slice(row + 300, row + 300 + len(found)), column + 300
    np.testing.assert_array_equal(found, known[rows, columns : columns + found.shape[1]])


def test_a_point_gives_the_curve_over_return_periods(service: TestClient) -> None:
    told = service.get(f"/api/raster/point/{ITEM}", params={"lon": 30.335, "lat": -0.5017}).json()
    values = depths(0)[:, 150, 100]
    assert [one["value"] for one in told["values"]] == values.tolist()
    assert [one["return_period"] for one in told["values"]] == [10, 100, 1000]
    assert {one["unit"] for one in told["values"]} == {"cm"}


@pytest.mark.parametrize(
    ("lon", "lat", "meaning"), [(30.135, -0.135, "permanent_water"), (30.99, -0.01, None)]
)
def test_a_point_without_a_measurement_is_null(
    service: TestClient, lon: float, lat: float, meaning: str | None
) -> None:
    told = service.get(f"/api/raster/point/{ITEM}", params={"lon": lon, "lat": lat}).json()
    assert [(one["value"], one["meaning"]) for one in told["values"]] == [(None, meaning)] * 3


def test_a_point_outside_is_told_the_extent(service: TestClient) -> None:
    answer = service.get(f"/api/raster/point/{ITEM}", params={"lon": 31.5, "lat": -0.5})
    assert answer.status_code == 404
    assert answer.json()["hint"] == "its bbox is 30, -1, 31, 0"


def test_a_clip_keeps_what_the_geometry_touches(service: TestClient) -> None:
    answer = service.post(
        f"/api/raster/clip/{ITEM}", params={"format": "tif", "bidx": 3}, json=TRIANGLE
    )
    with rasterio.MemoryFile(answer.content) as memory, memory.open() as dataset:
        found, transform = dataset.read(1), dataset.transform
    inside = geometry_mask([TRIANGLE], found.shape, transform, all_touched=True, invert=True)
    row, column = round(-transform.f * 300), round((transform.c - 30) * 300)
    whole = depths(0)[2][row : row + found.shape[0], column : column + found.shape[1]]
    expected = np.where(inside & (whole != WATER), whole, NODATA)
    np.testing.assert_array_equal(found, expected)
    assert transform.almost_equals(Affine(1 / 300, 0, transform.c, 0, -1 / 300, transform.f))


def test_a_clip_paints_no_water_beyond_the_geometry(embedded: TestClient) -> None:
    over_the_lake = [[30.02, -0.3], [30.3, -0.3], [30.3, -0.02], [30.02, -0.3]]
    shape = {"type": "Polygon", "coordinates": [over_the_lake]}
    answer = embedded.post(
        f"/api/raster/clip/{ITEM}", params={"format": "png", "bidx": 3}, json=shape
    )
    pixels = np.asarray(Image.open(BytesIO(answer.content)))
    assert (pixels[..., 3] > 0).any()
    assert pixels[20, 10, 3] == 0


def test_a_preview_is_no_larger_than_asked(service: TestClient) -> None:
    assert window(service, f"preview/{ITEM}", max_size=64).shape == (3, 64, 64)
    picture = service.get(f"/api/raster/preview/{TERRAIN}/{HEIGHTS}")
    assert Image.open(BytesIO(picture.content)).size == (300, 300)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"extract/{ITEM}?bbox=nan,0,1,1", 400),
        (f"extract/{ITEM}?bbox=1,2,3", 400),
        (f"extract/{ITEM}?bbox=a,b,c,d", 400),
        (f"extract/{ITEM}?bbox=31,-1,30,0", 400),
        (f"extract/{ITEM}?bbox=30,0,31,-1", 400),
        (f"extract/{ITEM}", 400),
        (f"extract/{ITEM}?bbox=10,10,11,11", 404),
        (f"extract/{ITEM}?bbox=-180,-90,180,90", 413),
        (f"extract/{ITEM}?bbox=30,-1,31,0&width=100000&height=100000", 413),
        (f"extract/{ITEM}?bbox=30,-1,31,0&width=-1", 400),
        (f"extract/{ITEM}?bbox=30,-1,31,0&format=exe", 400),
        (f"extract/{ITEM}?bbox=30,-1,31,0&asset=other", 404),
        (f"extract/{ITEM}?bbox=30,-1,31,0&url=x", 400),
        (f"extract/{ITEM}?bbox=30,-1,31,0&format=png", 400),
        (f"preview/{ITEM}?max_size=1000000000", 400),
        (f"point/{ITEM}?lon=nan&lat=0", 400),
        (f"point/{ITEM}?lon=200&lat=0", 400),
        (f"point/{FLOODS}/none?lon=1&lat=0", 404),
        ("point/none/none?lon=1&lat=0", 404),
        (f"point/{FLOODS}/a%27b%25?lon=1&lat=0", 404),
        (f"point/{FLOODS}/a%00?lon=1&lat=0", 400),
        (f"point/{FLOODS}/..%2F..%2Fx?lon=1&lat=0", 404),
    ],
)
def test_what_is_wrong_is_refused(embedded: TestClient, path: str, status: int) -> None:
    answer = embedded.get(f"/api/raster/{path}")
    assert answer.status_code == status, answer.text[:200]
    assert set(answer.json()) == {"code", "message", "hint", "request_id"}


@pytest.mark.parametrize("longitude", [1.7976931348623157e308, -180.1, 500_000])
def test_regression_a_geometry_off_the_globe_is_refused(
    embedded: TestClient, longitude: float
) -> None:
    """The first, found by fuzzing, overflowed where the area of the box was reckoned."""
    shape = {"type": "MultiPoint", "coordinates": [[longitude, -1.0], [30.0, 0.5]]}
    feature = {"type": "Feature", "properties": None, "geometry": shape}
    for path, body in (
        (f"/raster/collections/{FLOODS}/feature", feature),
        ("/stac/search", {"intersects": shape}),
    ):
        answer = embedded.post(path, json=body)
        assert answer.status_code == 400, answer.text
        assert "not on the globe" in answer.json()["message"]


def test_limits_are_those_of_the_settings(rasters: Workspace) -> None:
    workspace, made = Workspace.at(rasters.folder)
    small = type(made.serve)(max_pixels=65536, max_area=200, max_vertices=4)
    with TestClient(create_app(workspace, made.model_copy(update={"serve": small}))) as client:
        for box in ("30,-1,30.15,-0.85", "30,-1,31,0"):
            answer = client.get(f"/api/raster/extract/{ITEM}", params={"bbox": box})
            assert answer.status_code == 413
            assert "serve.max_area" in answer.json()["hint"]
        read = {"bbox": "30,-0.1,30.1,0", "width": 300, "height": 300}
        assert client.get(f"/api/raster/extract/{ITEM}", params=read).status_code == 413
        read["bidx"] = 1
        assert client.get(f"/api/raster/extract/{ITEM}", params=read).status_code == 413
        read["width"] = 200
        assert client.get(f"/api/raster/extract/{ITEM}", params=read).status_code == 200
        square = [[30, -0.1], [30.1, -0.1], [30.1, 0], [30, 0], [30, -0.1]]
        shape = {"type": "Polygon", "coordinates": [square]}
        answer = client.post(f"/api/raster/clip/{ITEM}", json=shape)
        assert (answer.status_code, "5 vertices" in answer.json()["message"]) == (413, True)
