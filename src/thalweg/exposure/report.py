"""A country's exposure on one page of HTML that needs nothing else, to read and to print."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from thalweg.errors import NoExposure
from thalweg.exposure.areas import COUNTRY
from thalweg.exposure.chart import chart_svg, common_words, scenario_words
from thalweg.hexagons.cells import cell_centres
from thalweg.hexagons.layers import Series, above, column_name
from thalweg.hexagons.outlines import Outlines
from thalweg.hexagons.plot import draw, picture
from thalweg.hexagons.selection import Selection
from thalweg.hexagons.tables import Described, describe
from thalweg.storage.staging import written_aside

type Row = dict[str, Any]

TOP = 10
EXPOSED = "exposed buildings"
_NONE = "\u2013"
_COUNTRIES = "countries"
_RULES = {
    "centroid": "the pixel that holds the building's centroid",
    "max": "the deepest of the pixels whose centre lies in the footprint, or the pixel of the "
    "centroid where there is none",
    "mean": "the mean of the pixels whose centre lies in the footprint, or the pixel of the "
    "centroid where there is none",
    "any": "the deepest of all pixels that the footprint shares anything with",
}
_WATER = {
    "apart": "are counted apart, and as exposed nowhere",
    "unknown": "count as unknown",
    "exposed": "count as exposed at every depth, of a depth that is not known",
}


@dataclass(frozen=True)
class Choices:
    """What a report is about, of all that was measured.

    `dataset` may be empty where there is one only. `return_period`, in years, and `series` are
    those of the map and of the places named; the nearest, and the first.
    """

    country: str
    dataset: str = ""
    threshold_m: float = 0.5
    return_period: float = 100.0
    series: str = ""
    resolution: int | None = None


@dataclass(frozen=True)
class _Scenario:
    """A scenario with its table by cell, and what the whole country comes to."""

    cells: Described
    row: Row

    @property
    def series(self) -> Series:
        return self.cells.series


def write_report(
    cells: Sequence[Path],
    areas: Sequence[Path],
    target: Path,
    choices: Choices,
    *,
    name: str = "",
    borders: Outlines | None = None,
) -> None:
    """Writes the page from the tables of a step `exposure`, by cell and by area.

    The country's numbers are those of its row in the table of countries; hexagons are its own by
    their centre. `name` is the country's in words. Raises `NoExposure` for a country, dataset,
    series or threshold that was not measured, and `PlottingMissing`.
    """
    page = Template(files(__package__).joinpath("report.html").read_text(encoding="utf-8"))
    text = page.substitute(_Report(cells, areas, choices, name).parts(borders))
    with written_aside(target) as aside:
        aside.write_text(text, encoding="utf-8")
        aside.replace(target)


class _Report:
    def __init__(
        self, cells: Sequence[Path], areas: Sequence[Path], choices: Choices, name: str
    ) -> None:
        self._country = choices.country.upper()
        self._name = name or self._country
        described = _of_dataset([describe(path) for path in cells], choices.dataset)
        self._tables = [one.path for one in described]
        self._resolution = _resolution(described, choices.resolution)
        self._areas = [describe(path) for path in areas]
        self._scenarios = list(self._found(described))
        self._shown = _chosen(self._scenarios, choices.series)
        self._series = self._shown.series
        self._notes = self._shown.cells.notes
        self._threshold = choices.threshold_m
        thresholds = self._notes["exposure"]["thresholds_m"]
        if self._threshold not in thresholds:
            raise NoExposure(
                f"no exposure was measured at {self._threshold:g} m",
                hint=f"thresholds are {', '.join(f'{one:g}' for one in thresholds)} m",
            )
        self._statistic = f"exposed_{above(self._threshold)}"
        self._label = _nearest(self._series, choices.return_period)

    def _found(self, described: Sequence[Described]) -> Iterator[_Scenario]:
        rows = {}
        for table in self._areas:
            held = pq.read_table(table.path)
            held = held.filter(pc.equal(held["area"], self._country))
            if held.num_rows and held["areas"][0].as_py() == _COUNTRIES:
                rows[table.series.id] = held.to_pylist()[0]
        for one in described:
            if one.resolution == self._resolution and one.series.id in rows:
                yield _Scenario(one, rows[one.series.id])
        if not rows:
            raise NoExposure(
                f"no exposure of {self._country} was measured",
                hint="give an ISO 3166-1 alpha-3 code such as RWA, and let the steps `buildings` "
                "and `exposure` tell countries",
            )

    def parts(self, borders: Outlines | None) -> dict[str, str]:
        """What the template's places hold."""
        where = f"in more than {self._threshold:g} m of water"
        every = [one.series for one in self._scenarios]
        kind = "scenario" if len(every) == 1 else "scenarios"
        return {
            "title": escape(f"Buildings in the water: {self._name}"),
            "lead": escape(
                f"Buildings {where}, by return period, in {len(every)} {kind} of "
                f"{self._series.dataset}: {common_words(every)}."
            ),
            "facts": _facts(self._headline()),
            "map": self._map(borders),
            "map_alt": escape(f"Map of buildings {where}, {self._layer_words}"),
            "chart": chart_svg(every, [self._values(one) for one in self._scenarios]),
            "exposure": self._exposure_table(),
            "damage": self._damage_tables(),
            "hexagons": self._top_hexagons(),
            "areas": "".join(self._top_areas()),
            "method": _items(self._method()),
            "unknowns": _items(self._unknowns()),
        }

    @property
    def _layer_words(self) -> str:
        words = scenario_words([one.series for one in self._scenarios])[self._series.id]
        return ", ".join(filter(None, [_label_words(self._series, self._label), words]))

    @property
    def _words(self) -> dict[str, str]:
        """What tells each scenario from the others; what they share stands in the lead."""
        every = scenario_words([one.series for one in self._scenarios])
        return {name: words or "this scenario" for name, words in every.items()}

    def _column(self, statistic: str, label: str | None = None) -> str:
        return column_name(statistic, self._label if label is None else label)

    def _values(self, scenario: _Scenario) -> list[float]:
        return [scenario.row[self._column(self._statistic, one)] for one in scenario.series.labels]

    def _headline(self) -> Iterator[tuple[str, str]]:
        row = self._shown.row
        yield "buildings", _whole(row["buildings"])
        exposed = row[self._column(self._statistic)]
        yield f"exposed, {self._layer_words}", _whole(exposed)
        yield "of all buildings", _percent(exposed, row["buildings"])
        expected = row.get(f"expected_annual_{self._statistic}")
        if expected is not None:
            yield "exposed in an average year", _whole(expected)

    def _map(self, borders: Outlines | None) -> str:
        shown = picture(
            self._tables,
            self._series.layer_id(self._label),
            Selection(self._resolution, countries=(self._country,)),
            self._statistic,
            f"Buildings in more than {self._threshold:g} m of water\n{self._layer_words}",
            EXPOSED,
        )
        target = BytesIO()
        draw(shown, target, borders)
        return base64.b64encode(target.getvalue()).decode()

    def _exposure_table(self) -> str:
        labels = self._series.labels
        heads = ["scenario", *(_label_words(self._series, one) for one in labels), "a year"]
        rows = []
        for one in self._scenarios:
            counts = [
                f"{_whole(value)}<small>{_percent(value, one.row['buildings'])}</small>"
                for value in self._values(one)
            ]
            yearly = _whole(one.row.get(f"expected_annual_{self._statistic}"))
            rows.append([escape(self._words[one.series.id]), *counts, yearly])
        caption = (
            f"Buildings in more than {self._threshold:g} m of water, and their share of all "
            "buildings; at the right those expected in a year."
        )
        return _table(heads, rows, caption)

    def _damage_tables(self) -> str:
        text = []
        for damage in self._notes["exposure"]["damages"]:
            statistic = f"damage_{damage['name']}"
            heads = ["scenario"]
            heads += [_label_words(self._series, one) for one in self._series.labels] + ["a year"]
            columns = [column_name(statistic, label) for label in self._series.labels]
            columns.append(f"expected_annual_{statistic}")
            losses = [[one.row.get(name) for name in columns] for one in self._scenarios]
            scale, said = _scale(value for row in losses for value in row)
            rows = [
                [escape(self._words[one.series.id]), *(_scaled(x, scale) for x in row)]
                for one, row in zip(self._scenarios, losses, strict=True)
            ]
            worth = f"{damage['value']:,g} {damage['currency']} a {damage['per']}"
            caption = (
                f"Damage in {said}{damage['currency']} by the curve {damage['name']}, at {worth}."
            )
            text.append(f'<div class="wide">{_table(heads, rows, escape(caption))}</div>')
        return f"<h2>Damage</h2>{''.join(text)}" if text else ""

    def _top_hexagons(self) -> str:
        held = pq.read_table(self._shown.cells.path)
        held = held.filter(pc.equal(held["country"], self._country))
        rows = self._top(held.to_pylist())
        centres = cell_centres(np.array([row["cell"] for row in rows], np.uint64)).tolist()
        named = [
            [f"<code>{row['h3']}</code><small>{lat:.3f}°, {lon:.3f}°</small>", *self._place(row)]
            for row, (lon, lat) in zip(rows, centres, strict=True)
        ]
        caption = f"H3 cells of resolution {self._resolution}, with the latitude and longitude of "
        caption += f"their centre, {self._layer_words}."
        return _table(["hexagon", *_PLACE_HEADS], named, caption)

    def _top_areas(self) -> Iterator[str]:
        for table in self._areas:
            rows = pq.read_table(table.path).to_pylist()
            rows = [row for row in rows if row.get(COUNTRY) == self._country]
            if table.series.id == self._series.id and rows:
                named = [[escape(row["area"]), *self._place(row)] for row in self._top(rows)]
                what = rows[0]["areas"]
                caption = f"{what.capitalize()}, {self._layer_words}."
                yield _table(["area", *_PLACE_HEADS], named, escape(caption))

    def _top(self, rows: Iterable[Row]) -> list[Row]:
        column = self._column(self._statistic)
        exposed = [row for row in rows if row[column]]
        return sorted(exposed, key=lambda row: -row[column])[:TOP]

    def _place(self, row: Row) -> list[str]:
        exposed, deepest = row[self._column(self._statistic)], row[self._column("max_depth_m")]
        return [
            _whole(exposed),
            _percent(exposed, row["buildings"]),
            _whole(row["buildings"]),
            _NONE if deepest is None else f"{deepest:.1f} m",
        ]

    def _method(self) -> Iterator[str]:
        notes = self._notes["exposure"]
        margin = f", with a margin of {notes['buffer_m']:g} m" if notes["buffer_m"] else ""
        yield f"A building's depth is that of {_RULES[notes['rule']]}{margin}."
        thresholds = ", ".join(f"{one:g}" for one in notes["thresholds_m"])
        yield (
            f"A building is exposed where it stands deeper than a threshold; {thresholds} m were "
            f"measured. Depths were converted once from {notes['rules']['unit']}."
        )
        yield "A building counts in one hexagon and one area, those of its centroid."
        if "expected_annual_" + self._statistic in self._shown.row:
            yield _integration_words(self._notes["integration"])
        if self._notes["damage_method"]:
            yield f"Damage: {self._notes['damage_method']}."

    def _unknowns(self) -> Iterator[str]:
        notes, row = self._notes["exposure"], self._shown.row
        yield (
            f"{_whole(row['outside'])} buildings lie outside all rasters, and "
            f"{_whole(row[self._column('unknown')])} where the rasters know nothing "
            f"({self._layer_words}). Both stay among all buildings, so shares are the least."
        )
        if notes["nodata"] == "dry":
            yield "Pixels without data are taken as dry."
        for special in notes["rules"]["special"]:
            counted = row.get(self._column(special["meaning"]))
            number = "" if counted is None else f"{_whole(counted)} "
            words = special["meaning"].replace("_", " ")
            yield f"{number}buildings in nothing but {words} {_WATER[notes['water']]}."
        if row["without_area"]:
            yield f"The area of {_whole(row['without_area'])} buildings is not known."
        yield "How high floors lie above the ground is not known, nor what the buildings are for."


