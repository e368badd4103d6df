"""A chart of exposure over return periods: a line for each scenario, as SVG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from io import StringIO

from thalweg.domain.coordinates import NONE
from thalweg.errors import PlottingMissing
from thalweg.hexagons.layers import Series

_MOST_LINES = 8
_PANELS_A_ROW = 3


def common_words(every: Sequence[Series]) -> str:
    """What all scenarios have in common."""
    first, *others = (one.coordinates.to_json() for one in every)
    return ", ".join(
        value
        for name, value in first.items()
        if value != NONE and all(other.get(name) == value for other in others)
    )


def scenario_words(series: Sequence[Series]) -> dict[str, str]:
    """What tells each scenario from the others, by its id."""
    return {one.id: _words(one, _varying(series)) for one in series}


def chart_svg(series: Sequence[Series], values: Sequence[Sequence[float]]) -> str:
    """The values of each scenario's layers over their return periods, or their names.

    Many scenarios are drawn in several panels, by the first dimensions that they differ in. Raises
    `PlottingMissing`.
    """
    try:
        from matplotlib import colormaps, rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlottingMissing(hint="pip install 'thalweg[plot]'") from error
    panels = _panels(series)
    rows = -(-len(panels) // _PANELS_A_ROW)
    columns = min(len(panels), _PANELS_A_ROW)
    figure = Figure(figsize=(10, 3.4 * rows if len(panels) > 1 else 3.8), layout="constrained")
    every = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes in every[len(panels) :]:
        axes.set_visible(False)
    for axes, (title, members) in zip(every, panels.items(), strict=False):
        for place, (index, label) in enumerate(members.items()):
            one = series[index]
            colour = colormaps["viridis"](0.9 * place / max(len(members) - 1, 1))
            x = one.return_periods or range(len(one.labels))
            axes.plot(x, values[index], marker="o", markersize=3.5, color=colour, label=label)
        first = series[next(iter(members))]
        if first.return_periods:
            axes.set_xscale("log")
            axes.set_xlabel("return period, years")
            ticks = [f"{period:g}" for period in first.return_periods]
            axes.set_xticks(first.return_periods, ticks)
        else:
            axes.set_xticks(range(len(first.labels)), first.labels)
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_title(title, loc="left", fontsize=10)
        axes.grid(axis="y", color="#e4e8eb")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        if any(members.values()):
            axes.legend(fontsize=7, frameon=False)
    every[0].set_ylim(bottom=0)
    target = StringIO()
    with rc_context({"svg.hashsalt": "thalweg"}):
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    text = target.getvalue()
    return text[text.index("<svg") :]


def _varying(series: Sequence[Series]) -> list[str]:
    """The dimensions in which scenarios differ, in their order."""
    names = dict.fromkeys(name for one in series for name in one.coordinates)
    return [name for name in names if len({one.coordinates.get(name) for one in series}) > 1]


def _words(series: Series, names: Sequence[str]) -> str:
    values = (series.coordinates.get(name) for name in names)
    return " ".join(value for value in values if value and value != NONE)


def _panels(series: Sequence[Series]) -> Mapping[str, Mapping[int, str]]:
    """Panels by title: the scenarios in each, by index, with the words that tell them apart."""
    names = _varying(series)
    above = 0
    panels: dict[str, dict[int, str]] = {}
    while not panels or (above < len(names) and max(map(len, panels.values())) > _MOST_LINES):
        found: dict[str, dict[int, str]] = defaultdict(dict)
        for index, one in enumerate(series):
            found[_words(one, names[:above])][index] = _words(one, names[above:])
        panels = dict(found)
        above += 1
    return panels
