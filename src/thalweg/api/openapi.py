"""One OpenAPI document for all parts, and `/docs`, which libraries' landing pages lead to."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from thalweg.api.errors import ErrorBody
from thalweg.api.parts import Part

_ERRORS = {"4XX": "The request cannot be answered as it stands", "503": "A dependency is away"}
DOCS = "swagger_ui_html"
"""The name by which libraries look for the route of `/docs`."""
_REFERENCE = {"$ref": "#/components/schemas/ErrorBody"}


def install(app: FastAPI, parts: Sequence[Part]) -> None:
    """Makes the document once, with every part as a tag and the one error body everywhere."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description="\n".join(f"- `{part.prefix}`: {part.title}" for part in parts),
                routes=app.routes,
                separate_input_output_schemas=app.separate_input_output_schemas,
            )
            app.openapi_schema = _with_errors(made)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the documented way
    # Where a part has a page for it, that one comes first.
    app.add_route("/docs", _docs, name=DOCS, include_in_schema=False)


def _docs(request: Request) -> HTMLResponse:
    """A page, as links to it promise, even where the service has none that is made to be read."""
    document = f"{request.scope.get('root_path', '')}/openapi.json"
    return HTMLResponse(
        f'<!doctype html><html lang="en"><title>{escape(request.app.title)}</title>'
        f'<p>What each path takes: <a href="{escape(document)}">openapi.json</a></p></html>'
    )


def _with_errors(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["ErrorBody"] = ErrorBody.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            responses = operation["responses"]
            responses.pop("422", None)
            _tell_faces(operation)
            for status, told in _ERRORS.items():
                content = {"application/json": {"schema": _REFERENCE}}
                responses.setdefault(status, {"description": told, "content": content})
    return document


def _tell_faces(operation: dict[str, Any]) -> None:
    """Adds what libraries leave untold: the page that `f=html` asks for, and that `fields` gives
    only parts of what is described."""
    content = operation["responses"].get("200", {}).get("content", {})
    named = {one["name"]: one.get("schema", {}) for one in operation.get("parameters", ())}
    if "html" in str(named.get("f", "")):
        content.setdefault("text/html", {})
    if "fields" in named:
        parts = {"type": "object", "title": "Parts", "description": "What `fields` chooses."}
        for told in content.values():
            told["schema"] = {"anyOf": [told.get("schema", {}), parts]}