_PLACE_HEADS = ("exposed", "share", "buildings", "deepest")


def _of_dataset(described: Sequence[Described], dataset: str) -> list[Described]:
    exposed = [one for one in described if "exposure" in one.notes]
    known = sorted({one.series.dataset for one in exposed})
    if dataset not in known and (dataset or len(known) != 1):
        raise NoExposure(
            f"there is no dataset {dataset!r}" if dataset else f"there are {len(known)} datasets",
            hint=f"name one of {', '.join(known)}" if known else "run a step `exposure`",
        )
    return [one for one in exposed if one.series.dataset == (dataset or known[0])]


def _resolution(described: Sequence[Described], wanted: int | None) -> int:
    """The one that is wanted, or the finest that still makes a map: 7 at most, if there is one."""
    held = sorted({one.resolution for one in described})
    if wanted is None:
        return max([one for one in held if one <= 7] or held[:1])
    if wanted not in held:
        raise NoExposure(
            f"no table has resolution {wanted}", hint=f"there are {', '.join(map(str, held))}"
        )
    return wanted


def _chosen(scenarios: Sequence[_Scenario], series: str) -> _Scenario:
    for one in scenarios:
        if one.series.id == series or not series:
            return one
    raise NoExposure(
        f"there is no series {series!r}",
        hint=f"there are {', '.join(one.series.id for one in scenarios)}",
    )


