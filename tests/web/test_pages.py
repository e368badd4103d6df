"""Pages hold what the workspace holds, without JavaScript, and let no foreign code in."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from site_world import COLLECTION, TERRAIN

from thalweg.pipelines.workspace import Workspace
from thalweg.settings import load_settings
from thalweg.web.part import create_site
from thalweg.web.vendor import STATIC_FOLDER

ITEM = "fluvial-2050-ssp245"
PAGES = [
    "/",
    "/catalogue",
    f"/catalogue/{COLLECTION}/{ITEM}",
    f"/catalogue/{TERRAIN}/plain",
    "/flood",
    "/flood?lon=30&lat=-1.5",
    "/flood/point?lon=30&lat=-1.5",
    "/hexagons",
    "/hexagons?theme=exposure",
    "/docs",
]
OF_LIBRARIES = [
    "/features",
    "/features/collections",
    "/raster/colorMaps",
    "/raster/colorMaps/viridis",
    "/raster/tileMatrixSets",
    "/raster/tileMatrixSets/WebMercatorQuad",
    f"/raster/collections/{COLLECTION}/items/{ITEM}/tiles",
    f"/raster/collections/{COLLECTION}/items/{ITEM}/tiles/WebMercatorQuad",
]
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FETCHED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


class Page(HTMLParser):
    """What is checked of every page: its ids, labels, headings, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, name: str) -> list[dict[str, Any]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole(client: TestClient, path: str) -> None:
    answer = client.get(path)
    page = Page(answer.text)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert len(page.all("h1")) == 1
    assert page.all("html")[0]["lang"] == "en"
    ids = [one["id"] for _, one in page.tags if "id" in one]
    assert len(ids) == len(set(ids))
    assert all("alt" in one for one in page.all("img"))
    assert page.all("a")[0] == {"class": "skip", "href": "#main"}


@pytest.mark.parametrize("path", PAGES)
def test_no_page_holds_or_fetches_foreign_code(client: TestClient, path: str) -> None:
    answer = client.get(path)
    page = Page(answer.text)

    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert all(one["src"].startswith("/static/") for one in page.all("script"))
    assert not any("style" in one or name.startswith("on") for _, one in page.tags for name in one)
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("path", [*PAGES, *OF_LIBRARIES])
def test_nothing_is_fetched_from_another_host(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=BROWSER)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    fetched = [
        one[FETCHED[tag]] or "" for tag, one in Page(answer.text).tags if FETCHED.get(tag) in one
    ]
    assert [one for one in fetched if not one.startswith(("/static/", "/raster/", "data:"))] == []


def test_our_own_scripts_and_styles_name_no_host() -> None:
    own = [file for file in STATIC_FOLDER.iterdir() if file.suffix in (".js", ".css")]

    assert own
    assert [file.name for file in own if re.search(r"https?://|[\"'(]//", file.read_text())] == []


@pytest.mark.parametrize("path", PAGES)
def test_links_and_pictures_lead_somewhere(client: TestClient, path: str) -> None:
    page = Page(client.get(path).text)
    wanted = {one["href"] for one in page.all("a")} | {one["src"] for one in page.all("img")}

    for link in sorted(one for one in wanted if one.startswith("/")):
        assert client.get(link).status_code == 200, link


def test_home_counts_the_items_of_each_collection(client: TestClient) -> None:
    text = client.get("/").text

    assert "Depth of floods" in text
    assert "4 items" in text
    assert "2020 to 2050" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_pages_of_an_empty_workspace_say_what_to_do(tmp_path: Path) -> None:
    workspace, settings = Workspace.open(tmp_path / "empty")
    with TestClient(create_site(workspace, settings)) as client:
        texts = {path: client.get(path) for path in ("/", "/catalogue", "/flood", "/hexagons")}

    assert all(one.status_code == 200 for one in texts.values())
    assert "Nothing is catalogued yet" in texts["/"].text
    assert "No depths of floods" in texts["/flood"].text
    assert "No tables of hexagons" in texts["/hexagons"].text


class TestErrors:
    def test_an_error_is_a_page_with_what_to_do_and_an_id_to_quote(
        self, client: TestClient
    ) -> None:
        answer = client.get(f"/catalogue/{COLLECTION}/none", headers={"X-Request-ID": "mine"})

        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
        assert "content-security-policy" in answer.headers
        assert 'role="alert"' in answer.text
        assert "ItemNotFound" in answer.text
        assert "<code>mine</code>" in answer.text

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/nothing/here", 404),
            ("/stac/collections/none", 404),
            (f"/raster/collections/{COLLECTION}/items/{ITEM}/point/0,0", 404),
            ("/api/flood/point?lon=1", 400),
            ("/static/none.js", 404),
            ("/catalogue?q=" + "x" * 20_000, 413),
        ],
    )
    def test_browsers_are_told_by_a_page_and_all_others_by_the_one_body(
        self, client: TestClient, path: str, status: int
    ) -> None:
        page = client.get(path, headers=BROWSER)
        body = client.get(path, headers={"Accept": "application/json, text/html"})

        assert page.status_code == body.status_code == status
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-store"
        assert 'role="alert"' in page.text
        assert '<a class="button" href="/">' in page.text
        assert set(body.json()) == {"code", "message", "hint", "request_id"}
        assert body.json()["code"] in page.text

    def test_a_part_of_a_page_has_a_part_for_its_error(self, client: TestClient) -> None:
        answer = client.get("/catalogue?bbox=1,2", headers=PARTIAL)

        assert answer.status_code == 400
        assert "no bounding box" in answer.text
        assert "<html" not in answer.text

    @pytest.mark.parametrize(
        "path",
        [
            "/catalogue?show=0",
            "/catalogue?show=100000000",
            "/catalogue?bbox=nan,0,1,1",
            "/catalogue?begin=2020-13-77",
            "/catalogue?begin=tomorrow",
            "/catalogue?nonsense=1&show=x",
            "/catalogue/x/%27%22%3E%3Cb%3E",
            "/flood?lon=999&lat=0",
            "/flood/point?lon=nan&lat=0",
            "/pipelines/..%2F..%2Fetc",
            "/pipelines/none",
            "/basemap/30/0/0.mvt",
            "/basemap/1/-1/0.mvt",
        ],
    )
    def test_what_cannot_be_answered_is_told_so(self, client: TestClient, path: str) -> None:
        answer = client.get(path)

        assert 400 <= answer.status_code < 500
        assert "<b>" not in answer.text

    def test_static_files_lead_nowhere_else(self, client: TestClient) -> None:
        assert client.get("/static/..%2Fpart.py").status_code == 404
        assert client.get("/static/%2Fetc/hostname").status_code == 404

    def test_where_reading_takes_a_key_pages_say_so(self, site: Workspace) -> None:
        settings = load_settings(site.folder, serve={"public_reading": False})
        with TestClient(create_site(site, settings)) as client:
            answer = client.get("/")

        assert answer.status_code == 401
        assert "A key is needed" in answer.text


