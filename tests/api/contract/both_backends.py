"""A workspace behind both backends."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient


class Both:
    """The same workspace, served from its own files and from PostgreSQL."""

    def __init__(self, embedded: TestClient, postgresql: TestClient) -> None:
        self.clients = {"embedded": embedded, "postgresql": postgresql}

    def request(self, method: str, url: str, **given: Any) -> dict[str, Any]:
        return {name: one.request(method, url, **given) for name, one in self.clients.items()}

    def get(self, url: str, **params: Any) -> dict[str, Any]:
        return self.request("GET", url, params=params)

    def search(self, **body: Any) -> dict[str, Any]:
        return self.request("POST", "/stac/search", json=body)