def _nearest(series: Series, period: float) -> str:
    if not series.return_periods:
        return series.labels[-1]
    distance = [abs(math.log(one / period)) for one in series.return_periods]
    return series.labels[distance.index(min(distance))]


def _label_words(series: Series, label: str) -> str:
    if not series.return_periods:
        return label
    return f"{series.return_periods[series.labels.index(label)]:g} years"


def _integration_words(integration: Row) -> str:
    curve = "the logarithm of " if integration["curve"] == "log" else ""
    rare = "are as large as it" if integration["rare"] == "constant" else "are left out"
    often = (
        "more frequent ones than the shortest are left out"
        if integration["zero_at"] is None
        else f"nothing happens at {integration['zero_at']:g} years"
    )
    return (
        f"What is expected in a year is integrated over the annual probability, straight over "
        f"{curve}the probability between return periods; rarer events than the longest {rare}, "
        f"{often}."
    )


def _whole(value: float | None) -> str:
    return _NONE if value is None else f"{value:,.0f}"


def _scale(values: Iterable[float | None]) -> tuple[float, str]:
    """What large amounts are divided by, and in words."""
    greatest = max((value for value in values if value is not None), default=0.0)
    for scale, words in ((1e9, "thousand million "), (1e6, "million "), (1e3, "thousand ")):
        if greatest >= 10 * scale:
            return scale, words
    return 1.0, ""


def _scaled(value: float | None, scale: float) -> str:
    return _NONE if value is None else f"{value / scale:,.{0 if scale == 1 else 1}f}"


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else _NONE


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<div><dt>{escape(term)}</dt><dd>{told}</dd></div>" for term, told in facts)


def _items(sentences: Iterable[str]) -> str:
    return "".join(f"<li>{escape(one)}</li>" for one in sentences)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )
