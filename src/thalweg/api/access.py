"""Who may do what: keys and the roles that they give."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

from fastapi import Request

from thalweg.api.routes import path_of
from thalweg.api.services import services_of
from thalweg.errors import KeyRefused, KeyRequired
from thalweg.settings import Role

_RANKS = {role: rank for rank, role in enumerate(Role)}
_OPEN = ("/livez", "/readyz", "/health", "/metrics")
_HINT = "send it in the header X-API-Key, or as Authorization: Bearer"


async def reading_allowed(request: Request) -> None:
    """Everything takes at least a reader, unless reading is public."""
    services = services_of(request)
    if services.settings.serve.public_reading or path_of(request) in _OPEN:
        return
    await require(Role.READER)(request)


def require(role: Role) -> Callable[[Request], Awaitable[None]]:
    """A dependency of routes that raises `KeyRequired` or `KeyRefused` without that role."""

    async def check(request: Request) -> None:
        held = role_of(request)
        if held is None:
            raise KeyRequired(f"this takes an API key with the role {role}", hint=_HINT)
        if _RANKS[held] < _RANKS[role]:
            raise KeyRefused(f"this takes the role {role}; the key gives {held}")

    return check


def role_of(request: Request) -> Role | None:
    """The role that the request's key gives; None without a key; raises `KeyRefused`.

    Keys are random and long, so that their SHA-256 tells nothing of them.
    """
    key = _key(request)
    if not key:
        return None
    keys = services_of(request).settings.serve.keys
    role = keys.get(hashlib.sha256(key.encode()).hexdigest())
    if role is None:
        raise KeyRefused("the API key is not known", hint=_HINT)
    return role


def _key(request: Request) -> str:
    given = request.headers.get("x-api-key", "")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return given or (token.strip() if scheme.lower() == "bearer" else "")
