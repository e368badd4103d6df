"""Answers that clients may keep, 304 before anything is read, and 204 for tiles with nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine, Iterable
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from rio_tiler.errors import EmptyMosaicError

from thalweg import __version__
from thalweg.api.raster.source import Raster
from thalweg.api.services import services_of
from thalweg.errors import ArtifactNotFound

_FOREVER = "max-age=31536000, immutable"
_ASK_AGAIN = "max-age=60, must-revalidate"


class _NotModified(Exception):  # noqa: N818 - no error, but an early answer
    """The client holds the answer already."""


class ConditionalRoute(APIRoute):
    """A route whose answer has the headers that `validate` noted.

    A tile where a mosaic has nothing is 204, as of titiler: a map asks for all tiles around its
    rasters and GDAL fills such blocks with nothing, while both take a 404 for a fault.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler: Callable[[Request], Any] = super().get_route_handler()

        async def conditional(request: Request) -> Response:
            response: Response
            try:
                response = await handler(request)
            except _NotModified:
                response = Response(status_code=HTTPStatus.NOT_MODIFIED)
            except EmptyMosaicError:
                if "z" not in request.path_params:
                    raise
                response = Response(status_code=HTTPStatus.NO_CONTENT)
            response.headers.update(getattr(request.state, "validators", {}))
            return response

        return conditional


def validate(request: Request, rasters: Iterable[Raster], checksum: str | None = None) -> None:
    """Notes what the answer's bytes depend on: the files' bytes, the request and our version.

    `checksum` is the beginning of a file's SHA-256 that the client asks by: what is named so never
    changes. Raises `ArtifactNotFound` where the item has another file now.
    """
    sums = [one.checksum for one in rasters]
    if checksum is not None and not all(one.startswith(checksum) for one in sums):
        raise ArtifactNotFound(
            f"the item's file is no longer the one whose SHA-256 begins with {checksum}",
            hint="leave checksum out to be given the file that is there now",
        )
    if not all(sums) or request.method not in ("GET", "HEAD"):
        return
    told = [__version__, str(request.url), request.headers.get("accept", ""), *sums]
    etag = f'"{hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]}"'
    who = "public" if services_of(request).settings.serve.public_reading else "private"
    lasts = _FOREVER if checksum is not None else _ASK_AGAIN
    request.state.validators = {"ETag": etag, "Cache-Control": f"{who}, {lasts}"}
    held = request.headers.get("if-none-match", "")
    if held.strip() == "*" or etag in (one.strip().removeprefix("W/") for one in held.split(",")):
        raise _NotModified
