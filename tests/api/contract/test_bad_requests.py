"""What nobody should send: each is the same quick 4xx with the one error body on both backends."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import quote

import pytest
from both_backends import Both

BODY = {"code", "message", "hint", "request_id"}
SECONDS = 5.0  # far more than any takes on a busy machine
AS_JSON = {"content-type": "application/json"}
FILE = "name < pg_read_file('/etc/hostname')"
NESTED = '{"op":"not","args":[' * 2000 + "true" + "]}" * 2000  # too deep for json.dumps
ITEM = "/raster/collections/flood/items/flood-00"
LIMITED = (
    "/stac/search",
    "/stac/collections",
    "/stac/collections/flood/items",
    "/features/collections",
    "/features/collections/places/items",
    "/api/hexagons/flood_risk/cells",
    "/api/exposure/homes/cells",
)
BOXED = (
    "/stac/search",
    "/stac/collections",
    "/stac/collections/flood/items",
    "/features/collections",
    "/features/collections/places/items",
    "/api/hexagons/flood_risk/cells",
    "/api/hexagons/flood_risk/summary",
    "/api/exposure/homes/cells",
    "/api/exposure/homes/summary",
    "/api/flood/extent",
    "/api/raster/extract/flood/flood-00",
)


@pytest.fixture(scope="module", autouse=True)
def _warm(both: Both) -> None:
    """A service makes its OpenAPI document in the first request with parameters."""
    both.get("/livez", x=1)


def refused(both: Both, method: str, url: str, **given: Any) -> None:
    """Raises where a backend answers other than by a quick refusal, or the two differently."""
    answers = {}
    for name, client in both.clients.items():
        began = time.perf_counter()
        answer = client.request(method, url, **given)
        assert time.perf_counter() - began < SECONDS, (name, url)
        assert 400 <= answer.status_code < 500, (name, url, answer.text[:300])
        assert set(answer.json()) == BODY, (name, url)
        assert answer.json()["message"], (name, url)
        answers[name] = (answer.status_code, answer.json()["code"])
    assert answers["embedded"] == answers["postgresql"], url


@pytest.mark.parametrize(
    "path",
    [
        "/stac/search",
        "/stac/collections",
        "/stac/collections/flood/items",
        "/features/collections/places/items",
        "/raster/collections/flood/info",
        "/features/collections/places/tiles/WebMercatorQuad/0/0/0",
    ],
)
@pytest.mark.parametrize("condition", [FILE, "NOT " * 2900 + "a = 1", "(" * 10_000 + "a = 1"])
def test_filters_that_call_functions_or_nest(both: Both, path: str, condition: str) -> None:
    refused(both, "GET", path, params={"filter": condition})


@pytest.mark.parametrize("number", [-1, -(2**64), 2**63])
@pytest.mark.parametrize(
    "path",
    [
        "/stac/collections?offset=",
        "/features/collections?offset=",
        "/features/collections/places/items?offset=",
        "/features/collections/places/tiles/WebMercatorQuad/tilejson.json?minzoom=",
        "/features/collections/places/tiles/WebMercatorQuad/style.json?minzoom=",
        "/features/collections/places/tiles/WebMercatorQuad/style.json?maxzoom=",
    ],
)
def test_regression_numbers_that_no_database_and_no_json_holds(
    both: Both, path: str, number: int
) -> None:
    """Found by fuzzing: they were a fault of the service's own."""
    refused(both, "GET", f"{path}{number}")


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/stac/search", NESTED),
        ("/raster/searches/register", NESTED),
        ("/stac/search", '{"op":"pg_read_file","args":["/etc/hostname"]}'),
        ("/raster/searches/register", '{"op":"pg_sleep","args":[9]}'),
    ],
    ids=lambda given: given[:30],
)
def test_filters_in_bodies_that_call_functions_or_nest(both: Both, path: str, given: str) -> None:
    refused(both, "POST", path, content=f'{{"filter":{given}}}', headers=AS_JSON)


