"""`/files`: the objects of zones as they are, in ranges, and links that open one for a while."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from thalweg.api.caching import cache_headers, is_held
from thalweg.api.errors import response_of
from thalweg.api.parts import Part
from thalweg.api.ranges import ByteRange, byte_range
from thalweg.api.services import Held, Services, services_of
from thalweg.api.signing import EXPIRES, SIGNATURE, Signer
from thalweg.catalog.ledger import PARQUET_MEDIA_TYPE
from thalweg.catalog.stac import COG_MEDIA_TYPE
from thalweg.errors import ObjectNotFound, RangeNotSatisfiable
from thalweg.storage.zones import Zone

PREFIX = "/files"
TITLE = "The files themselves, with Range: COGs, tables"
_CHUNK = 256 << 10
# What is published ends its name so in its fingerprint, and is never another.
_PUBLISHED = re.compile(r"\.[0-9a-f]{8}\.[a-z]+$")
_ANY_MEDIA_TYPE = "application/octet-stream"
_MEDIA_TYPES = {
    ".tif": COG_MEDIA_TYPE,
    ".parquet": PARQUET_MEDIA_TYPE,
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".csv": "text/csv; charset=utf-8",
    ".png": "image/png",
}
_CONTENT: dict[str, Any] = {one: {} for one in (*_MEDIA_TYPES.values(), _ANY_MEDIA_TYPE)}

router = APIRouter(prefix=PREFIX, tags=["Files"])


def file_url(request: Request, zone: str, key: str) -> str:
    """The link to an object: signed, where reading takes a key, so that GDAL opens it as it is."""
    services = services_of(request)
    base = str(request.base_url).rstrip("/")
    path = f"{PREFIX}/{zone}/{key}"
    if services.settings.serve.public_reading:
        return f"{base}{quote(path, safe='/=')}"
    return base + _signer(request).signed(path, services.settings.serve.link_seconds)


def served_href(request: Request, href: str) -> str:
    """The link to what an href of the catalogue leads to; itself where no served zone holds it."""
    services = services_of(request)
    for name in services.settings.serve.file_zones:
        root = services.workspace.zone(name).href("x")[:-1]
        if href.startswith(root):
            return file_url(request, name, href.removeprefix(root))
    return href


def stored_href(request: Request, href: str) -> str:
    """What `served_href` made a link of, with its signature or without; else the href itself."""
    services = services_of(request)
    base = f"{str(request.base_url).rstrip('/')}{PREFIX}/"
    zone, _, key = href.removeprefix(base).partition("?")[0].partition("/")
    if href.startswith(base) and key and zone in services.settings.serve.file_zones:
        return services.workspace.zone(zone).href(unquote(key))
    return href


def with_served_assets(request: Request, document: dict[str, Any]) -> dict[str, Any]:
    """An item or collection whose assets lead to `/files`."""
    if "assets" not in document:
        return document
    assets = {
        name: {**asset, "href": served_href(request, asset["href"])}
        for name, asset in document["assets"].items()
    }
    return {**document, "assets": assets}


def is_signed(request: Request, path: str) -> bool:
    """Whether a request for a path of this part carries its signature; raises `KeyRefused` for
    one that has expired or is another's."""
    return path.startswith(f"{PREFIX}/") and _signer(request).opens(request, path)


@router.api_route(
    "/{zone}/{key:path}",
    methods=["GET"],
    response_class=Response,
    responses={
        200: {"description": "The whole file", "content": _CONTENT},
        206: {"description": "The range that was asked for", "content": _CONTENT},
        304: {"description": "The client has it already"},
        307: {"description": "The object is in a store: this is a signed link to it"},
        416: {"description": "The range begins beyond the end of the file"},
    },
    openapi_extra={
        "parameters": [
            {
                "name": "Range",
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "example": "bytes=0-16383",
            },
            *(
                {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
                for name in (EXPIRES, SIGNATURE)
            ),
        ]
    },
)
@router.api_route(
    "/{zone}/{key:path}", methods=["HEAD"], response_class=Response, include_in_schema=False
)
def file(
    request: Request,
    zone: str,
    key: str,
    services: Held,
) -> Response:
    """One object of a zone as it is, or a range of its bytes."""
    place = _served(services, zone, key)
    if place.folder is None:
        seconds = services.settings.serve.link_seconds
        url = place.signed_url(key, seconds, "HEAD" if request.method == "HEAD" else "GET")
        return RedirectResponse(url, 307, {"Cache-Control": "no-store"})
    return _answer(request, _path(place.folder, zone, key), place, key)


def _served(services: Services, zone: str, key: str) -> Zone:
    """The zone; raises `ObjectNotFound` for one that is not served, and for what no key may be."""
    hidden = any(part.startswith(".") or not part for part in key.split("/"))
    if zone not in services.settings.serve.file_zones or hidden or "\\" in key:
        raise _not_found(zone, key)
    return services.workspace.zone(zone)


def _path(folder: Path, zone: str, key: str) -> Path:
    """The file of a key, which no link leads out of the zone; raises `ObjectNotFound`."""
    try:
        path = (folder / key).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise _not_found(zone, key) from error
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise _not_found(zone, key)
    return path


def _answer(request: Request, path: Path, zone: Zone, key: str) -> Response:
    found = zone.head(key)
    if found is None:
        raise _not_found(zone.name, key)
    etag = f'"{found.etag}"'
    headers = {
        **cache_headers(request, etag, immutable=bool(_PUBLISHED.search(key))),
        "Accept-Ranges": "bytes",
        "Last-Modified": formatdate(path.stat().st_mtime, usegmt=True),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    if is_held(request, etag):
        return Response(status_code=304, headers=headers)
    try:
        part = _part(request, etag, found.size)
    except RangeNotSatisfiable as error:
        refusal = response_of(request, error)
        refusal.headers["Content-Range"] = f"bytes */{found.size}"
        return refusal
    status = 200
    if part is None:
        part = ByteRange(0, found.size - 1, found.size)
    else:
        status, headers["Content-Range"] = 206, part.header
    headers["Content-Length"] = str(part.length)
    media_type = _MEDIA_TYPES.get(path.suffix, _ANY_MEDIA_TYPE)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media_type)
    return StreamingResponse(_bytes(path, part), status, headers, media_type)


def _part(request: Request, etag: str, size: int) -> ByteRange | None:
    """The range that is asked for, if it is of this very file."""
    if request.headers.get("if-range", etag) != etag:
        return None
    return byte_range(request.headers.get("range", ""), size)


def _bytes(path: Path, part: ByteRange) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        os.lseek(file.fileno(), part.first, os.SEEK_SET)
        left = part.length
        while left > 0 and (chunk := file.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk


def _not_found(zone: str, key: str) -> ObjectNotFound:
    return ObjectNotFound(
        f"there is no file {key[:200]!r} in {zone[:40]!r}", hint="links to files are in /stac"
    )


def _signer(request: Request) -> Signer:
    signer: Signer = request.app.state.signer
    return signer


def install(app: FastAPI, services: Services) -> None:
    """Adds the routes."""
    app.state.signer = Signer(services.workspace.folder)
    app.include_router(router)


FILES = Part(PREFIX, TITLE, install)