class TestCatalogue:
    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({"q": "FLUVIAL 2050"}, 2),
            ({"q": "flood & depth"}, 5),
            ({"q": "pluvial"}, 1),
            ({"q": "100%"}, 0),
            ({"q": "%"}, 0),
            ({"q": "_"}, 0),
            ({"q": "\\' OR 1=1"}, 0),
            ({"collection": TERRAIN}, 1),
            ({"bbox": "0,0,1,1"}, 0),
            ({"bbox": "29,-3,31,-1", "begin": "2050-01-01", "end": "2050-12-31"}, 2),
            ({"begin": "2049-01-01"}, 2),
        ],
    )
    def test_items_are_found_by_words_collection_box_and_time(
        self, client: TestClient, asked: dict[str, str], found: int
    ) -> None:
        answer = client.get("/catalogue", params=asked, headers=PARTIAL)

        assert answer.status_code == 200
        assert len(re.findall(r'class="what"', answer.text)) == found
        assert "<html" not in answer.text

    def test_more_are_shown_when_asked_for(self, client: TestClient) -> None:
        answer = client.get("/catalogue", params={"show": 2})
        link = re.search(r'href="(/catalogue\?[^"]*show=26[^"]*)"', answer.text)

        assert link
        assert len(re.findall(r'class="what"', answer.text)) == 2
        assert len(re.findall(r'class="what"', client.get(link[1].replace("&amp;", "&")).text)) == 5

    def test_an_item_has_code_that_names_it(self, client: TestClient) -> None:
        text = client.get(f"/catalogue/{COLLECTION}/{ITEM}").text

        assert "pystac_client.Client.open(&#34;http://testserver/stac&#34;)" in text
        assert f"ids=[&#34;{ITEM}&#34;]" in text
        assert f"http://testserver/files/silver/floods/{ITEM}.aaaaaaaa.tif" in text


