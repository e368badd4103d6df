"""Query parameters that a path does not take are refused, as OGC API has it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from fastapi import Request

from thalweg.api.routes import path_of, template
from thalweg.errors import UnknownParameter


async def refuse_unknown_parameters(request: Request) -> None:
    """Raises `UnknownParameter` for what the OpenAPI document does not tell of."""
    path = path_of(request)
    if not request.query_params or path.startswith(request.app.state.free_parameters):
        return
    known = known_parameters(request)
    if known is None:
        return
    for name in request.query_params:
        if name not in known:
            raise unknown_parameter(name, known)


def unknown_parameter(name: str, known: Sequence[str]) -> UnknownParameter:
    """The error that says what was meant, or what there is."""
    near = get_close_matches(name, known, 1)
    return UnknownParameter(
        f"this path takes no parameter {name!r}",
        hint=f"did you mean {near[0]!r}?" if near else _listed(known),
    )


def known_parameters(request: Request) -> tuple[str, ...] | None:
    """The query parameters that a request's path declares; None where it is not documented."""
    path, method = template(request.scope), request.method.lower()
    operations: dict[str, Any] = request.app.openapi()["paths"].get(path, {})
    if method not in operations:
        return None
    declared = operations[method].get("parameters", ())
    return tuple(one["name"] for one in declared if one["in"] == "query")


def _listed(names: Sequence[str]) -> str:
    return f"it takes {', '.join(names)}" if names else "it takes none"
