"""What clients and caches may keep, and how they ask whether it still holds."""

from __future__ import annotations

import hashlib

from fastapi import Request

from thalweg import __version__
from thalweg.api.services import services_of

IMMUTABLE_SECONDS = 31_536_000
_SECONDS = 60


def etag_of(*parts: str) -> str:
    """A strong tag of what an answer is made from; of this version of Thalweg."""
    return f'"{hashlib.sha256("\0".join([__version__, *parts]).encode()).hexdigest()[:24]}"'


def is_held(request: Request, etag: str) -> bool:
    """Whether the client has what has this tag, so that 304 is the answer (RFC 9110, 13.1.2)."""
    given = request.headers.get("if-none-match", "")
    tags = [one.strip().removeprefix("W/") for one in given.split(",")]
    return etag in tags or given.strip() == "*"


def cache_headers(request: Request, etag: str, *, immutable: bool = False) -> dict[str, str]:
    """`ETag`, `Cache-Control` and `Vary`: others' caches keep nothing that takes a key."""
    public = services_of(request).settings.serve.public_reading
    age = f"max-age={IMMUTABLE_SECONDS}, immutable" if immutable else f"max-age={_SECONDS}"
    return {
        "ETag": etag,
        "Cache-Control": f"{'public' if public else 'private'}, {age}",
        **({} if public else {"Vary": "Authorization, X-API-Key"}),
    }
