"""`/api/exposure`: how many buildings stand in the water, by H3 cell and by area."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response

from thalweg.api.parts import Part
from thalweg.api.services import Held, Services
from thalweg.api.tables import answers, asked
from thalweg.api.tables.asked import DEFAULT_LIMIT, DIMENSIONS, Wanted, example
from thalweg.api.tables.held import HeldTables, opened, tables_held
from thalweg.api.tables.query import query_of_cells, with_periods
from thalweg.errors import InvalidRequest, NoExposure
from thalweg.hexagons import queries
from thalweg.hexagons.layers import above
from thalweg.hexagons.queries import AREA_KEYS, chosen, statistics_of, values_of
from thalweg.hexagons.tables import Described

PREFIX = "/api/exposure"
TITLE = "Buildings in the water: by H3 hexagon, by area, in sum"
COUNTRIES = "countries"

Tables = Annotated[HeldTables, Depends(tables_held)]
Asked = Annotated[Wanted, Depends(Wanted.of)]

router = APIRouter(prefix=PREFIX, tags=["Exposure"])


@router.get(
    "",
    responses=example(
        datasets=[
            {
                "dataset": "fathom-exposure",
                "theme": "exposure",
                "series": ["fathom_exposure_rwa_fluvial_defended_2020"],
                "resolutions": [6, 7, 8],
                "return_periods": [5.0, 100.0, 1000.0],
                "thresholds_m": [0.15, 0.5, 1.0],
                "statistics": ["exposed_above_50cm", "max_depth_m"],
                "areas": [COUNTRIES],
            }
        ]
    ),
)
def datasets(request: Request, tables: Tables) -> Response:
    """The datasets of exposure, and what each can be asked for."""
    names = sorted({one.series.dataset for one in tables.exposed()})
    body = [_dataset(tables, name) for name in names]
    return answers.document(request, None, {"datasets": body})


@router.get(
    "/{dataset}/cells",
    description="The buildings of each cell and series, and how many of them are exposed, in the "
    f"order of cells. {DIMENSIONS}",
    responses={
        200: {
            "content": {
                **answers.FORMATS,
                **example(
                    dataset="fathom-exposure",
                    resolution=7,
                    threshold_m=0.5,
                    links=[{"rel": "self", "href": "https://maps.example.org/api/exposure/..."}],
                    columns=[
                        {
                            "name": "exposed_above_50cm_1in100",
                            "statistic": "exposed_above_50cm",
                            "label": "1in100",
                            "return_period": 100.0,
                            "unit": "building",
                            "description": "Buildings in more than 0.5 m of water, 1in100",
                        }
                    ],
                    numberReturned=1,
                    cells=[
                        {
                            "cell": "608534925669269503",
                            "h3": "871f1d489ffffff",
                            "country": "RWA",
                            "series": "fathom_exposure_rwa_fluvial_defended_2020",
                            "buildings": 812,
                            "exposed_above_50cm_1in100": 31,
                        }
                    ],
                )[200]["content"],
            }
        }
    },
)
def cells(
    request: Request,
    dataset: str,
    services: Held,
    tables: Tables,
    wanted: Asked,
    threshold: asked.Threshold = None,
    limit: asked.Limit = DEFAULT_LIMIT,
    token: asked.Token = None,
    kind: asked.Answer = "json",
) -> Response:
    most = services.settings.serve.max_cells
    asked.check_limit(limit, most)
    found = _cells(request, dataset, tables, wanted)
    depth = asked.threshold_of(found, threshold)
    statistics = wanted.statistics or _statistics(found, depth)
    query = query_of_cells(tables, found, wanted, statistics, most, asked.of_token(token))
    told = {"dataset": dataset, "resolution": found[0].resolution, "threshold_m": depth}
    return answers.page(request, tables.reader, query, limit, kind, **told)


@router.get(
    "/{dataset}/summary",
    description="What it comes to, by series and layer. Of whole countries the numbers are those "
    "of the table of countries, where there is one: each building counts in the country that it "
    "stands in; else cells are added up, and count in the country of their centre. `counted_by` "
    f"says which. {DIMENSIONS}",
    responses=example(
        dataset="fathom-exposure",
        threshold_m=0.5,
        counted_by=COUNTRIES,
        summary=[
            {
                "series": "fathom_exposure_rwa_fluvial_defended_2020",
                "peril": "fluvial",
                "year": "2020",
                "statistic": "exposed_above_50cm",
                "label": "1in100",
                "return_period": 100.0,
                "unit": "building",
                "rows": 1,
                "rows_with_value": 1,
                "min": 5210,
                "max": 5210,
                "sum": 5210.0,
                "mean": None,
                "weighed_by": None,
            }
        ],
    ),
)
def summary(
    request: Request,
    dataset: str,
    services: Held,
    tables: Tables,
    wanted: Asked,
    threshold: asked.Threshold = None,
) -> Response:
    found = _cells(request, dataset, tables, wanted)
    depth = asked.threshold_of(found, threshold)
    statistics = wanted.statistics or _statistics(found, depth)
    query = _of_countries(tables, found, wanted, statistics)
    counted_by = COUNTRIES
    if query is None:
        most = services.settings.serve.max_cells
        query = query_of_cells(tables, found, wanted, statistics, most)
        counted_by = "cells"
    rows = tables.reader.summary(query)
    body = {"dataset": dataset, "threshold_m": depth, "counted_by": counted_by, "summary": rows}
    return answers.document(request, query, body)


@router.get(
    "/{dataset}/areas",
    description="The buildings of each area and series, and how many of them are exposed, in the "
    f"order of areas. {DIMENSIONS}",
    responses={
        200: {
            "content": {
                "text/csv": {},
                **example(
                    dataset="fathom-exposure",
                    threshold_m=0.5,
                    links=[{"rel": "self", "href": "https://maps.example.org/api/exposure/..."}],
                    columns=[],
                    numberReturned=1,
                    areas=[
                        {
                            "area": "RWA",
                            "areas": COUNTRIES,
                            "series": "fathom_exposure_rwa_fluvial_defended_2020",
                            "buildings": 104233,
                            "exposed_above_50cm_1in100": 5210,
                        }
                    ],
                )[200]["content"],
            }
        }
    },
)
def areas(
    request: Request,
    dataset: str,
    services: Held,
    tables: Tables,
    areas: Annotated[
        str | None,
        Query(description="Which kind, where there are several.", examples=[COUNTRIES]),
    ] = None,
    area: Annotated[
        str | None, Query(description="Codes of areas, commas between.", examples=["RWA"])
    ] = None,
    return_period: asked.ReturnPeriod = None,
    statistic: asked.Statistic = None,
    threshold: asked.Threshold = None,
    limit: asked.Limit = DEFAULT_LIMIT,
    token: asked.Token = None,
    kind: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    asked.check_limit(limit, services.settings.serve.max_cells)
    wanted = Wanted.of(return_period=return_period, statistic=statistic)
    held = _of_kind(_of_dataset(tables.areas(), dataset), areas)
    where = asked.where_of(request, held)
    found = with_periods(chosen(held, where), wanted)
    depth = asked.threshold_of(found, threshold)
    statistics = wanted.statistics or _statistics(found, depth)
    query = queries.Query(
        found,
        values_of(found, statistics, wanted.periods),
        keys=AREA_KEYS,
        areas=asked.listed(area),
        after=asked.of_area_token(token),
    )
    told = {"dataset": dataset, "threshold_m": depth}
    return answers.page(request, tables.reader, query, limit, kind, **told)


def _cells(request: Request, dataset: str, tables: HeldTables, wanted: Wanted) -> list[Described]:
    held = wanted.at_resolution(_of_dataset(tables.exposed(), dataset))
    return chosen(held, asked.where_of(request, held))


def _of_countries(
    tables: HeldTables, found: Sequence[Described], wanted: Wanted, statistics: Sequence[str]
) -> queries.Query | None:
    """The rows of whole countries; None where cells are to be added up."""
    if not wanted.countries or wanted.bbox is not None:
        return None
    series = {one.series.id for one in found}
    held = [one for one in tables.areas() if _kind(one) == COUNTRIES and one.series.id in series]
    if {one.series.id for one in held} != series:
        return None
    chosen_ones = with_periods(held, wanted)
    return queries.Query(
        chosen_ones,
        values_of(chosen_ones, statistics, wanted.periods),
        keys=AREA_KEYS,
        areas=wanted.countries,
    )


def _statistics(tables: Sequence[Described], threshold_m: float) -> list[str]:
    """What is told of a depth unless something else is asked for."""
    depth = above(threshold_m)
    favourites = ("buildings", f"exposed_{depth}", f"exposed_share_{depth}", "max_depth_m")
    known = {name for one in tables for name in statistics_of(one)}
    return [name for name in favourites if name in known]


def _of_dataset(tables: Sequence[Described], dataset: str) -> list[Described]:
    held = [one for one in tables if one.series.dataset == dataset]
    if not held:
        known = sorted({one.series.dataset for one in tables})
        raise NoExposure(
            f"there is no such table of {dataset!r}",
            hint=f"there are {', '.join(known)}" if known else "run a step `exposure`",
        )
    return held


def _of_kind(tables: Sequence[Described], kind: str | None) -> list[Described]:
    known = sorted({_kind(one) for one in tables})
    if kind is None and len(known) > 1:
        raise InvalidRequest("say which areas", hint=f"there are {', '.join(known)}")
    held = [one for one in tables if kind in (None, _kind(one))]
    if not held:
        raise NoExposure(f"there are no areas {kind!r}", hint=f"there are {', '.join(known)}")
    return held


def _kind(table: Described) -> str:
    """What the areas of a table are called, as its folder is."""
    return table.path.parent.name.removeprefix("areas=")


def _dataset(tables: HeldTables, name: str) -> dict[str, Any]:
    held = _of_dataset(tables.exposed(), name)
    return {
        "dataset": name,
        "theme": held[0].series.theme,
        "series": sorted({one.series.id for one in held}),
        "resolutions": sorted({one.resolution for one in held}),
        "return_periods": sorted({years for one in held for years in one.series.return_periods}),
        "thresholds_m": sorted(
            {depth for one in held for depth in one.notes["exposure"]["thresholds_m"]}
        ),
        "statistics": list(dict.fromkeys(name for one in held for name in statistics_of(one))),
        "areas": sorted({_kind(one) for one in tables.areas() if one.series.dataset == name}),
    }


def install(app: FastAPI, _services: Services) -> None:
    """Adds the routes."""
    app.include_router(router)


EXPOSURE = Part(PREFIX, TITLE, install, opened, free_parameters=True)
