"""What happens to every request: an id, a line in the log, a figure, and an end to what escapes."""

from __future__ import annotations

import logging
import re
import time
from uuid import uuid4

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thalweg.api.errors import unforeseen
from thalweg.api.metrics import observe

HEADER = "X-Request-ID"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_access = logging.getLogger("thalweg.access")
_CLIENT_GONE = 499


class Requests:
    """Gives each request an id (a client's own, where it is plain), and logs and counts it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        identity = scope["thalweg.request_id"] = _identity(Headers(scope=scope))
        began = time.perf_counter()
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = identity
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception as error:
            answer = unforeseen(Request(scope), error)
            # Where the answer has begun already, all that is left is to break it off.
            if status:
                raise
            await answer(scope, receive, noted)
        finally:
            seconds = time.perf_counter() - began
            observe(scope, status or _CLIENT_GONE, seconds)
            _access.info(
                "%s %s %s %.1fms %s",
                scope["method"],
                scope.get("raw_path", b"").decode("ascii", "replace"),
                status or _CLIENT_GONE,
                seconds * 1000,
                identity,
            )


def _identity(headers: Headers) -> str:
    given = headers.get(HEADER, "")
    return given if _ID.fullmatch(given) else uuid4().hex
