"""`/hexagons`: statistics of H3 cells on a map, down to a cell's children, exposure beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from thalweg.api.services import Held
from thalweg.api.tables.held import HeldTables, tables_held
from thalweg.catalog.ledger import Document
from thalweg.domain.coordinates import NONE
from thalweg.hexagons.queries import Query, coordinates_of, statistics_of, values_of
from thalweg.hexagons.tables import Described
from thalweg.web.pages import PageRoute, is_partial, rendered
from thalweg.web.pipelines import Pipelines
from thalweg.web.scenarios import FAVOURITE_PERIOD, Choice, Titles, choose, nearest_period
from thalweg.web.words import plain

_FAVOURITES = ("mean", "exposed_above_50cm", "buildings")
_EXPOSURE = "exposure"

Tables = Annotated[HeldTables, Depends(tables_held)]

router = APIRouter(prefix="/hexagons", route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class Explored:
    """One layer and statistic of one scenario, of a theme's tables."""

    theme: str
    choice: Choice
    series: str
    periods: tuple[float, ...]
    period: float | None
    statistics: tuple[str, ...]
    statistic: str
    resolutions: tuple[int, ...]
    bounds: tuple[float, float, float, float]
    summary: tuple[Document, ...]

    @property
    def unit(self) -> str:
        return str(self.summary[0]["unit"]) if self.summary else ""

    @property
    def most(self) -> Mapping[int, float]:
        """The greatest value of each resolution: colours end there."""
        return {one["resolution"]: one["max"] or 0 for one in self.summary}

    def pane(self, root: str) -> Document:
        """What a map of it has to know; `root` stands before all paths."""
        return {
            "path": f"{root}/api/hexagons/{self.theme}/cells",
            "cells": self._cells(),
            "statistic": plain(self.statistic),
            "period": self.period,
            "unit": self.unit,
            "resolutions": self.resolutions,
            "most": self.most,
        }

    def _cells(self) -> Document:
        """The parameters that its cells are asked for by."""
        told: Document = {"series": self.series, "statistic": self.statistic}
        return told if self.period is None else {**told, "return_period": f"{self.period:g}"}


@router.get("", response_class=Response)
def hexagons(
    request: Request,
    services: Held,
    tables: Tables,
) -> Response:
    """The page; or for HTMX what changes with the choice."""
    held = tables.cells()
    if not held:
        return rendered(request, "hexagons_none.html")
    wished = dict(request.query_params)
    names = {theme.id: theme.name for theme in services.catalog.themes()}
    themes = sorted({one.series.theme for one in held}, key=lambda name: (name == _EXPOSURE, name))
    theme = wished.get("theme") if wished.get("theme") in themes else themes[0]
    pipelines: Pipelines = request.app.state.pipelines
    titles = pipelines.titles()
    of_theme = [one for one in held if one.series.theme == theme]
    shown = _explored(tables, of_theme, wished, titles)
    beside = None
    wants_beside = wished.get("beside", "1") == "1"
    if theme != _EXPOSURE and wants_beside:
        exposed = [one for one in tables.cells() if one.series.theme == _EXPOSURE]
        beside = _beside(tables, exposed, shown, titles)
    return rendered(
        request,
        "hexagons_panel.html" if is_partial(request) else "hexagons.html",
        themes=[(one, names.get(one) or one.replace("_", " ").capitalize()) for one in themes],
        shown=shown,
        beside=beside,
        can_be_beside=theme != _EXPOSURE and _EXPOSURE in themes,
        wants_beside=wants_beside,
        cell=wished.get("cell", ""),
    )


def _explored(
    tables: HeldTables,
    held: Sequence[Described],
    wished: Mapping[str, str],
    titles: Titles,
) -> Explored:
    # Datasets of one theme may differ in their dimensions.
    names = dict.fromkeys(name for one in held for name in _dimensions(one))
    alike = dict.fromkeys(names, NONE)
    scenarios = {one.series.id: alike | _dimensions(one) for one in held}
    choice = choose(list(scenarios.values()), wished, titles)
    series = next(name for name, one in scenarios.items() if one == choice.scenario)
    chosen = [one for one in held if one.series.id == series]
    first = chosen[0]
    known = statistics_of(first)
    liked = (wished.get("statistic"), *_FAVOURITES)
    statistic = next((one for one in liked if one in known), known[0])
    periods = first.series.return_periods if statistic in first.statistics else ()
    period = nearest_period(periods, wished.get("return_period", "")) if periods else None
    summary = _summary(tables, chosen, statistic, period)
    return Explored(
        first.series.theme,
        choice,
        series,
        periods,
        period,
        tuple(known),
        statistic,
        tuple(sorted(one.resolution for one in chosen)),
        _bounds(tables, chosen),
        tuple(summary),
    )


def _beside(
    tables: HeldTables,
    exposed: Sequence[Described],
    shown: Explored,
    titles: Titles,
) -> Explored | None:
    """The exposure in the same scenario, if that was measured."""
    alike = [
        one
        for one in exposed
        if all(
            shown.choice.scenario.get(name, value) == value
            for name, value in _dimensions(one).items()
            if name != "dataset"
        )
    ]
    if not alike:
        return None
    wished = {"return_period": f"{shown.period or FAVOURITE_PERIOD:g}"}
    return _explored(tables, alike, wished, titles)


def _dimensions(table: Described) -> dict[str, str]:
    told = coordinates_of(table)
    return {"dataset": told["dataset"]} | {
        name: value for name, value in told.items() if name not in ("series", "dataset")
    }


def _summary(
    tables: HeldTables, chosen: Sequence[Described], statistic: str, period: float | None
) -> list[Document]:
    """What each resolution comes to."""
    rows: list[Document] = []
    for table in sorted(chosen, key=lambda one: one.resolution):
        values = values_of([table], [statistic], () if period is None else (period,))
        (row,) = tables.reader.summary(Query((table,), values))
        rows.append({"resolution": table.resolution, **row})
    return rows


def _bounds(tables: HeldTables, chosen: Sequence[Described]) -> tuple[float, float, float, float]:
    import shapely

    place = tables.reached(shapely.box(-180, -90, 180, 90), chosen)
    west, south, east, north = place.bounds
    return west, south, east, north
