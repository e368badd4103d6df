"""Whether the service lives, is ready, and what its dependencies are like.

All of it runs on the event loop, never in the pool of threads that requests fill, and what is found
of a dependency counts for a while: a probe neither starves nor hammers.
"""

from __future__ import annotations

import asyncio
import time
from typing import Literal

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from thalweg import __version__
from thalweg.api.services import Check, Held, Services
from thalweg.errors import ThalwegError

_CHECK_SECONDS = 5


class Alive(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Dependency(BaseModel):
    """What was found of one dependency, and how many seconds ago."""

    status: Literal["ok", "failing"]
    message: str = ""
    checked_seconds_ago: float = 0


class Health(BaseModel):
    """What was found of all dependencies."""

    status: Literal["ok", "failing"]
    version: str = __version__
    backend: str
    dependencies: dict[str, Dependency]


class Checks:
    """Looks at each dependency, and remembers what it found for `seconds`."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._found: dict[str, tuple[float, Dependency]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def all(self) -> dict[str, Dependency]:
        names = list(self.services.checks)
        found = await asyncio.gather(*(self._one(name) for name in names))
        return dict(zip(names, found, strict=True))

    async def _one(self, name: str) -> Dependency:
        async with self._locks.setdefault(name, asyncio.Lock()):
            at, found = self._found.get(name, (0.0, None))
            age = time.monotonic() - at
            if found is not None and age < self.services.settings.serve.health_seconds:
                return found.model_copy(update={"checked_seconds_ago": round(age, 1)})
            found = await _looked(self.services.checks[name])
            self._found[name] = (time.monotonic(), found)
            return found


async def _looked(check: Check) -> Dependency:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except ThalwegError as error:
        return Dependency(status="failing", message=error.message)
    except TimeoutError:
        return Dependency(status="failing", message=f"no answer within {_CHECK_SECONDS} s")
    return Dependency(status="ok")


def install(app: FastAPI) -> None:
    """Adds `/livez`, `/readyz` and `/health`."""
    app.state.checks = Checks(app.state.services)

    @app.get("/livez", tags=["service"])
    async def livez() -> Alive:
        """Whether the process runs; it says nothing of what the service depends on."""
        return Alive()

    @app.get("/readyz", tags=["service"], responses={503: {"model": Health}})
    async def readyz(request: Request, response: Response, services: Held) -> Health:
        """Whether requests can be answered; else 503."""
        return await _health(request, response, services)

    @app.get("/health", tags=["service"], responses={503: {"model": Health}})
    async def health(request: Request, response: Response, services: Held) -> Health:
        """Each dependency, as it was found within the last seconds."""
        return await _health(request, response, services)


async def _health(request: Request, response: Response, services: Services) -> Health:
    checks: Checks = request.app.state.checks
    found = await checks.all()
    failing = any(one.status == "failing" for one in found.values())
    response.headers["Cache-Control"] = "no-store"
    if failing:
        response.status_code = 503
    return Health(
        status="failing" if failing else "ok", backend=services.backend, dependencies=found
    )
