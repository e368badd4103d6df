"""What no request may be: too long, too large, or with a NUL, which no database takes."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thalweg.api.errors import response_of
from thalweg.errors import InvalidRequest, RequestError, RequestTooLarge
from thalweg.settings import ServeSettings


class Limits:
    """Refuses such requests before anything else looks at them.

    A body is taken in whole first, so that a slow or endless one holds nothing but itself.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            self._check_url(scope)
            body = await self._body(scope, receive)
        except RequestError as error:
            await response_of(Request(scope), error)(scope, receive, send)
            return
        await self.app(scope, _replayed(body, receive), send)

    def _check_url(self, scope: Scope) -> None:
        path, query = scope.get("raw_path", b""), scope["query_string"]
        if len(path) + len(query) > self.settings.max_url:
            raise RequestTooLarge(
                f"the URL has {len(path) + len(query)} characters; {self.settings.max_url} "
                "are the most",
                hint="send what is long in the body of a POST",
            )
        for parameter in query.split(b"&"):
            if len(parameter) > self.settings.max_parameter:
                raise RequestTooLarge(
                    f"a parameter has {len(parameter)} characters; "
                    f"{self.settings.max_parameter} are the most",
                    hint="send what is long in the body of a POST",
                )
        if "\0" in scope["path"] or b"\0" in unquote_to_bytes(query):
            raise _nul("the URL")

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdigit():
            self._check_size(int(declared))
        body = bytearray()
        more = scope["method"] not in ("GET", "HEAD", "OPTIONS")
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise InvalidRequest("the body broke off")
            body += message.get("body", b"")
            self._check_size(len(body))
            more = message.get("more_body", False)
        if b"\0" in body or b"\\u0000" in body:
            raise _nul("the body")
        if scope["method"] in ("POST", "PUT") and not body.lstrip().startswith(b"{"):
            raise InvalidRequest("the body is no JSON object")
        return bytes(body)

    def _check_size(self, size: int) -> None:
        if size > self.settings.max_body:
            raise RequestTooLarge(
                f"the body has {size} bytes or more; {int(self.settings.max_body)} are the most",
                hint="ask for less at once, or raise serve.max_body",
            )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was taken in, then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _nul(where: str) -> InvalidRequest:
    return InvalidRequest(f"{where} holds a NUL character", hint="take it out")
