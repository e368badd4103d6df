"""The pages in a real browser: maps that are drawn, clicks that tell, nothing refused or broken."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from listening import listening
from PIL import Image
from site_world import COLLECTION

from thalweg.web.vendor import has_vendor_files

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
AXE = Path(__file__).parents[2] / "npm/node_modules/axe-core/axe.min.js"
PATIENCE = 120
PAGES = ["/", "/catalogue", f"/catalogue/{COLLECTION}/fluvial-2020", "/flood", "/hexagons", "/docs"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no Chromium: apt-get install chromium"),
    pytest.mark.skipif(
        not has_vendor_files(), reason="no browser code: script/bootstrap, with npm"
    ),
]

type Open = Callable[..., Any]


@pytest.fixture(scope="session")
def url(app: FastAPI) -> Iterator[str]:
    with listening(app) as url:
        yield url


# Until it is closed, playwright's event loop runs in this thread, which no engine may start beside.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any, url: str) -> Iterator[Open]:
    """Opens a page, waits until it is whole, and in the end holds that nothing went wrong in it."""
    wrong: list[str] = []
    contexts = []

    def opened(path: str, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda told: told.type == "error" and wrong.append(told.text))
        page.on("response", lambda answer: answer.status >= 400 and wrong.append(answer.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: is_foreign(asked.url, url) and wrong.append(asked.url))
        page.goto(url + path)
        is_whole(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def is_foreign(asked: str, url: str) -> bool:
    return not asked.startswith((f"{url}/", "data:", f"blob:{url}/"))


def until(page: Any, condition: str) -> None:
    """Waits without code in the page, which its policy forbids."""
    for _ in range(PATIENCE * 4):
        if page.evaluate(f"() => {condition}"):
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"not within {PATIENCE} s: {condition}")


def is_whole(page: Any) -> None:
    drawn = "[...document.querySelectorAll('.map')].every((one) => one.hidden || one.map?.loaded())"
    listed = "(!document.querySelector('.paths') || document.querySelector('.opblock-tag'))"
    until(page, f"document.readyState === 'complete' && {drawn} && {listed}")


def colours(page: Any, selector: str = "#map") -> np.ndarray:
    """The pixels of what is drawn [rows, columns, 3]."""
    picture = Image.open(BytesIO(page.locator(selector).screenshot()))
    return np.asarray(picture.convert("RGB")).astype(int)


def blue(pixels: np.ndarray) -> float:
    """The share of pixels that are much more blue than red, as water is and the base map is not."""
    return float((pixels[..., 2] - pixels[..., 0] > 60).mean())


def test_floods_are_on_the_map(visit: Open) -> None:
    page = visit("/flood")
    until(page, "document.getElementById('map').map.getSource('flood')?.loaded()")
    page.wait_for_timeout(1500)

    shown = blue(colours(page))
    page.evaluate(
        "() => document.getElementById('map').map.setLayoutProperty('flood', 'visibility', 'none')"
    )
    page.wait_for_timeout(1500)

    assert shown > 0.05
    assert blue(colours(page)) < shown / 5


def test_a_click_tells_the_depths_of_the_place(visit: Open) -> None:
    page = visit("/flood?peril=fluvial&year=2050&scenario=ssp245")
    place = page.evaluate("() => document.getElementById('map').map.project([30, -1.4])")
    box = page.locator("#map").bounding_box()

    page.mouse.click(box["x"] + place["x"], box["y"] + place["y"])
    page.locator(".curve").wait_for()

    page.locator("#at summary").click()
    assert page.locator("#at td").all_inner_texts() == ["0.20 m", "0.40 m", "0.60 m"]
    assert "lon=30" in page.url


def test_the_slider_changes_tiles_and_address(visit: Open) -> None:
    page = visit("/flood")
    page.locator("#slider").focus()
    with page.expect_request(lambda request: "return_period=20" in request.url):
        page.keyboard.press("ArrowLeft")

    assert "return_period=20" in page.url
    assert page.locator("output").inner_text() == "once in 20 years"


def test_a_choice_changes_the_panel_and_the_address(visit: Open) -> None:
    page = visit("/flood?year=2020&peril=fluvial")
    page.get_by_text("2050", exact=True).click()
    tiles = "document.getElementById('map').map.getSource('flood')?.tiles[0]"
    until(page, f"{tiles}?.includes('items/fluvial-2050-')")
    page.wait_for_url("**year=2050**")

    page.reload()
    assert page.locator("input[value='2050']").is_checked()


def test_hexagons_and_exposure_are_on_their_maps(visit: Open) -> None:
    page = visit("/hexagons?dataset=flood&year=2050")
    page.locator(".top-cells").wait_for()
    page.wait_for_timeout(2000)
    beside = colours(page, "#beside-map")

    assert blue(colours(page)) > 0.015
    assert float((beside[..., 0] - beside[..., 2] > 60).mean()) > 0.02


def test_a_cell_is_left_for_its_children_and_its_parent(visit: Open) -> None:
    page = visit("/hexagons?dataset=flood&year=2050&beside=0")
    first = page.locator(".top-cells button").first
    first.wait_for()
    cell = first.inner_text()

    first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="All cells").wait_for()
    assert f"cell={cell}" in page.url

    page.get_by_role("button", name="All cells").click()
    page.get_by_text("choose one below").wait_for()
    assert "cell=" not in page.url


def test_a_search_is_answered_while_words_are_written(visit: Open) -> None:
    page = visit("/catalogue")
    page.locator("#q").press_sequentially("pluvial")
    page.get_by_text("1 item", exact=True).wait_for()

    assert "q=pluvial" in page.url


def test_what_paths_take_is_told_and_tried(visit: Open) -> None:
    page = visit("/docs")
    page.locator("#operations-tag-service").click()
    page.locator(".opblock-summary-path", has_text="livez").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()

    page.locator(".live-responses-table").get_by_text("200").wait_for()


def test_errors_are_told_where_the_answer_would_be(browser: Any, url: str) -> None:
    page = browser.new_page()
    page.goto(f"{url}/catalogue")
    page.locator("[name=bbox]").fill("29,-99,30,-1")
    page.locator(".search button").click()
    page.get_by_role("alert").wait_for()

    assert "not on the globe" in page.get_by_role("alert").inner_text()
    assert "request" in page.get_by_role("alert").inner_text()
    page.close()


@pytest.mark.skipif(not AXE.exists(), reason="no axe-core: script/bootstrap, with npm")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_that_shuts_anyone_out(visit: Open, path: str, scheme: str) -> None:
    page = visit(path, color_scheme=scheme, bypass_csp=True)
    page.add_script_tag(path=str(AXE))

    # The buttons of MapLibre and the list of Swagger UI are made by others.
    found = page.evaluate(
        "() => axe.run({ exclude: ['.maplibregl-control-container', '.swagger-ui'] })"
    )

    told = [
        f"{one['id']}: {node['html'][:120]}" for one in found["violations"] for node in one["nodes"]
    ]
    assert told == []


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_wider_than_a_narrow_screen(visit: Open, path: str) -> None:
    page = visit(path, viewport={"width": 320, "height": 640})

    assert page.evaluate("() => document.documentElement.scrollWidth") <= 320
