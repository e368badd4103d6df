"""The same requests to both backends, and the same answers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from both_backends import Both

BODY = {"code", "message", "hint", "request_id"}
_TOKEN = re.compile(r"(next|prev)(:|%3A)[^&]*")
BOX = {"type": "Polygon", "coordinates": [[[28, -3], [30, -3], [30, -1], [28, -1], [28, -3]]]}


def comparable(answer: Any) -> Any:
    """All of an answer but what must differ: tokens and the ids of requests."""
    return answer.status_code, _plain(answer.json())


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            name: "…"
            if name == "request_id"
            else _TOKEN.sub("…", value)
            if name in ("href", "token") and isinstance(value, str)
            else _plain(value)
            for name, value in node.items()
        }
    return [_plain(one) for one in node] if isinstance(node, list) else node


def same(answers: dict[str, Any], status: int = 200) -> Any:
    embedded, postgresql = (comparable(one) for one in answers.values())
    assert embedded == postgresql
    assert embedded[0] == status, embedded
    document = answers["embedded"].json()
    if status >= 400:
        assert set(document) == BODY
    return document


def ids(document: Any) -> list[str]:
    return [f"{one['collection']}/{one['id']}" for one in document["features"]]


# Documents ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/stac",
        "/stac/",
        "/stac/conformance",
        "/stac/collections",
        "/stac/collections/flood",
        "/stac/collections/land-cover",
        "/stac/queryables",
        "/stac/collections/flood/items",
        "/stac/collections/flood/items/flood-03",
        "/stac/collections/land-cover/items/land-0",
        "/openapi.json",
    ],
)
def test_documents_are_the_same(both: Both, path: str) -> None:
    same(both.get(path))


@pytest.mark.parametrize(
    "path",
    [
        "/stac/collections/none",
        "/stac/collections/none/items",
        "/stac/collections/none/items/flood-00",
        "/stac/collections/none/queryables",
        "/stac/collections/flood/items/none",
        "/stac/collections/land-cover/items/flood-01",
        "/stac/nothing",
        "/stac/collections/flood'--/items",
        "/stac/collections/%25/items/%25",
        "/stac/collections/..%2F..%2Fetc/items/passwd",
        "/stac/collections/flood/items/a%22b%27c",
    ],
)
def test_what_is_not_there_is_the_same_404(both: Both, path: str) -> None:
    same(both.get(path), 404)


# Parameters --------------------------------------------------------------------------------------

FOUND: list[tuple[dict[str, Any], int]] = [
    ({}, 10),
    ({"limit": 100}, 26),
    ({"limit": 1_000_000}, 26),
    ({"collections": "flood", "limit": 100}, 20),
    ({"collections": "flood,land-cover,none", "limit": 100}, 26),
    ({"collections": "none"}, 0),
    ({"ids": "flood-00"}, 2),
    ({"ids": "flood-00,flood-07,none", "collections": "flood"}, 2),
    ({"bbox": "28,-3,28.9,-2.1", "limit": 100}, 2),
    ({"bbox": "28,-3,-100,28.9,-2.1,100", "limit": 100}, 2),
    ({"bbox": "170,-20,-170,0"}, 2),
    ({"bbox": "-180,-20,-179,0"}, 2),
    ({"bbox": "179.5,-20,180,0"}, 2),
    ({"bbox": "0,-20,10,0"}, 0),
    ({"bbox": "-180,-90,180,90", "limit": 100}, 26),
    ({"datetime": "2020-06-01T00:00:00Z"}, 4),
    ({"datetime": "2020-06-01T00:00:00.000001Z"}, 2),
    ({"datetime": "2020-06-01T02:00:00+02:00"}, 4),
    ({"datetime": "2030-01-01T00:00:00Z/.."}, 10),
    ({"datetime": "../2000-01-01T00:00:00Z"}, 1),
    ({"datetime": "2031-06-01T00:00:00Z/2032-06-01T00:00:00Z"}, 2),
    ({"datetime": "2021-12-31T23:59:59.5Z/2021-12-31T23:59:59.6Z"}, 1),
    ({"sortby": "+datetime"}, 10),
    ({"sortby": "-depth:max", "collections": "flood"}, 10),
    ({"sortby": "depth:max,-id"}, 10),
    ({"sortby": "note", "limit": 100}, 26),
    ({"sortby": "-note", "limit": 100}, 26),
    ({"sortby": "title,collection,-id", "limit": 100}, 26),
    ({"sortby": "properties.thalweg:year", "limit": 7}, 7),
    ({"sortby": "nothing", "limit": 100}, 26),
    ({"fields": "id", "limit": 2}, 2),
    ({"fields": "id,properties.title,-links"}, 10),
    ({"fields": "-assets,-geometry", "limit": 2}, 2),
    ({"fields": "properties.nothing", "limit": 2}, 2),
    ({"query": '{"thalweg:year":{"gte":2030,"lt":2033}}'}, 3),
    ({"query": '{"thalweg:peril":{"eq":"coastal"},"depth:max":{"neq":5}}'}, 6),
    ({"intersects": '{"type":"Point","coordinates":[28.5,-2.5]}'}, 1),
]


@pytest.mark.parametrize(("params", "count"), FOUND)
def test_searches_find_the_same(both: Both, params: dict[str, Any], count: int) -> None:
    assert len(same(both.get("/stac/search", **params))["features"]) == count


REFUSED: list[dict[str, Any]] = [
    {"limit": 0},
    {"limit": -1},
    {"limit": 10**9},
    {"limit": "ten"},
    {"bbox": "nan,1,2,3"},
    {"bbox": "1,2,3"},
    {"bbox": "1,2,inf,3"},
    {"bbox": "0,10,1,5"},
    {"bbox": "0,0,200,5"},
    {"bbox": "a,b,c,d"},
    {"datetime": "yesterday"},
    {"datetime": "2020-01-01"},
    {"datetime": "2021-01-01T00:00:00Z/2020-01-01T00:00:00Z"},
    {"datetime": "../.."},
    {"datetime": "2020-13-01T00:00:00Z"},
    {"token": "next:nonsense"},
    {"token": "nonsense"},
    {"token": "next:'; DROP TABLE items; --"},
    {"sortby": "a'b"},
    {"sortby": '"; drop'},
    {"fields": "a'b"},
    {"intersects": "{"},
    {"intersects": '{"type":"Point"}'},
    {"intersects": '{"type":"Point","coordinates":["a",1]}'},
    {"intersects": "[1]"},
    {"bbox": "0,0,1,1", "intersects": '{"type":"Point","coordinates":[0,0]}'},
    {"query": "{"},
    {"query": '{"a":{"like":"b"}}'},
    {"query": '{"a":{"eq":1}}', "filter": "a=1"},
    {"unknown": "1"},
    {"conf": '{"nohydrate":true}'},
    {"filter": "a=1", "filter-lang": "sql"},
    {"filter": "a=1", "filter-crs": "EPSG:3857"},
    {"ids": ",".join(str(n) for n in range(1001))},
    {"collections": "x" * 300},
]


@pytest.mark.parametrize("params", REFUSED)
def test_bad_parameters_are_the_same_400(both: Both, params: dict[str, Any]) -> None:
    answers = both.get("/stac/search", **params)
    if "token" in params:  # each backend knows its own tokens
        assert {one.status_code for one in answers.values()} == {400}
        assert all(set(one.json()) == BODY for one in answers.values())
    else:
        same(answers, 400)


BODIES: list[tuple[dict[str, Any], int]] = [
    ({}, 200),
    ({"limit": 3, "sortby": [{"field": "depth:max", "direction": "desc"}]}, 200),
    ({"bbox": [170, -20, -170, 0]}, 200),
    ({"intersects": BOX, "collections": ["flood"]}, 200),
    ({"fields": {"include": ["id", "properties.title"], "exclude": ["links"]}}, 200),
    ({"query": {"thalweg:year": {"gt": 2030}}, "limit": 50}, 200),
    ({"datetime": "2030-01-01T00:00:00Z/.."}, 200),
    ({"limit": 10**9}, 400),
    ({"limit": 0}, 400),
    ({"bbox": [1, 2, 3]}, 400),
    ({"conf": {"nohydrate": True}}, 400),
    ({"nothing": 1}, 400),
    ({"intersects": {"type": "Point", "coordinates": []}}, 400),
    ({"filter": {"op": "pg_sleep", "args": [10]}}, 400),
    ({"filter": '"thalweg:year" > 2030', "filter-lang": "cql2-text"}, 200),
    ({"filter": 5}, 400),
    ({"sortby": [{"field": "a'b", "direction": "asc"}]}, 400),
    ({"sortby": [{"field": "a", "direction": "sideways"}]}, 400),
    ({"ids": "flood-00"}, 400),
]


@pytest.mark.parametrize(("body", "status"), BODIES)
def test_bodies_are_read_the_same(both: Both, body: dict[str, Any], status: int) -> None:
    same(both.search(**body), status)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"1", b'"a"', b'{"limit": NaN}', b"\xff\xfe", b"[" * 40_000]
)
def test_bodies_that_are_none_are_the_same_400(both: Both, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answers = both.request("POST", "/stac/search", content=content, headers=headers)
    assert {one.status_code for one in answers.values()} == {400}
    assert all(set(one.json()) == BODY for one in answers.values())


# Collections -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({"limit": 1}, 1),
        ({"limit": 1, "offset": 1}, 1),
        ({"offset": 5}, 0),
        ({"bbox": "28,-3,29,-2"}, 2),
        ({"bbox": "-60,-5,-50,5"}, 1),
        ({"bbox": "170,-20,-170,0"}, 1),
        ({"datetime": "../2000-01-01T00:00:00Z"}, 1),
        ({"sortby": "-id"}, 2),
        ({"sortby": "title"}, 2),
        ({"fields": "id,title"}, 2),
        ({"fields": "properties"}, 2),  # which no collection has: this was a 500
        ({"filter": "title = 'Flood'"}, 1),
        ({"filter": "id LIKE 'land%' OR license = 'none'"}, 1),
    ],
)
def test_collections_are_searched_the_same(both: Both, params: Any, count: int) -> None:
    document = same(both.get("/stac/collections", **params))
    assert len(document["collections"]) == count


# Pages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [*(pytest.param(size, marks=pytest.mark.slow) for size in (1, 2)), 7]
)
@pytest.mark.parametrize(
    "search",
    [
        {},
        {"sortby": [{"field": "depth:max", "direction": "asc"}]},
        {"sortby": [{"field": "note", "direction": "desc"}, {"field": "id", "direction": "asc"}]},
        {"sortby": [{"field": "title", "direction": "asc"}], "bbox": [-180, -90, 180, 90]},
        {"filter": {"op": ">", "args": [{"property": "thalweg:year"}, 2025]}},
    ],
)
def test_pages_lead_through_all_and_back(both: Both, size: int, search: dict[str, Any]) -> None:
    whole = ids(same(both.search(**search, limit=100)))
    for client in both.clients.values():
        walked, pages = [], []
        document = client.post("/stac/search", json={**search, "limit": size}).json()
        while True:
            walked += ids(document)
            pages.append(ids(document))
            following = [one for one in document["links"] if one["rel"] == "next"]
            if not following:
                break
            (link,) = following
            assert link["method"] == "POST"
            document = client.post(link["href"], json=link["body"]).json()
        assert walked == whole
        for earlier in reversed(pages[:-1]):
            (link,) = [one for one in document["links"] if one["rel"] == "previous"]
            document = client.post(link["href"], json=link["body"]).json()
            assert ids(document) == earlier


def test_pages_are_followed_by_get_too(both: Both) -> None:
    for path in ("/stac/search", "/stac/collections/flood/items"):
        whole = ids(same(both.get(path, limit=100)))
        for client in both.clients.values():
            walked, url = [], f"{path}?limit=6"
            while url:
                document = client.get(url).json()
                walked += ids(document)
                url = next((one["href"] for one in document["links"] if one["rel"] == "next"), "")
            assert walked == whole
