"""Links that open one file for a while, for clients that send no key: HMAC with an expiry."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from pathlib import Path
from urllib.parse import quote, urlencode

from fastapi import Request

from thalweg.errors import KeyRefused

_FILE = "serve.secret"
EXPIRES, SIGNATURE = "expires", "signature"


class Signer:
    """Signs paths with a secret of the workspace, which is made at the first use.

    All processes that serve a workspace have the same one.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE
        self._secret = b""

    def signed(self, path: str, seconds: int, now: float | None = None) -> str:
        """The path with its expiry and signature: `seconds` to twice as many from now.

        Within so many seconds it is the same, so that caches know it again.
        """
        at = time.time() if now is None else now
        expires = (int(at) // seconds + 2) * seconds
        query = urlencode({EXPIRES: expires, SIGNATURE: self._signature(path, str(expires))})
        return f"{quote(path)}?{query}"

    def holds(self, path: str, expires: str, signature: str, now: float | None = None) -> bool:
        """Whether a signature is that of the path and has not expired."""
        if not (expires.isascii() and expires.isdecimal()) or not signature.isascii():
            return False
        at = time.time() if now is None else now
        mine = self._signature(path, expires)
        return hmac.compare_digest(mine, signature) and at < int(expires)

    def opens(self, request: Request, path: str) -> bool:
        """Whether the query of a request signs its path; raises `KeyRefused` for a wrong one."""
        given = request.query_params
        if SIGNATURE not in given:
            return False
        if not self.holds(path, given.get(EXPIRES, ""), given[SIGNATURE]):
            raise KeyRefused("the link has expired, or is none of ours", hint="ask for a new one")
        return True

    def _signature(self, path: str, expires: str) -> str:
        self._secret = self._secret or _secret(self._file)
        message = f"{expires}\n{path}".encode()
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()


def _secret(file: Path) -> bytes:
    """What the file holds; it is made for the owner alone, and only if there is none."""
    aside = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    if not file.exists():
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as written:
            written.write(secrets.token_hex(32))
        try:
            # All or nothing, and one of several that begin at once: the others take its secret.
            os.link(aside, file)
        except FileExistsError:
            pass
        finally:
            aside.unlink()
    return file.read_bytes()
