"""The page about a country, from tables of numbers that are known."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import h3.api.numpy_int as h3
import pytest

from exposed_country import CELLS, PERIODS, series, write_tables
from thalweg.domain.coordinates import Coordinates
from thalweg.errors import NoExposure
from thalweg.exposure.chart import chart_svg, scenario_words
from thalweg.exposure.report import Choices, write_report
from thalweg.hexagons.layers import Series


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> tuple[list[Path], list[Path]]:
    return write_tables(tmp_path_factory.mktemp("report"))


class Page(HTMLParser):
    """The cells of all tables row by row, and whatever is fetched from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.fetched: list[str] = []
        self.feed(text)
        self.text = re.sub(r"\s+", " ", re.sub(r"<svg.*?</svg>|<[^>]+>", " ", text, flags=re.S))

    def handle_starttag(self, tag, attributes) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.in_cell = tag in ("td", "th", "small", "code")
        for name, value in attributes:
            if name in ("src", "href") and not value.startswith(("data:", "#")):
                self.fetched.append(value)

    def handle_data(self, data: str) -> None:
        if getattr(self, "in_cell", False) and self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += f" {data}" if self.rows[-1][-1] else data


def page(tables, folder: Path, **choices) -> Page:
    out = folder / "report.html"
    write_report(*tables, out, Choices(**{"country": "rwa", **choices}), name="Rwanda")
    return Page(out.read_text())


def test_the_page_tells_the_numbers_of_the_tables(tables, tmp_path: Path) -> None:
    found = page(tables, tmp_path)
    assert ["2020", "100 10.0 %", "200 20.0 %"] in [row[:3] for row in found.rows]
    assert ["2050", "200 20.0 %", "400 40.0 %"] in [row[:3] for row in found.rows]
    assert ["2020", "100.0", "200.0"] in [row[:3] for row in found.rows]
    assert "Damage in million USD by the curve homes, at 1,500 USD a m2." in found.text
    assert ["Z", "400", "40.0 %", "1,000", "2.5 m"] in found.rows
    hexagon = found.rows[[row[0] for row in found.rows].index("hexagon") + 1]
    assert hexagon[1:] == [str(2 * (len(CELLS) - 2)), "7.0 %", "1,000", "2.5 m"]
    assert h3.int_to_str(int(CELLS[-2])) in hexagon[0]
    assert "4 buildings lie outside all rasters" in found.text
    assert "1 buildings in nothing but permanent water are counted apart" in found.text


def test_areas_of_other_countries_are_left_out(tables, tmp_path: Path) -> None:
    names = [row[0] for row in page(tables, tmp_path, country="COD").rows if row]
    assert "Zongo" in names
    assert not {"Z", "Gasabo"} & {*names}
    names = [row[0] for row in page(tables, tmp_path).rows if row]
    assert {"Z", "Gasabo"} < {*names}
    assert "Zongo" not in names


def test_the_page_needs_no_other_file_and_is_the_same_again(tables, tmp_path: Path) -> None:
    found = page(tables, tmp_path)
    assert not found.fetched
    first = (tmp_path / "report.html").read_bytes()
    page(tables, tmp_path)
    assert (tmp_path / "report.html").read_bytes() == first
    assert b"<b>" not in first
    assert b"$" not in re.sub(rb"<svg.*?</svg>|base64,[^\"]*", b"", first, flags=re.S)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"country": "FRA"}, "no exposure of FRA"),
        ({"threshold_m": 0.7}, "0.15, 0.5, 1 m"),
        ({"dataset": "other"}, "homes"),
        ({"series": "other"}, "homes_rwa_fluvial_2020"),
        ({"resolution": 9}, "there are 6"),
    ],
)
def test_what_was_not_measured_is_refused_with_what_was(tables, tmp_path, choices, said) -> None:
    with pytest.raises(NoExposure) as caught:
        page(tables, tmp_path, **choices)
    assert said in str(caught.value)
    assert not (tmp_path / "report.html").exists()


def test_the_map_is_of_the_nearest_return_period_and_the_chosen_series(tables, tmp_path) -> None:
    found = page(tables, tmp_path, return_period=20.0, series="homes_rwa_fluvial_2050")
    assert "exposed, 10 years, 2050 200" in found.text


def test_a_single_scenario_is_told_in_words_and_not_by_its_id(tmp_path: Path) -> None:
    """Its id was wide enough to push the last return periods off a printed page."""
    cells, areas = (
        [path for path in paths if "2020" in path.stem] for paths in write_tables(tmp_path)
    )
    found = page((cells, areas), tmp_path)
    assert "homes_rwa_fluvial_2020" not in found.text
    assert "in 1 scenario of homes: rwa, fluvial, 2020." in found.text
    assert ["this scenario", "100 10.0 %"] in [row[:2] for row in found.rows]


def test_scenarios_are_told_apart_by_what_differs() -> None:
    assert set(scenario_words([series("2020"), series("2050")]).values()) == {"2020", "2050"}
    assert set(scenario_words([series("2020")]).values()) == {""}


def test_many_scenarios_are_drawn_in_panels_that_show_all_lines() -> None:
    pairs = [(peril, str(year)) for peril in ("coastal", "fluvial") for year in range(2020, 2026)]
    every = [
        Series("e", "homes", "cm", Coordinates((("peril", p), ("year", y))), ("a", "b"), PERIODS)
        for p, y in pairs
    ]
    values = [[1.0, 2.0]] * 6 + [[100.0, 200.0]] * 6
    svg = chart_svg(every, values)
    assert svg.count('id="axes_') == 2
    assert svg == chart_svg(every, values)
