"""How a page is made: templates, headers that keep foreign code out, and errors in words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from thalweg import __version__
from thalweg.api.errors import PAGE, ErrorBody
from thalweg.api.services import services_of
from thalweg.web.vendor import STATIC_FOLDER, has_vendor_files
from thalweg.web.words import FILTERS

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "Vary": "HX-Request",
}


class PageRoute(APIRoute):
    """A route whose errors are pages too, of the service's one error body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def page(request: Request) -> Response:
            request.scope[PAGE] = True
            return await handler(request)

        return page


def rendered(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or the part of one that HTMX asks for, from a template of `templates/`."""
    scope = request.scope
    content = (
        _environment()
        .get_template(template)
        .render(
            request=request,
            # Below a mount, as of static files, `root_path` is the mount's.
            root=scope.get("app_root_path", scope.get("root_path", "")),
            base_url=str(request.base_url).rstrip("/"),
            version=__version__,
            stamp=_stamp(),
            has_maps=has_vendor_files(),
            **values,
        )
    )
    headers = HEADERS
    if not services_of(request).settings.serve.public_reading:
        headers = {**HEADERS, "Cache-Control": "private, no-cache"}
    return HTMLResponse(content, status, headers)


def is_partial(request: Request) -> bool:
    """Whether HTMX asks for a part of a page, to be put into the one that is shown."""
    return request.headers.get("hx-request-type") == "partial"


def error_page(request: Request, status: int, error: ErrorBody) -> Response:
    """What is wrong, in words, and a way on; or the part of a page that HTMX asked for."""
    template = "error_part.html" if is_partial(request) else "error.html"
    return rendered(request, template, status, error=error, told=status)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment


@cache
def _stamp() -> str:
    """Changes with the static files, so that browsers may keep them for long."""
    files = sorted(file for file in STATIC_FOLDER.rglob("*") if file.is_file())
    told = "\n".join(
        f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files
    )
    return hashlib.sha256(f"{__version__}\n{told}".encode()).hexdigest()[:12]
