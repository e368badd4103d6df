"""titiler's paths by ids of the catalogue, over both backends."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import morecantile
import numpy as np
import pytest
import rasterio
from fastapi.testclient import TestClient
from PIL import Image
from raster_world import (
    EAST,
    FLOODS,
    HEIGHTS,
    NODATA,
    ODD,
    PERIODS,
    TERRAIN,
    UNDEFENDED,
    WATER,
    WEST,
    depths,
)
from rasterio.errors import NotGeoreferencedWarning
from rasterio.warp import transform

ITEM = f"/raster/collections/{FLOODS}/items/{WEST}"
CHOSEN = "\"thalweg:defence\" = 'defended' AND \"thalweg:year\" = '2050'"
WATER_COLOUR = (129, 147, 166, 255)


def picture(client: TestClient, url: str, **params: object) -> np.ndarray:
    answer = client.get(url, params=params or None)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return np.asarray(Image.open(BytesIO(answer.content)).convert("RGBA"))


def array(client: TestClient, url: str, **params: object) -> np.ndarray:
    answer = client.get(url, params=params)
    assert answer.status_code == 200, answer.text
    return np.load(BytesIO(answer.content))


def tile_of(lon: float, lat: float, zoom: int) -> str:
    tile = morecantile.tms.get("WebMercatorQuad").tile(lon, lat, zoom)
    return f"{tile.z}/{tile.x}/{tile.y}"


def test_the_pixels_of_a_window_are_those_of_the_file(service: TestClient) -> None:
    found = array(service, f"{ITEM}/bbox/30.2,-0.8,30.6,-0.4.npy", bidx=2)
    expected = depths(0)[1, 120:240, 60:180]
    np.testing.assert_array_equal(found[0], expected)


def test_values_at_a_point_are_those_of_the_pixel(service: TestClient) -> None:
    row, column = 150, 100
    lon, lat = 30 + (column + 0.5) / 300, -(row + 0.5) / 300
    told = service.get(f"{ITEM}/point/{lon},{lat}").json()
    assert told["values"] == depths(0)[:, row, column].tolist()
    assert told["band_descriptions"] == ["1in10", "1in100", "1in1000"]


def test_permanent_water_is_no_depth_anywhere(service: TestClient) -> None:
    lon, lat = 30 + 40.5 / 300, -40.5 / 300
    assert service.get(f"{ITEM}/point/{lon},{lat}").json()["values"] == [None] * 3
    statistics = service.get(f"{ITEM}/statistics").json()
    values = depths(0)[0]
    valid = values[(values != WATER) & (values != NODATA)]
    assert statistics["b1"]["min"] == 0
    assert statistics["b1"]["mean"] == pytest.approx(valid.mean())
    square = _square(30.05, -0.22, 30.25, -0.05)
    body = {"type": "Feature", "properties": {}, "geometry": square}
    told = service.post(f"{ITEM}/statistics", json=body).json()["properties"]["statistics"]
    assert told["b1"]["min"] == 0
    assert (array(service, f"{ITEM}/preview.npy", max_size=300) != WATER).all()


def test_a_picture_leaves_dry_ground_open_and_paints_water(service: TestClient) -> None:
    pixels = picture(service, f"{ITEM}/preview.png", return_period=100, max_size=300)
    values = depths(0)[1]
    assert (pixels[values == 0][:, 3] == 0).all()
    assert (pixels[values == NODATA][:, 3] == 0).all()
    assert (pixels[values > 0][:, 3] == 255).all()
    assert (pixels[values == WATER] == WATER_COLOUR).all()
    deep, shallow = pixels[values == values.max()][0], pixels[values == 8][0]
    assert deep[:3].sum() < shallow[:3].sum()


def test_a_band_is_chosen_by_return_period_or_number(service: TestClient) -> None:
    for number, period in enumerate(PERIODS, 1):
        by_period = array(service, f"{ITEM}/preview.npy", return_period=period)
        np.testing.assert_array_equal(by_period, array(service, f"{ITEM}/preview.npy", bidx=number))
    refused = service.get(f"{ITEM}/preview.png", params={"return_period": 30})
    assert refused.status_code == 400
    assert refused.json()["hint"] == "there are 10, 100, 1000"
    refused = service.get(f"{ITEM}/preview.png", params={"bidx": 9})
    assert refused.status_code == 400
    assert "3 (1in1000)" in refused.json()["hint"]


def test_a_tile_is_the_same_as_rio_tiler_reads(service: TestClient, folder: Path) -> None:
    from rio_tiler.io import Reader

    place = tile_of(30.4, -0.5, 9)
    found = array(service, f"{ITEM}/tiles/WebMercatorQuad/{place}.npy", bidx=2)
    z, x, y = (int(part) for part in place.split("/"))
    item = service.get(f"/stac/collections/{FLOODS}/items/{WEST}").json()
    key = item["assets"]["data"]["href"].removeprefix("http://testserver/files/")
    with Reader(str(folder / key)) as reader:
        expected = reader.tile(x, y, z, indexes=2)
    values = np.where(expected.array.data == WATER, NODATA, expected.array.filled(NODATA))
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("form", ["png", "jpg", "webp"])
def test_a_picture_warns_of_nothing_that_another_thread_could_make_an_error(
    service: TestClient, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """What one thread ignores while it encodes, another may put back amid that."""
    real = warnings.filterwarnings

    def all_but_one(*args: Any, **options: Any) -> None:
        if options.get("category") is not NotGeoreferencedWarning:
            real(*args, **options)

    monkeypatch.setattr("warnings.filterwarnings", all_but_one)
    url = f"{ITEM}/tiles/WebMercatorQuad/{tile_of(30.4, -0.5, 9)}.{form}?bidx=2"
    assert service.get(url).status_code == 200


def test_tilejson_and_wmts_lead_to_tiles(service: TestClient) -> None:
    tilejson = service.get(f"{ITEM}/WebMercatorQuad/tilejson.json?return_period=100").json()
    assert tilejson["bounds"] == pytest.approx([30, -1, 31, 0])
    zoom = tilejson["maxzoom"]
    z, x, y = tile_of(30.4, -0.5, zoom).split("/")
    url = tilejson["tiles"][0].replace("{z}", z).replace("{x}", x).replace("{y}", y)
    assert picture(service, url).shape == (512, 512, 4)
    capabilities = service.get(f"{ITEM}/WMTSCapabilities.xml?return_period=100")
    assert capabilities.status_code == 200
    document = ElementTree.fromstring(capabilities.text)
    resource = document.find(".//{*}ResourceURL")
    assert resource is not None
    assert f"/{WEST}/tiles/" in resource.attrib["template"]


def test_a_mosaic_joins_what_lies_side_by_side(service: TestClient) -> None:
    base = f"/raster/collections/{FLOODS}"
    box = "bbox/30.9,-0.8,31.1,-0.4.npy"
    found = array(service, f"{base}/{box}", bidx=3, filter=CHOSEN)
    expected = np.concatenate([depths(0)[2, 120:240, 270:], depths(1)[2, 120:240, :30]], axis=1)
    np.testing.assert_array_equal(found[0], expected)
    tile = tile_of(31.0, -0.5, 8)
    pixels = picture(
        service, f"{base}/tiles/WebMercatorQuad/{tile}", return_period=100, filter=CHOSEN
    )
    one = picture(service, f"{ITEM}/tiles/WebMercatorQuad/{tile}", return_period=100)
    assert (pixels[..., 3] > 0).sum() > (one[..., 3] > 0).sum()
    assert (pixels == WATER_COLOUR).all(axis=-1).any()
    told = service.get(f"{base}/point/31.5,-0.5", params={"filter": CHOSEN}).json()
    assert [one["name"] for one in told["assets"]] == [f"{FLOODS}/{EAST}"]


def test_a_tile_where_a_mosaic_has_nothing_is_an_empty_answer(service: TestClient) -> None:
    mosaic = f"/raster/collections/{FLOODS}"
    tile = f"tiles/WebMercatorQuad/{tile_of(0.5, 10.5, 9)}"
    where = {"filter": CHOSEN, "bidx": 1}

    there = service.get(f"{mosaic}/{tile}", params=where)

    assert (there.status_code, there.content) == (204, b"")
    assert service.get(f"{mosaic}/point/0.5,10.5", params=where).status_code == 404
    assert service.get(f"{ITEM}/{tile}", params={"bidx": 1}).status_code == 404


def test_a_mosaic_of_several_scenarios_is_refused(service: TestClient) -> None:
    answer = service.get(
        f"/raster/collections/{FLOODS}/tiles/WebMercatorQuad/{tile_of(30.4, -0.5, 9)}?bidx=1"
    )
    assert answer.status_code == 400
    assert answer.json()["code"] == "AmbiguousScenario"
    assert "defence (defended, undefended)" in answer.json()["hint"]


def test_a_search_is_registered_and_shown(service: TestClient) -> None:
    search = {"collections": [FLOODS], "ids": [UNDEFENDED]}
    told = service.post("/raster/searches/register", json=search).json()
    base = f"/raster/searches/{told['id']}"
    found = array(service, f"{base}/bbox/30.2,-0.8,30.6,-0.4.npy", bidx=2)
    np.testing.assert_array_equal(found[0], depths(2)[1, 120:240, 60:180])
    tilejson = service.get(f"{base}/WebMercatorQuad/tilejson.json?bidx=2").json()
    assert tilejson["bounds"] == pytest.approx([30, -1, 31, 0])
    refused = service.post("/raster/searches/register", json={"collections": [FLOODS], "x": 1})
    assert refused.status_code == 400
    for wrong in ("nonsense", "AAAA", "%00", "eJwDAAAAAAE", "..%2f..%2fetc"):
        assert 400 <= service.get(f"/raster/searches/{wrong}/info").status_code < 500


def test_terrain_has_its_own_colours_and_percentiles(service: TestClient) -> None:
    legend = service.get(f"/raster/collections/{TERRAIN}/items/{HEIGHTS}/legend").json()
    assert legend["colormap"] == "elevation"
    assert legend["rescale"] == [1010, 1580]
    pixels = picture(
        service, f"/raster/collections/{TERRAIN}/items/{HEIGHTS}/preview.png", max_size=300
    )
    assert (pixels[:10, :, 3] == 0).all()
    assert (pixels[10:, :, 3] == 255).all()


def test_a_jpeg_is_white_where_there_is_no_data(service: TestClient) -> None:
    answer = service.get(f"{ITEM}/preview.jpeg?bidx=2&max_size=300")
    assert answer.headers["content-type"] == "image/jpeg"
    pixels = np.asarray(Image.open(BytesIO(answer.content)))
    assert (pixels[:8, -8:] > 245).all()


def test_a_geotiff_has_its_place_and_nodata(service: TestClient, tmp_path: Path) -> None:
    file = tmp_path / "window.tif"
    file.write_bytes(service.get(f"{ITEM}/bbox/30,-0.2,30.2,0.tif?bidx=1").content)
    with rasterio.open(file) as dataset:
        assert dataset.nodata == NODATA
        assert dataset.bounds == pytest.approx((30, -0.2, 30.2, 0))
        assert dataset.crs == "EPSG:4326"
        assert (dataset.read(1)[20:60, 20:60] == NODATA).all()


def test_a_legend_tells_metres_and_water(service: TestClient) -> None:
    told = service.get(f"{ITEM}/legend").json()
    assert told["unit"] == "m"
    assert [stop["value"] for stop in told["stops"]] == [0, 1, 2, 3, 4, 5]
    assert told["rescale"] == [0, 500]
    assert told["classes"] == [{"name": "permanent_water", "color": "#8193a6"}]
    drawn = service.get(f"{ITEM}/legend.png")
    assert Image.open(BytesIO(drawn.content)).size[0] == 640


def test_an_answer_that_is_held_is_not_sent_again(service: TestClient) -> None:
    url = f"{ITEM}/preview.png?bidx=2"
    first = service.get(url)
    assert "immutable" not in first.headers["cache-control"]
    again = service.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = service.get(
        f"{ITEM}/preview.png?bidx=1", headers={"If-None-Match": first.headers["etag"]}
    )
    assert other.status_code == 200
    item = service.get(f"/stac/collections/{FLOODS}/items/{WEST}").json()
    checksum = item["assets"]["data"]["file:checksum"][4:16]
    assert "immutable" in service.get(f"{url}&checksum={checksum}").headers["cache-control"]
    assert service.get(f"{url}&checksum=00000000").status_code == 404


def test_ids_with_odd_characters_are_served(service: TestClient) -> None:
    from urllib.parse import quote

    answer = service.get(f"/raster/collections/{TERRAIN}/items/{quote(ODD, safe='')}/info")
    assert answer.status_code == 200, answer.text
    assert answer.json()["count"] == 1


@pytest.mark.parametrize("item", ["passwd", "up", "gone"])
def test_only_files_of_the_zones_are_opened(service: TestClient, item: str) -> None:
    answer = service.get(f"/raster/collections/elsewhere/items/{item}/info")
    assert answer.status_code == (503 if item == "gone" else 404)
    assert "passwd" not in answer.json()["message"].replace("'elsewhere/passwd'", "")
    assert "/" not in answer.json()["message"].replace("elsewhere/", "")


@pytest.mark.parametrize(
    "path",
    [
        "info?url=https://example.org/a.tif",
        "info?url=file:///etc/passwd",
        "preview.png",
        "preview.png?bidx=1&bidx=2",
        "preview.png?bidx=0",
        "preview.png?bidx=1&rescale=nan,5",
        "preview.png?bidx=1&rescale=5,5",
        "preview.png?bidx=1&rescale=1",
        "preview.png?bidx=1&colormap_name=nothing",
        "preview.png?bidx=1&expression=b1*2",
        "preview.png?bidx=1&nodata=0",
        "preview.png?bidx=1&resampling=bilinear",
        "preview.tif?max_size=100000000&width=100000&height=100000",
        "preview.xyz",
        "point/nan,0",
        "point/inf,0",
        "point/0,0",
        "point/30.5,-0.5?coord_crs=http://example.org/crs",
        "bbox/nan,0,1,1.png?bidx=1",
        "bbox/-2e19,-2e19,2e19,2e19.png?bidx=1&coord_crs=EPSG:3857",
        "bbox/1,1,0,0.png?bidx=1",
        "bbox/10,10,11,11.png?bidx=1",
        "bbox/30,-1,31,0/100000x100000.png?bidx=1",
        "tiles/WebMercatorQuad/1000000000/0/0?bidx=1",
        "tiles/WebMercatorQuad/9/99999999999999999999999/0?bidx=1",
        "tiles/WebMercatorQuad/-1/0/0?bidx=1",
        "tiles/WebMercatorQuad/a/0/0?bidx=1",
        "tiles/Nonsense/1/0/0?bidx=1",
        "tiles/WebMercatorQuad/9/0/0?bidx=1",
        "tiles/WebMercatorQuad/9/299/257?bidx=1&tilesize=1000000",
        "tiles/WebMercatorQuad/9/299/257?bidx=1&buffer=100000",
        "tiles/WebMercatorQuad/9/299/257?bidx=1&padding=100000",
    ],
)
def test_what_is_wrong_is_refused_by_one_body(embedded: TestClient, path: str) -> None:
    answer = embedded.get(f"{ITEM}/{path}")
    assert 400 <= answer.status_code < 500, answer.text[:200]
    assert set(answer.json()) == {"code", "message", "hint", "request_id"}


@pytest.mark.parametrize(
    "item", ["../../etc/passwd", "..%2F..%2Fetc", "a'b", "a%25", "%00", "\x00"]
)
def test_ids_that_lead_elsewhere_are_refused(service: TestClient, item: str) -> None:
    from urllib.parse import quote

    answer = service.get(f"/raster/collections/{FLOODS}/items/{quote(item, safe='%')}/info")
    assert 400 <= answer.status_code < 500
    assert set(answer.json()) == {"code", "message", "hint", "request_id"}


def test_regression_a_geometry_in_metres_is_limited_by_its_degrees(embedded: TestClient) -> None:
    """Metres were taken for degrees, and PROJ never came back from what is far beyond them."""
    corners = [(30.2, -0.6), (30.3, -0.6), (30.3, -0.5), (30.2, -0.5), (30.2, -0.6)]
    metres = transform("EPSG:4326", "EPSG:3857", *zip(*corners, strict=True))
    answers = []
    for ring, query in ((corners, ""), (list(zip(*metres, strict=True)), "&coord_crs=EPSG:3857")):
        shape = {"type": "Polygon", "coordinates": [ring]}
        feature = {"type": "Feature", "properties": {}, "geometry": shape}
        answer = embedded.post(f"{ITEM}/statistics?bidx=1{query}", json=feature)
        assert answer.status_code == 200, answer.text
        answers.append(answer.json()["properties"]["statistics"]["b1"])
    assert answers[0]["mean"] == pytest.approx(answers[1]["mean"], rel=0.02)

    world = [[-2e7, -2e7], [2e7, -2e7], [2e7, 2e7], [-2e7, 2e7], [-2e7, -2e7]]
    nowhere = [[x * 1e12, y * 1e12] for x, y in world]
    for ring, status in ((world, 413), (nowhere, 400)):
        shape = {"type": "Polygon", "coordinates": [ring]}
        feature = {"type": "Feature", "properties": {}, "geometry": shape}
        answer = embedded.post(f"{ITEM}/statistics?bidx=1&coord_crs=EPSG:3857", json=feature)
        assert answer.status_code == status, answer.text


def test_geometries_are_limited(embedded: TestClient) -> None:
    ring = [[30.5 + 0.1 * np.cos(a), -0.5 + 0.1 * np.sin(a)] for a in np.linspace(0, 6.2, 6000)]
    shape = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    body = {"type": "Feature", "properties": {}, "geometry": shape}
    answer = embedded.post(f"{ITEM}/feature.png?bidx=1", json=body)
    assert (answer.status_code, answer.json()["code"]) == (413, "RequestTooLarge")
    world = {**body, "geometry": _square(-180, -90, 180, 90)}
    assert embedded.post(f"{ITEM}/statistics", json=world).status_code == 413
    small = {**body, "geometry": _square(30.1, -0.9, 30.2, -0.8)}
    scaled = embedded.post(f"{ITEM}/statistics?cover_scale=1000", json=small)
    assert scaled.status_code == 413
    for wrong in ({}, [], {"type": "Feature"}, {"features": []}, {"geometry": {"type": "x"}}):
        assert 400 <= embedded.post(f"{ITEM}/feature.png?bidx=1", json=wrong).status_code < 500


def _square(west: float, south: float, east: float, north: float) -> dict[str, object]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}
