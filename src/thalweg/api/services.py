"""What a running service holds, and where its routes take it from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from thalweg.pipelines.workspace import Workspace
from thalweg.settings import Settings

if TYPE_CHECKING:
    from thalweg.api.database import Database
    from thalweg.catalog.ledger import Catalog

type Check = Callable[[], Awaitable[None]]
"""Looks whether a dependency answers; raises what is wrong."""


class Services:
    """A workspace, its settings, and what is open while the service runs.

    `catalog` is the workspace's own, whatever the backend: it holds the ledger and the layers.
    `database` is None where the service is embedded; it has pools for reading and for writing.
    `checks` are the dependencies that `/health` tells of, by name: a part adds its own.
    """

    catalog: Catalog

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        self.workspace = workspace
        self.settings = settings
        self.database: Database | None = None
        self.checks: dict[str, Check] = {}
        # A thread of its own: requests may fill the others.
        self._probe = ThreadPoolExecutor(1, thread_name_prefix="probe")
        self.checks["catalogue"] = self._check_catalogue
        if settings.database_url:
            from thalweg.api.database import Database

            self.database = Database(settings.database_url, settings.serve)
            self.checks["database"] = self.database.check

    @property
    def backend(self) -> str:
        """`postgresql` or `embedded`."""
        return "postgresql" if self.database else "embedded"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Holds catalogue and pools open."""
        with self.workspace.catalog() as self.catalog:
            async with self.database.opened() if self.database else nullcontext():
                yield

    async def _check_catalogue(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._probe, self.catalog.themes)


def services_of(request: Request) -> Services:
    """The services of the application that answers a request."""
    services: Services = request.app.state.services
    return services


Held = Annotated[Services, Depends(services_of)]
"""`def route(services: Held)` is given what the service holds."""
