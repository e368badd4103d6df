"""One error body everywhere, as JSON or for people as a page, and the table of statuses.

`code`, `message`, `hint` and `request_id`: nothing of an error that was not foreseen, but the id to
look it up by.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

from thalweg import errors as known
from thalweg.errors import ThalwegError

RETRY_SECONDS = {429: 60, 503: 5}
_logger = logging.getLogger("thalweg.api")

STATUSES: Mapping[type[ThalwegError], int] = {
    known.RequestError: 400,
    known.UsageError: 400,
    known.UnknownCoordinate: 400,
    known.AmbiguousScenario: 400,
    known.MissingColumn: 400,
    known.KeyRequired: 401,
    known.KeyRefused: 403,
    known.ArtifactNotFound: 404,
    known.CollectionNotFound: 404,
    known.FeatureNotFound: 404,
    known.FeatureTableNotFound: 404,
    known.ItemNotFound: 404,
    known.LayerNotFound: 404,
    known.NoExposure: 404,
    known.NoTables: 404,
    known.NoSuchTile: 404,
    known.NothingFound: 404,
    known.NothingSelected: 404,
    known.NoRaster: 404,
    known.ObjectNotFound: 404,
    known.OutsideData: 404,
    known.PipelineNotFound: 404,
    known.RunNotFound: 404,
    known.UnknownLayer: 404,
    known.UnknownPlace: 404,
    known.ItemExists: 409,
    known.InvalidItem: 422,
    known.RequestTooLarge: 413,
    known.RangeNotSatisfiable: 416,
    known.TooManyCells: 413,
    known.TooManyRefusals: 429,
    known.IdentityUnavailable: 503,
    known.AssetUnavailable: 503,
    known.AnswerTookTooLong: 504,
}


PAGE = "thalweg.page"
"""What is true in the scope of a request whose answer is a page, whatever the client accepts."""


class ErrorBody(BaseModel):
    """What every error of the service looks like."""

    code: str = Field(description="The kind of error, which does not change.")
    message: str = Field(description="What is wrong, with figures.")
    hint: str = Field(description="What to do about it.")
    request_id: str = Field(description="The id of the request, as in the header X-Request-ID.")


type ErrorPage = Callable[[Request, int, ErrorBody], Response]
"""What shows an error to people, if `app.state.error_page` is one."""


def status_of(error: ThalwegError) -> int:
    """The status of the nearest class in the table; else 503 where it may pass, or 500."""
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    return 503 if error.transient else 500


def request_id(request: Request) -> str:
    """The id that the request was given on its way in."""
    return str(request.scope.get("thalweg.request_id", ""))


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks: only those name HTML, and not JSON."""
    accepted = request.headers.get("accept", "")
    return bool(request.scope.get(PAGE)) or ("text/html" in accepted and "json" not in accepted)


def error_response(
    request: Request, status: int, code: str, message: str, hint: str = ""
) -> Response:
    """The answer that an error becomes."""
    body = ErrorBody(code=code, message=message, hint=hint, request_id=request_id(request))
    page: ErrorPage | None = getattr(request.app.state, "error_page", None)
    if page is not None and wants_page(request):
        answer = page(request, status, body)
    else:
        answer = JSONResponse(body.model_dump(), status)
    answer.headers["Cache-Control"] = "no-store"
    if status in RETRY_SECONDS:
        answer.headers["Retry-After"] = str(RETRY_SECONDS[status])
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def response_of(request: Request, error: ThalwegError) -> Response:
    """The answer to a named error; of what is wrong on our side the text stays in the log."""
    status = status_of(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return unforeseen(request, error)
    return error_response(request, status, error.code, error.message, error.hint)


def unforeseen(request: Request, error: Exception) -> Response:
    """The answer to an error that nobody foresaw: an id to quote, and the rest in the log."""
    _logger.error("%s: unforeseen", request_id(request), exc_info=error)
    return error_response(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "UnexpectedError",
        "a fault of the service's own",
        "report it with the request_id",
    )


def install_error_handlers(app: FastAPI, of_libraries: Mapping[type[Exception], int]) -> None:
    """Give every error its body; `of_libraries` are the statuses of libraries' own errors."""
    # Handlers are looked up by exact class first: none that a library installed may stay.
    app.exception_handlers.clear()
    for kind, status in of_libraries.items():
        app.add_exception_handler(kind, _handler_of_library(status))
    app.add_exception_handler(ThalwegError, _handle_named)
    app.add_exception_handler(HTTPException, _handle_http)
    app.add_exception_handler(RequestValidationError, _handle_invalid)
    app.add_exception_handler(ValidationError, _handle_invalid)


async def _handle_named(request: Request, error: Exception) -> Response:
    assert isinstance(error, ThalwegError)
    return response_of(request, error)


async def _handle_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return unforeseen(request, error)
    hint = _HINTS.get(status, "")
    told = str(error.detail)
    message = _MESSAGES.get(status, told) if told == status.phrase else told
    answer = error_response(request, status, _code(status), message, hint)
    answer.headers.update(error.headers or {})
    return answer


async def _handle_invalid(request: Request, error: Exception) -> Response:
    """400, as OGC and STAC have it."""
    assert isinstance(error, (RequestValidationError, ValidationError))
    told = "; ".join(_told(one) for one in error.errors()[:5])
    return error_response(
        request, HTTPStatus.BAD_REQUEST, "InvalidRequest", told, "/docs tells what each path takes"
    )


def _handler_of_library(status: int) -> Any:
    async def handle(request: Request, error: Exception) -> Response:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return unforeseen(request, error)
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return error_response(request, status, type(error).__name__, lines[0])

    return handle


def _told(error: Mapping[str, Any]) -> str:
    where = _place(error.get("loc", ()))
    return f"{where}: {error['msg']}" if where else str(error["msg"])


def _place(loc: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in loc if part not in ("query", "path", "body"))


def _code(status: HTTPStatus) -> str:
    return status.phrase.title().replace(" ", "").replace("-", "")


_MESSAGES = {
    HTTPStatus.NOT_FOUND: "there is nothing at this path",
    HTTPStatus.METHOD_NOT_ALLOWED: "this path does not take that method",
}
_HINTS = {
    HTTPStatus.NOT_FOUND: "/docs tells what paths there are",
    HTTPStatus.METHOD_NOT_ALLOWED: "/docs tells what methods a path takes",
}
