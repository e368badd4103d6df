"""Links as clients find them, whatever host and path a proxy calls the service by."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send


class PublicUrl:
    """Makes every request look as if it had been sent to `url`: all libraries make links of that.

    A path in `url` is taken to be cut off by the proxy before it asks.
    """

    def __init__(self, app: ASGIApp, url: str) -> None:
        self.app = app
        parts = urlsplit(url)
        self.scheme = parts.scheme
        self.host = parts.netloc.encode("idna" if parts.netloc.isascii() is False else "ascii")
        self.root = parts.path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope = {
                **scope,
                "scheme": self.scheme,
                "headers": [(b"host", self.host), *headers],
                "root_path": self.root,
                "path": self.root + scope["path"],
            }
        await self.app(scope, receive, send)
