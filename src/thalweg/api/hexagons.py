"""`/api/hexagons`: statistics of H3 cells, from the tables that the ledger names."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response

from thalweg.api.parts import Part
from thalweg.api.services import Held, Services
from thalweg.api.tables import answers, asked
from thalweg.api.tables.asked import DEFAULT_LIMIT, DIMENSIONS, Wanted, example
from thalweg.api.tables.held import HeldTables, opened, tables_held
from thalweg.api.tables.query import query_of_cells
from thalweg.errors import NoTables, UnknownLayer
from thalweg.hexagons.frames import rows_of_layers
from thalweg.hexagons.queries import Key, Query, chosen, statistics_of
from thalweg.hexagons.tables import Described

PREFIX = "/api/hexagons"
TITLE = "Statistics of H3 hexagons: cells, summaries, layers"
_FAVOURITE = "mean"

Tables = Annotated[HeldTables, Depends(tables_held)]
Asked = Annotated[Wanted, Depends(Wanted.of)]

router = APIRouter(prefix=PREFIX, tags=["Hexagons"])


@router.get(
    "",
    responses=example(
        themes=[
            {
                "theme": "flood_risk",
                "title": "Flood risk",
                "datasets": ["fathom"],
                "series": 39,
                "resolutions": [4, 5, 6, 7],
            }
        ]
    ),
)
def themes(request: Request, services: Held, tables: Tables) -> Response:
    """The themes that there are tables of."""
    names = {theme.id: theme.name for theme in services.catalog.themes()}
    rows: dict[str, list[Described]] = {}
    for one in tables.cells():
        rows.setdefault(one.series.theme, []).append(one)
    body = [_theme(name, names, held) for name, held in sorted(rows.items())]
    return answers.document(request, None, {"themes": body})


@router.get(
    "/{theme}/layers",
    responses=example(
        theme="flood_risk",
        layers=[
            {
                "layer": "fathom_rwa_fluvial_defended_2020_1in100",
                "series": "fathom_rwa_fluvial_defended_2020",
                "theme": "flood_risk",
                "dataset": "fathom",
                "peril": "fluvial",
                "label": "1in100",
                "return_period": 100.0,
                "unit": "cm",
                "resolutions": [4, 5, 6, 7],
                "statistics": ["mean", "max", "wet_share"],
            }
        ],
    ),
)
def layers(request: Request, theme: str, tables: Tables) -> Response:
    """The layers of a theme: what they are, their statistics and the resolutions held."""
    held = _of_theme(tables, theme)
    wanted = chosen(held, asked.where_of(request, held))
    statistics = {one.series.id: statistics_of(one) for one in wanted}
    body = [{**row, "statistics": statistics[row["series"]]} for row in rows_of_layers(wanted)]
    return answers.document(request, None, {"theme": theme, "layers": body})


@router.get(
    "/{theme}/cells",
    description=f"The numbers of each cell and series, in the order of cells. {DIMENSIONS}",
    responses={
        200: {
            "content": {
                **answers.FORMATS,
                **example(
                    theme="flood_risk",
                    resolution=7,
                    links=[{"rel": "self", "href": "https://maps.example.org/api/hexagons/..."}],
                    columns=[
                        {
                            "name": "mean_1in100",
                            "statistic": "mean",
                            "label": "1in100",
                            "return_period": 100.0,
                            "unit": "cm",
                            "description": "Mean of the valid pixels, 1in100",
                        }
                    ],
                    numberReturned=1,
                    cells=[
                        {
                            "cell": "608534925669269503",
                            "h3": "871f1d489ffffff",
                            "country": "RWA",
                            "series": "fathom_rwa_fluvial_defended_2020",
                            "peril": "fluvial",
                            "year": "2020",
                            "mean_1in100": 12.5,
                        }
                    ],
                )[200]["content"],
            }
        }
    },
)
def cells(
    request: Request,
    theme: str,
    services: Held,
    tables: Tables,
    wanted: Asked,
    limit: asked.Limit = DEFAULT_LIMIT,
    token: asked.Token = None,
    kind: asked.Answer = "json",
) -> Response:
    most = services.settings.serve.max_cells
    asked.check_limit(limit, most)
    query = _query(request, theme, tables, wanted, most, asked.of_token(token))
    resolution = query.tables[0].resolution
    told = {"theme": theme, "resolution": resolution}
    return answers.page(request, tables.reader, query, limit, kind, **told)


@router.get(
    "/{theme}/summary",
    description="What the cells come to, by series and layer: how many have a number, the least "
    "and the greatest, the sum of what adds up, and the mean of all pixels together where it can "
    f"be told. {DIMENSIONS}",
    responses=example(
        theme="flood_risk",
        resolution=7,
        summary=[
            {
                "series": "fathom_rwa_fluvial_defended_2020",
                "peril": "fluvial",
                "year": "2020",
                "statistic": "mean",
                "label": "1in100",
                "return_period": 100.0,
                "unit": "cm",
                "rows": 4421,
                "rows_with_value": 4351,
                "min": 0.0,
                "max": 35.6,
                "sum": None,
                "mean": 1.16,
                "weighed_by": "valid_1in100",
            }
        ],
    ),
)
def summary(
    request: Request, theme: str, services: Held, tables: Tables, wanted: Asked
) -> Response:
    query = _query(request, theme, tables, wanted, services.settings.serve.max_cells)
    body = {
        "theme": theme,
        "resolution": query.tables[0].resolution,
        "summary": tables.reader.summary(query),
    }
    return answers.document(request, query, body)


def _query(
    request: Request,
    theme: str,
    tables: HeldTables,
    wanted: Wanted,
    most: int,
    after: Key | None = None,
) -> Query:
    held = wanted.at_resolution(_of_theme(tables, theme))
    where = asked.where_of(request, held)
    held = chosen(held, where)
    statistics = wanted.statistics or (_first(held),)
    return query_of_cells(tables, held, wanted, statistics, most, after)


def _first(held: list[Described]) -> str:
    known = [name for one in held for name in statistics_of(one)]
    return _FAVOURITE if _FAVOURITE in known else known[0]


def _of_theme(tables: HeldTables, theme: str) -> list[Described]:
    every = tables.cells()
    if not every:
        raise NoTables(hint="run a pipeline that has a step `hexagons`")
    held = [one for one in every if one.series.theme == theme]
    if not held:
        known = sorted({one.series.theme for one in every})
        raise UnknownLayer(f"there is no theme {theme!r}", hint=f"there are {', '.join(known)}")
    return held


def _theme(name: str, names: dict[str, str], held: list[Described]) -> dict[str, Any]:
    return {
        "theme": name,
        "title": names.get(name, ""),
        "datasets": sorted({one.series.dataset for one in held}),
        "series": len({one.series.id for one in held}),
        "resolutions": sorted({one.resolution for one in held}),
    }


def install(app: FastAPI, _services: Services) -> None:
    """Adds the routes."""
    app.include_router(router)


HEXAGONS = Part(PREFIX, TITLE, install, opened, free_parameters=True)
