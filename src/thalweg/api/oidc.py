"""Bearer tokens of an OpenID Connect provider: verified with its keys, and the role they give."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import jwt

from thalweg.errors import IdentityUnavailable, KeyRefused
from thalweg.settings import OidcSettings, Role

# Keys of the provider alone: none that a secret could be shared by, and never `none`.
_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
_TIMEOUT_SECONDS = 5
_FRESH_SECONDS = 3600
_STALE_SECONDS = 24 * 3600
_AGAIN_SECONDS = 10
_LEEWAY_SECONDS = 60
_LARGEST = 1 << 20


class Provider:
    """Whoever signs the tokens. Its keys are fetched when a token first comes, then once an hour,
    and at most every ten seconds for a key that is not known yet: so keys may be rotated."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched = self._tried = float("-inf")

    def role_of(self, token: str) -> Role:
        """The greatest role that a token gives.

        Raises `KeyRefused`, and `IdentityUnavailable` where the provider does not answer.
        """
        settings = self._settings
        try:
            header = jwt.get_unverified_header(token)
            algorithm = str(header.get("alg"))
            if algorithm not in _ALGORITHMS:
                raise KeyRefused(f"tokens signed by {algorithm[:20]!r} are not taken")
            claims = jwt.decode(
                token,
                self._key(str(header.get("kid", ""))),
                algorithms=[algorithm],
                audience=settings.audience,
                issuer=settings.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise KeyRefused(f"the token does not hold: {error}", hint="sign in again") from error
        return self._role(claims)

    def _role(self, claims: Mapping[str, Any]) -> Role:
        held = _claim(claims, self._settings.roles_claim)
        names = [held] if isinstance(held, str) else held if isinstance(held, list) else []
        roles = {self._settings.roles[name] for name in names if name in self._settings.roles}
        found = [role for role in Role if role in roles]
        if not found:
            raise KeyRefused(
                "the token gives no role here",
                hint=f"its claim {self._settings.roles_claim} must name one of serve.oidc.roles",
            )
        return found[-1]

    def _key(self, name: str) -> jwt.PyJWK:
        with self._lock:
            now = time.monotonic()
            is_due = now - self._fetched > _FRESH_SECONDS or name not in self._keys
            if is_due and now - self._tried > _AGAIN_SECONDS:
                self._tried = now
                self._fetch(now)
            if now - self._fetched > _STALE_SECONDS:
                raise IdentityUnavailable(hint="try again in a few seconds")
            if name not in self._keys:
                raise KeyRefused("the token is signed by no key of the provider's")
            return self._keys[name]

    def _fetch(self, now: float) -> None:
        """The provider's keys; while it does not answer, those of the last day hold."""
        settings = self._settings
        try:
            url = (
                settings.jwks_url
                or _document(f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration")[
                    "jwks_uri"
                ]
            )
            found = jwt.PyJWKSet.from_dict(_document(url)).keys
        except (URLError, TimeoutError, OSError, ValueError, KeyError, jwt.PyJWTError) as error:
            if now - self._fetched > _STALE_SECONDS:
                raise IdentityUnavailable(hint="try again in a few seconds") from error
            return
        self._keys = {str(key.key_id or ""): key for key in found}
        self._fetched = now


def _document(url: str) -> dict[str, Any]:
    # The setting allows http: and https: alone.
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310
    with urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
        found: dict[str, Any] = json.loads(answer.read(_LARGEST))
    return found


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of a name, or of a path such as realm_access.roles."""
    if path in claims:
        return claims[path]
    held: Any = claims
    for name in path.split("."):
        held = held.get(name) if isinstance(held, dict) else None
    return held
