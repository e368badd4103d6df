"""`/docs`: what each path takes and answers, and trying it."""

from __future__ import annotations

from fastapi import Request, Response

from thalweg.web.pages import rendered


def page(request: Request) -> Response:
    """The OpenAPI document, as Swagger UI shows it."""
    return rendered(request, "docs.html")
