"""The route that a request took, by its template: `/stac/collections/{collection_id}`."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import iter_route_contexts


def path_of(request: Request) -> str:
    """The path of a request within the application, whatever a proxy cuts off before it."""
    return request.url.path.removeprefix(request.scope.get("root_path", ""))


def template(scope: MutableMapping[str, Any]) -> str:
    """The template of the route that answers; empty where none does."""
    route = scope.get("route")
    return _templates(scope["app"]).get(id(route), "") if route is not None else ""


def _templates(app: FastAPI) -> dict[int, str]:
    """Whole templates by the identity of routes, which know them without their prefixes only."""
    found: dict[int, str] | None = getattr(app.state, "templates", None)
    if found is None:
        contexts = iter_route_contexts(app.routes)
        found = {id(one.original_route): one.path_format or one.path or "" for one in contexts}
        app.state.templates = found
    return found