@pytest.mark.parametrize(
    "path",
    [
        f"{ITEM}/info",
        f"{ITEM}/WebMercatorQuad/tilejson.json",
        f"{ITEM}/tiles/WebMercatorQuad/8/149/129.png",
        f"{ITEM}/preview.png",
        f"{ITEM}/legend",
        "/raster/collections/flood/info",
        "/api/raster/extract/flood/flood-00",
        "/api/raster/preview/flood/flood-00",
        "/api/flood/point",
        "/stac/search",
        "/features/collections/places/items",
        "/files/silver/a.tif",
        "/raster/cog/tiles/WebMercatorQuad/8/149/129.png",
        "/raster/stac/info",
    ],
)
@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a.tif", "/etc/passwd", "/vsicurl/http://a/b"])
def test_addresses_of_files(both: Both, path: str, url: str) -> None:
    refused(both, "GET", path, params={"url": url})


NAMES = [
    "../../../../etc/passwd",
    "..",
    "..\\..\\windows",
    "%2e%2e%2fetc%2fpasswd",
    "it's",
    '"quoted"',
    "'; DROP TABLE items; --",
    "100%",
    "%s%n",
    "a\0b",
    "a\nb",
    "\U0001f30a",
    "a" * 2000,
    "-1",
    "9" * 40,
]
NAMED = [
    "/stac/collections/{}",
    "/stac/collections/{}/items",
    "/stac/collections/{}/queryables",
    "/stac/collections/flood/items/{}",
    "/raster/collections/{}/info",
    "/raster/collections/{}/items/flood-00/info",
    "/raster/collections/flood/items/{}/info",
    "/raster/collections/flood/items/{}/tiles/WebMercatorQuad/8/149/129.png",
    "/raster/collections/flood/tiles/{}/8/149/129.png",
    "/raster/searches/{}/info",
    "/raster/tileMatrixSets/{}",
    "/raster/colorMaps/{}",
    "/api/raster/point/flood/{}?lon=30&lat=-2",
    "/api/raster/preview/{}/flood-00",
    "/features/collections/{}",
    "/features/collections/{}/items",
    "/features/collections/{}/schema.xsd",
    "/features/collections/places/items/{}",
    "/features/collections/places/tiles/{}",
    "/features/tileMatrixSets/{}",
    "/api/hexagons/{}/cells",
    "/api/hexagons/{}/layers",
    "/api/exposure/{}/summary",
    "/files/{}/a.tif",
    "/files/silver/{}",
]


@pytest.mark.parametrize("template", NAMED)
def test_names_that_lead_elsewhere_or_are_none(both: Both, template: str) -> None:
    for name in NAMES:
        # Clients resolve dots themselves unless they are escaped.
        escaped = quote(name, safe="").replace(".", "%2e")
        refused(both, "GET", template.format(escaped))
        if "\0" not in name and "\n" not in name:
            # As it stands, which clients make another path of.
            refused(both, "GET", template.format(quote(f"../{name}", safe="/.")) + "/none")


@pytest.mark.parametrize("path", LIMITED)
@pytest.mark.parametrize("limit", ["1000000000", "0", "-1", "1e3", "ten", "9" * 40])
def test_limits(both: Both, path: str, limit: str) -> None:
    refused(both, "GET", path, params={"limit": limit})


@pytest.mark.parametrize("path", BOXED)
@pytest.mark.parametrize("box", ["nan,nan,nan,nan", "0,nan,1,1", "inf,0,1,1", "1,2,3", "a,b,c,d"])
def test_boxes(both: Both, path: str, box: str) -> None:
    refused(both, "GET", path, params={"bbox": box})


@pytest.mark.parametrize(
    "given",
    [
        {"limit": 10**9},
        {"limit": 10**40},
        {"bbox": ["nan", 0, 1, 1]},
        {"ids": ["a"] * 2000},
        {"intersects": {"type": "Point", "coordinates": [1e999, 0]}},
        {"collections": ["a\0b"]},
    ],
    ids=str,
)
def test_bodies(both: Both, given: dict[str, Any]) -> None:
    refused(both, "POST", "/stac/search", content=json.dumps(given), headers=AS_JSON)


def test_a_limit_of_a_million_is_taken_and_held_to_the_most(both: Both) -> None:
    """stac-api-validator asks for so many."""
    for answer in both.get("/stac/search", limit=1_000_000).values():
        assert answer.status_code == 200