class TestFloods:
    def test_the_nearest_scenario_that_there_is_is_shown(self, client: TestClient) -> None:
        text = client.get("/flood?peril=pluvial&year=2050&scenario=ssp245").text

        assert "items/pluvial-2020/tiles" in text
        assert "There is no such scenario; the nearest is shown" in text

    def test_the_return_period_that_is_nearest_is_shown(self, client: TestClient) -> None:
        text = client.get("/flood?return_period=21").text

        assert '<option value="20" selected>' in text

    def test_the_depths_of_a_place_are_the_files(self, client: TestClient) -> None:
        text = client.get(
            "/flood/point?lon=30&lat=-1.5&peril=fluvial&year=2050&scenario=ssp585", headers=PARTIAL
        ).text

        assert re.findall(r'<td class="n">([^<]+)</td>', text) == ["0.30 m", "0.60 m", "0.90 m"]

    def test_permanent_water_is_told_in_the_place_of_a_depth(self, client: TestClient) -> None:
        text = client.get("/flood/point?lon=29.1&lat=-2.9", headers=PARTIAL).text

        assert re.findall(r'<td class="n">([^<]+)</td>', text) == ["permanent water"] * 3
        assert "Permanent water is here" in text

    def test_no_data_is_no_depth(self, client: TestClient) -> None:
        text = client.get("/flood/point?lon=30.9&lat=-2.9", headers=PARTIAL).text

        assert re.findall(r'<td class="n">([^<]+)</td>', text) == ["no data"] * 3

    def test_outside_is_told_with_where_the_data_is(self, client: TestClient) -> None:
        text = client.get("/flood/point?lon=100&lat=40", headers=PARTIAL).text

        assert "it reaches from 29.00° E to 31.00° E, 3.00° S to 1.00° S" in text

    def test_choices_change_only_the_panel(self, client: TestClient) -> None:
        text = client.get("/flood?year=2050&scenario=ssp585", headers=PARTIAL).text

        assert "<html" not in text
        assert 'data-bounds="29.0,-3.0,31.0,-1.0"' in text
        assert "items/fluvial-2050-ssp585/tiles/WebMercatorQuad/{z}/{x}/{y}.png" in text


class TestHexagons:
    def test_exposure_of_the_same_scenario_is_beside(self, client: TestClient) -> None:
        text = client.get("/hexagons?year=2050&dataset=flood").text

        assert "flood_fluvial_2050" in text
        assert "homes_2050" in text
        assert "homes_2020" not in text

    def test_exposure_may_be_left_out(self, client: TestClient) -> None:
        assert "data-beside" not in client.get("/hexagons?beside=0").text

    def test_a_statistic_without_return_periods_has_no_slider(self, client: TestClient) -> None:
        assert "return_period" not in client.get("/hexagons?dataset=terrain&beside=0").text

    def test_all_cells_together_are_those_of_the_tables(self, client: TestClient) -> None:
        text = client.get("/hexagons?year=2020&dataset=flood&return_period=100").text
        rows = re.findall(r'<tr><th scope="row">(\d+)</th><td class="n">(\d+)</td>', text)

        assert rows == [("5", "55"), ("6", "55")]
