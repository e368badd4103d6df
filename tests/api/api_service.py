"""How the tests of the service start one."""

from __future__ import annotations

from collections.abc import Callable

from fastapi.testclient import TestClient

type Serve = Callable[..., TestClient]
