"""Who may do what: keys, tokens and signed links, and the roles that they give."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from thalweg.api.files import is_signed
from thalweg.api.keys import Keys
from thalweg.api.refusals import Refusals
from thalweg.api.routes import path_of
from thalweg.api.services import Services, services_of
from thalweg.errors import KeyRefused, KeyRequired
from thalweg.settings import Role

if TYPE_CHECKING:
    from thalweg.api.oidc import Provider

_RANKS = {role: rank for rank, role in enumerate(Role)}
_OPEN = ("/livez", "/readyz", "/health", "/metrics")
_HINT = "send it in the header X-API-Key, or as Authorization: Bearer"


async def reading_allowed(request: Request) -> None:
    """Everything takes at least a reader, unless reading is public; a signed link opens its file.

    Raises `KeyRequired`, and what `role_of` raises.
    """
    path = path_of(request)
    if services_of(request).settings.serve.public_reading or path in _OPEN:
        return
    if not is_signed(request, path):
        await require(Role.READER)(request)


def require(role: Role) -> Callable[[Request], Awaitable[None]]:
    """A dependency of routes that raises `KeyRequired` or `KeyRefused` without that role."""

    async def check(request: Request) -> None:
        held = await role_of(request)
        if held is None:
            raise KeyRequired(f"this takes an API key with the role {role}", hint=_HINT)
        if _RANKS[held] < _RANKS[role]:
            raise KeyRefused(f"this takes the role {role}; the key gives {held}")

    return check


async def role_of(request: Request) -> Role | None:
    """The role that the request's key or token gives; None without one.

    Raises `KeyRefused`, `TooManyRefusals`, and `IdentityUnavailable` for a token.
    """
    key = _key(request)
    if not key:
        return None
    gate = _gate(request)
    # Whoever was let in before is not kept waiting by the guesses of others at the same address.
    known = gate.known(key)
    if known is not None:
        return known
    client = request.client.host if request.client else ""
    gate.refusals.check(client)
    try:
        return await run_in_threadpool(gate.role_of, key)
    except KeyRefused:
        gate.refusals.count(client)
        raise


class Gate:
    """What looks at keys and tokens, as long as the service runs."""

    def __init__(self, services: Services) -> None:
        self.refusals = Refusals()
        self._settings = services.settings.serve
        self._keys = Keys(services.workspace.folder)

    def known(self, key: str) -> Role | None:
        """The role of a key that takes no work: set by digest, or proven before."""
        # Keys are random and long, so that their SHA-256 tells nothing of them.
        set_role = self._settings.keys.get(hashlib.sha256(key.encode()).hexdigest())
        return set_role or self._keys.remembered(key)

    def role_of(self, key: str) -> Role:
        """The role of a key or token; raises `KeyRefused` and `IdentityUnavailable`."""
        if self._settings.oidc.issuer and key.count(".") == 2:
            return self._provider.role_of(key)
        role = self._keys.role_of(key)
        if role is None:
            raise KeyRefused("the API key is not known, or has expired", hint=_HINT)
        return role

    @cached_property
    def _provider(self) -> Provider:
        from thalweg.api.oidc import Provider

        return Provider(self._settings.oidc)


def _gate(request: Request) -> Gate:
    state = request.app.state
    if not hasattr(state, "gate"):
        state.gate = Gate(services_of(request))
    gate: Gate = state.gate
    return gate


def _key(request: Request) -> str:
    given = request.headers.get("x-api-key", "")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return given or (token.strip() if scheme.lower() == "bearer" else "")
