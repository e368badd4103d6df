"""`/`: what is here, and how far each pipeline has come."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from thalweg.api.items import items_of
from thalweg.api.services import Held
from thalweg.catalog.item_search import ItemSearch
from thalweg.domain.matrix import Level
from thalweg.errors import PipelineNotFound, UsageError
from thalweg.web.documents import collections_of
from thalweg.web.pages import PageRoute, is_partial, rendered
from thalweg.web.pipelines import Pipelines

MOST_COUNTED = 250

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/", response_class=Response)
async def home(request: Request, services: Held) -> Response:
    """The collections, and the pipelines whose matrices are fetched when the page is there."""
    collections = await collections_of(services)
    counts = {}
    for one in collections:
        search = ItemSearch(collections=[one["id"]], limit=MOST_COUNTED)
        counts[one["id"]] = len(await items_of(services, search))
    held: Pipelines = request.app.state.pipelines
    return rendered(
        request,
        "home.html",
        collections=collections,
        counts=counts,
        most_counted=MOST_COUNTED,
        pipelines=await run_in_threadpool(held.ran),
        backend=services.backend,
    )


@router.get("/pipelines/{name}", response_class=Response)
def pipeline(request: Request, name: str) -> Response:
    """The matrix of a pipeline: expected, found, made, catalogued; what is missing by name."""
    held: Pipelines = request.app.state.pipelines
    ran = next((one for one in held.ran() if one.pipeline.name == name), None)
    if ran is None:
        raise PipelineNotFound(
            f"no pipeline {name!r} was run here", hint="the first page lists those that were"
        )
    template = "matrix.html" if is_partial(request) else "pipeline.html"
    try:
        found = held.matrix(ran)
    except UsageError as error:
        return rendered(request, template, ran=ran, found=None, why=error.message)
    titles = held.titles()
    return rendered(
        request, template, ran=ran, found=found, why="", shares=shares, state=state, titles=titles
    )


def shares(level: Level) -> tuple[float, float]:
    """Percent of what is expected that is present, and that is catalogued."""
    expected = len(level.expected) or 1
    present = len(level.present & level.expected)
    catalogued = len((level.catalogued or frozenset()) & level.expected)
    return 100 * present / expected, 100 * catalogued / expected


def state(level: Level) -> str:
    """How far a level is, in one word: it is a class of the style sheet too."""
    if not level.expected and not level.present:
        return "none"
    if level.complete:
        return "complete"
    return "part" if level.present else "missing"
