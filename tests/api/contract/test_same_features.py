"""The same requests for features to both backends, and equal answers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyogrio
import pytest
import shapely
from both_backends import Both
from feature_world import COUNT, EMPTY, PLACES, add_to, places

from thalweg.features import schema
from thalweg.features.geopackage import GeoPackages
from thalweg.features.postgis import PostgisTables
from thalweg.features.tables import FeatureStore

ITEMS = "/features/collections/places/items"
TILES = "/features/collections/places/tiles/WebMercatorQuad"
BODY = {"code", "message", "hint", "request_id"}


@pytest.fixture(scope="module")
def stores(world_url: tuple[Path, str]) -> list[FeatureStore]:
    folder, url = world_url
    schema.prepare(url)
    found: list[FeatureStore] = [GeoPackages(folder / "features"), PostgisTables(url)]
    for store in found:
        add_to(store)
    return found


@pytest.fixture
def ask(both: Both, stores: list[FeatureStore]) -> Both:
    return both


def same(ask: Both, url: str, **params: Any) -> Any:
    """The answer of both, which is the same."""
    embedded, postgresql = ask.get(url, **params).values()
    assert embedded.status_code == postgresql.status_code, (embedded.text, postgresql.text)
    kinds = [answer.headers["content-type"] for answer in (embedded, postgresql)]
    assert kinds[0] == kinds[1]
    if embedded.status_code >= 400:
        bodies = [answer.json() for answer in (embedded, postgresql)]
        assert set(bodies[0]) == set(bodies[1]) == BODY
        assert bodies[0]["code"] == bodies[1]["code"]
        assert bodies[0]["message"] == bodies[1]["message"]
    elif "json" in kinds[0] and "seq" not in kinds[0] and "ndjson" not in kinds[0]:
        assert_alike(embedded.json(), postgresql.json())
    return embedded


def assert_alike(one: Any, other: Any) -> None:
    """Equal, geometries to 1e-9 and whatever point their rings begin at."""
    if isinstance(one, dict):
        assert list(one) == list(other)
        for name, value in one.items():
            if name == "geometry" and _is_shape(value):
                assert_same_shape(value, other[name])
            else:
                assert_alike(value, other[name])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            assert_alike(*pair)
    else:
        assert one == other


def _is_shape(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and "coordinates" in value)


def assert_same_shape(one: Any, other: Any) -> None:
    left, right = (read(shape) for shape in (one, other))
    assert left.geom_type == right.geom_type
    left, right = shapely.normalize([left, right])
    assert np.allclose(
        shapely.get_coordinates(left), shapely.get_coordinates(right), rtol=0, atol=1.01e-9
    )


def read(shape: Any) -> Any:
    if isinstance(shape, str):
        return shapely.from_wkt(shape.removeprefix("SRID=4326;"))
    return shapely.from_geojson(json.dumps(shape))


def ids(answer: Any) -> list[int]:
    return [one["id"] for one in answer.json()["features"]]


# Documents ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/conformance",
        "/collections",
        "/collections?limit=1&offset=1",
        "/collections?bbox=0,0,1,1",
        "/collections/places",
        "/collections/places/queryables",
        "/collections/places/schema",
        "/collections/nothing",
        "/collections/nothing/items",
        "/collections/places/tiles",
        "/collections/places/tiles/WebMercatorQuad",
        "/collections/places/tiles/WebMercatorQuad/tilejson.json",
        "/collections/places/tiles/WebMercatorQuad/style.json",
        "/tileMatrixSets",
        "/tileMatrixSets/WebMercatorQuad",
    ],
)
@pytest.mark.filterwarnings("ignore::morecantile.errors.PointOutsideTMSBounds")
def test_documents_are_the_same_and_have_a_page(ask: Both, path: str) -> None:
    assert same(ask, f"/features{path}").status_code == 200
    if "json" in path:
        return
    page = ask.request("GET", f"/features{path}", headers={"accept": "text/html"})
    assert page["embedded"].text == page["postgresql"].text
    assert page["embedded"].headers["content-type"].startswith("text/html")
    assert "//cdn" not in page["embedded"].text


def test_the_schema_tells_stable_types(ask: Both) -> None:
    collection = same(ask, "/features/collections/places").json()
    described = [one for one in collection["links"] if one["rel"] == "describedby"]
    links = {one["type"]: urlsplit(one["href"]).path for one in described}
    told = same(ask, links["application/schema+json"]).json()["properties"]
    assert 'name="people" type="xs:long"' in same(ask, links["application/xml"]).text
    assert (told["people"]["type"], told["people"]["format"]) == ("integer", "int64")
    assert told["seen"] == {
        "title": "seen",
        "type": "string",
        "format": "date-time",
        "x-ogc-propertySeq": 7,
    }
    assert told["fid"]["x-ogc-role"] == "id"
    bounds = shapely.total_bounds(shapely.from_wkb(places()["geometry"].to_pylist()))
    assert collection["extent"]["spatial"]["bbox"] == [bounds.tolist()]


# Features -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"limit": 100},
        {"limit": 3, "offset": 88},
        {"offset": 1000},
        {"ids": "1,4,7"},
        {"ids": "2"},
        {"bbox": "-30,-30,30,30", "limit": 100},
        {"bbox": "170,-40,-170,40", "limit": 100},
        {"bbox": "-30,-30,0,30,30,100", "limit": 100},
        {"sortby": "-name,people", "limit": 100},
        {"sortby": "people", "limit": 100},
        {"sortby": "-height", "limit": 100},
        {"sortby": "capital,-seen", "limit": 100},
        {"sortby": "founded", "limit": 100},
        {"properties": "name,seen"},
        {"properties": ""},
        {"properties": "fid"},
        {"geom-column": "none"},
        {"geom-column": "geometry"},
        {"bbox-only": "true", "limit": 100},
        {"datetime": "2020-01-10", "limit": 100, "datetime-column": "seen"},
        {"datetime": "1990-05-02/1993-01-01", "limit": 100},
        {"datetime": "../1993-01-01", "limit": 100},
        {"datetime": "2020-01-03T00:00:00Z/..", "limit": 100, "datetime-column": "seen"},
        {"name": "Kigali"},
        {"name": "Côte d'Ivoire"},
        {"name": "' OR 1=1 --"},
        {"people": "-2000000"},
        {"capital": "true"},
        {"founded": "1990-01-01"},
        {"seen": "2020-01-01T07:00:00.001Z"},
        {"f": "json", "limit": 100},
        {"f": "geojson"},
    ],
)
def test_features_are_the_same(ask: Both, params: dict[str, Any]) -> None:
    assert same(ask, ITEMS, **params).status_code == 200


def test_features_are_what_was_put(ask: Both) -> None:
    found = same(ask, ITEMS, limit=1000).json()["features"]
    rows = places().to_pylist()
    assert [one["id"] for one in found] == [row["fid"] for row in rows]
    for one, row in zip(found, rows, strict=True):
        told = {**one["properties"]}
        assert told.pop("name") == row["name"]
        assert told.pop("height") == row["height"]
        assert told.pop("capital") == row["capital"]
        seen = told.pop("seen")
        assert seen == (row["seen"] and row["seen"].isoformat())
        assert_same_shape(
            one["geometry"], json.loads(shapely.to_geojson(shapely.from_wkb(row["geometry"])))
        )


@pytest.mark.parametrize("number", [1, 4, 34])
def test_one_feature_is_the_same(ask: Both, number: int) -> None:
    assert same(ask, f"{ITEMS}/{number}").json()["id"] == number
    for kind in ("json", "csv", "html"):
        assert same(ask, f"{ITEMS}/{number}", f=kind).status_code == 200


@pytest.mark.parametrize("limit", [7, 30])
def test_walks_by_links_meet_every_feature_once_there_and_back(ask: Both, limit: int) -> None:
    for name, client in ask.clients.items():
        url = f"{ITEMS}?limit={limit}&sortby=name"
        forth: list[list[int]] = []
        while url:
            answer = client.get(url)
            forth.append(ids(answer))
            last, url = url, _link(answer, "next")
        met = [one for page in forth for one in page]
        assert len(met) == len(set(met)) == COUNT, name
        back, url = [], last
        while url:
            answer = client.get(url)
            back.append(ids(answer))
            url = _link(answer, "prev")
        assert back[::-1] == forth


def _link(answer: Any, rel: str) -> str:
    found = [one["href"] for one in answer.json()["links"] if one["rel"] == rel]
    return found[0].removeprefix("http://testserver") if found else ""


def test_simplified_geometries_are_near(ask: Both) -> None:
    embedded, postgresql = ask.get(ITEMS, simplify=0.5, limit=100).values()
    for one, other in zip(embedded.json()["features"], postgresql.json()["features"], strict=True):
        left, right = read(one["geometry"]), read(other["geometry"])
        assert shapely.hausdorff_distance(left, right) <= 1.0


def test_text_formats_hold_the_same_rows(ask: Both) -> None:
    embedded, postgresql = (
        [dict(row) for row in csv.DictReader(io.StringIO(answer.text))]
        for answer in ask.get(ITEMS, f="csv", limit=100).values()
    )
    assert len(embedded) == COUNT
    assert_alike(embedded, postgresql)
    lines, others = (
        [json.loads(line) for line in answer.text.splitlines()]
        for answer in ask.get(ITEMS, f="geojsonseq", limit=100).values()
    )
    assert_alike(lines, others)


def test_csv_of_nothing_has_a_header(ask: Both) -> None:
    answer = same(ask, ITEMS, f="csv", name="nowhere")
    assert answer.text == "collectionId,itemId,fid,name,people,height,capital,founded,seen\r\n"


# Filters ------------------------------------------------------------------------------------------

POLYGON = "POLYGON((-60 -60, 60 -60, 60 60, -60 60, -60 -60))"
FILTERS = [
    "name = 'Kigali'",
    "name <> 'Kigali'",
    "name < 'a'",
    "name >= 'Kigali' AND people > 0",
    "name = 'Côte d''Ivoire'",
    "name = '\"quoted\"'",
    "name = '50 % \\ flat'",
    "name LIKE 'Ki%'",
    "name LIKE '50 \\% %'",
    "name LIKE '_igali'",
    "name LIKE ''",
    "CASEI(name) = CASEI('KIGALI')",
    "CASEI(name) = CASEI('ŁÓDŹ')",
    "ACCENTI(name) = ACCENTI('Cote d''Ivoire')",
    "CASEI(ACCENTI(name)) LIKE CASEI(ACCENTI('ł%'))",
    "name IS NULL",
    "NOT name IS NULL",
    "name IN ('Kigali', 'kigali')",
    "name NOT IN ('Kigali', 'kigali')",
    "people = 1000006",
    "people IN (6, 1000006, -2000000)",
    "people BETWEEN -10 AND 1000006",
    "people > 1000005.5",
    "people > 1e15",
    "height > 10 OR height < -10",
    "height = people",
    "fid / 2 = 5",
    "fid * 2 + 1 > 200",
    "people - 1 < fid",
    "fid / 0 = 1",
    "NOT (fid / 0 = 1)",
    "capital = TRUE",
    "capital <> TRUE",
    "NOT capital = FALSE",
    "seen >= TIMESTAMP('2020-01-10T00:00:00Z')",
    "seen = TIMESTAMP('2020-01-01T07:00:00.001Z')",
    "seen < TIMESTAMP('2020-01-01T07:00:00.0015Z')",
    "seen <= TIMESTAMP('2020-01-10T03:00:00+03:00')",
    "seen > '2020-01-20'",
    "founded = DATE('1990-01-01')",
    "founded > DATE('1995-06-01')",
    "founded < seen",
    "fid > 10 AND (people > 0 OR NOT (capital = TRUE))",
    f"S_INTERSECTS(geometry, {POLYGON})",
    f"NOT S_INTERSECTS(geometry, {POLYGON})",
    f"S_WITHIN(geometry, {POLYGON})",
    f"S_DISJOINT(geometry, {POLYGON})",
    f"S_CROSSES(geometry, {POLYGON})",
    f"S_OVERLAPS(geometry, {POLYGON})",
    f"S_TOUCHES(geometry, {POLYGON})",
    f"S_INTERSECTS({POLYGON}, geometry)",
    f"S_CONTAINS({POLYGON}, geometry)",
    "S_CONTAINS(geometry, POINT(10 -70))",
    "S_EQUALS(geometry, POLYGON((-180 -90, 180 -90, 180 -60, -180 -60, -180 -90)))",
    "S_INTERSECTS(geometry, BBOX(170, -30, -170, 30))",
    "S_INTERSECTS(geometry, LINESTRING(-170 -80, 170 80))",
]


@pytest.mark.parametrize("text", FILTERS)
def test_filters_find_the_same(ask: Both, text: str) -> None:
    answer = same(ask, ITEMS, filter=text, limit=1000)
    assert answer.status_code == 200
    assert answer.json()["numberMatched"] == len(ids(answer))


def test_most_filters_find_some_and_not_all(ask: Both) -> None:
    client = ask.clients["embedded"]
    asked = ({"filter": text, "limit": 1000} for text in FILTERS)
    found = [len(ids(client.get(ITEMS, params=params))) for params in asked]
    assert sum(0 < count < COUNT for count in found) > 0.8 * len(FILTERS)


def test_filters_may_be_json(ask: Both) -> None:
    node = {"op": "=", "args": [{"property": "name"}, "Kigali"]}
    answer = same(ask, ITEMS, **{"filter": json.dumps(node), "filter-lang": "cql2-json"})
    assert answer.json()["numberMatched"] == 10


# What is refused ----------------------------------------------------------------------------------

DEEP = "(" * 60 + "fid = 1" + ")" * 60


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"filter": "name < pg_read_file('/etc/hostname')"}, 400),
        ({"filter": "name = current_setting('data_directory')"}, 400),
        ({"filter": "pg_sleep(5) IS NULL"}, 400),
        ({"filter": DEEP}, 400),
        ({"filter": " AND ".join(["fid = 1"] * 700)}, 400),
        ({"filter": "name = '" + "x" * 40_000 + "'"}, 413),
        ({"filter": "name = "}, 400),
        ({"filter": "nowhere = 1"}, 400),
        ({"filter": "name = 1"}, 400),
        ({"filter": "people = 'many'"}, 400),
        ({"filter": "seen > 'yesterday'"}, 400),
        ({"filter": '"name""; DROP TABLE x" = 1'}, 400),
        ({"filter": "people LIKE '1%'"}, 400),
        ({"filter": "T_BEFORE(datetime, TIMESTAMP('2020-01-01T00:00:00Z'))"}, 400),
        ({"filter": "A_CONTAINS(name, ['a'])"}, 400),
        ({"filter": "S_INTERSECTS(geometry, POLYGON((0 0, 1 1, 1 0, 0 1, 0 0)))"}, 400),
        ({"filter": "fid = 1", "filter-lang": "sql"}, 400),
        ({"bbox": "nan,0,1,1"}, 400),
        ({"bbox": "0,0,1"}, 400),
        ({"bbox": "a,b,c,d"}, 400),
        ({"bbox": "0,0,inf,1"}, 400),
        ({"bbox": "0,10,1,-10"}, 400),
        ({"limit": "1000000000"}, 400),
        ({"limit": "-1"}, 400),
        ({"limit": "nan"}, 400),
        ({"offset": "-1"}, 400),
        ({"offset": "1" + "0" * 30}, 400),
        ({"simplify": "nan"}, 400),
        ({"simplify": "-1"}, 400),
        ({"datetime": "yesterday"}, 400),
        ({"datetime": "../.."}, 400),
        ({"datetime": "2021-01-01/2020-01-01"}, 400),
        ({"datetime-column": "name"}, 400),
        ({"sortby": "nowhere"}, 400),
        ({"sortby": "name; DROP TABLE x"}, 400),
        ({"properties": "name,nowhere"}, 400),
        ({"people": "many"}, 400),
        ({"people": "nan"}, 400),
        ({"capital": "perhaps"}, 400),
        ({"ids": ",".join(["1"] * 1001)}, 400),
        ({"ids": "1; DROP TABLE x"}, 404),
        ({"geom-column": "other"}, 400),
        ({"f": "xml"}, 400),
        ({"whatever": "1"}, 400),
        ({"name": "a\0b"}, 400),
    ],
)
def test_what_cannot_be_asked_is_refused_by_both(
    ask: Both, params: dict[str, str], status: int
) -> None:
    assert same(ask, ITEMS, **params).status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/collections/nowhere",
        "/collections/nowhere/items",
        "/collections/..%2F..%2Fcatalog/items",
        "/collections/%2Fetc%2Fpasswd/items",
        "/collections/places%27%3B--/items",
        "/collections/pg_catalog.pg_class/items",
        "/collections/places/items/2",
        "/collections/places/items/x",
        "/collections/places/items/1%27%20OR%201=1",
        "/collections/places/items/99999999999999999999999",
        "/collections/places/items/%C2%B9",
        "/collections/places/tiles/WebMercatorQuad/3/9/0",
        "/collections/places/tiles/WebMercatorQuad/3/-1/0",
        "/collections/places/tiles/WebMercatorQuad/60/0/0",
        "/nowhere",
    ],
)
def test_what_is_not_there_is_a_404_of_both(ask: Both, path: str) -> None:
    assert same(ask, f"/features{path}").status_code == 404


# Tiles --------------------------------------------------------------------------------------------


def decoded(tile: bytes) -> dict[int, tuple[dict[str, Any], Any]]:
    """Properties and shape of the features of a tile, by their number."""
    if not tile:
        return {}
    meta, table = pyogrio.read_arrow(tile, layer="default")
    shapes = shapely.from_wkb(table[meta["geometry_name"] or "wkb_geometry"].to_pylist())
    rows = table.drop_columns([meta["geometry_name"] or "wkb_geometry"]).to_pylist()
    return {row["fid"]: (row, shape) for row, shape in zip(rows, shapes, strict=True)}


@pytest.mark.parametrize("tile", ["0/0/0", "1/1/0", "2/1/2", "3/4/3", "4/3/7", "5/20/11", "6/0/35"])
@pytest.mark.parametrize("params", [{}, {"filter": "people > 0"}, {"properties": "fid,name"}])
def test_tiles_hold_the_same(ask: Both, tile: str, params: dict[str, str]) -> None:
    answers = ask.get(f"{TILES}/{tile}", **params)
    assert {one.status_code for one in answers.values()} == {200}
    embedded, postgresql = (decoded(one.content) for one in answers.values())
    assert list(embedded) == list(postgresql)
    for number, (row, shape) in embedded.items():
        other_row, other = postgresql[number]
        assert row == other_row
        # GDAL gives the units of a tile: up to one apart each way, and the width of a cut.
        assert shapely.hausdorff_distance(shape, other) <= 2, number


def test_a_tile_of_nothing_is_empty(ask: Both) -> None:
    answers = ask.get("/features/collections/nothing/tiles/WebMercatorQuad/0/0/0")
    assert [one.content for one in answers.values()] == [b"", b""]


# Changes ------------------------------------------------------------------------------------------


@pytest.fixture
def passing(stores: list[FeatureStore]) -> Iterator[list[FeatureStore]]:
    yield stores
    for store in stores:
        store.remove("passing")


def test_a_new_table_shows_at_once_and_so_does_another_in_its_place(
    ask: Both, passing: list[FeatureStore]
) -> None:
    url = "/features/collections/passing/items"
    assert same(ask, url).status_code == 404
    first = type(EMPTY)("passing", EMPTY.columns)
    for store in passing:
        store.put(first, [])
    assert same(ask, url).json()["numberMatched"] == 0
    second = type(PLACES)("passing", PLACES.columns)
    for store in passing:
        store.put(second, [places()])
    listed = same(ask, "/features/collections").json()["collections"]
    assert [one["id"] for one in listed] == ["nothing", "passing", "places"]
    assert same(ask, url).json()["numberMatched"] == COUNT


def test_stores_tell_the_same(stores: list[FeatureStore]) -> None:
    embedded, database = stores
    assert embedded.tables() == database.tables()
    for table in embedded.tables():
        rows, others = (list(store.rows(table.name)) for store in stores)
        assert rows == others
