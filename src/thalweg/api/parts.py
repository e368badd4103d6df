"""A part of the service: what a package below `thalweg.api` gives to `app.PARTS`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from fastapi import FastAPI

from thalweg.api.services import Services


@asynccontextmanager
async def _nothing(_app: FastAPI, _services: Services) -> AsyncIterator[None]:
    yield


@dataclass(frozen=True)
class Part:
    """One part: everything that it serves lies under `prefix`.

    `install` adds its routes, before anything is opened. `opened` holds what it needs while the
    service runs, such as a pool of its own; it must not fail where a database is away. `statuses`
    are the HTTP statuses of its library's errors (`errors.py` makes their body). A part with
    `free_parameters` looks itself for query parameters that its routes do not declare.
    """

    prefix: str
    title: str
    install: Callable[[FastAPI, Services], None]
    opened: Callable[[FastAPI, Services], AbstractAsyncContextManager[None]] = _nothing
    statuses: Mapping[type[Exception], int] = field(default_factory=dict)
    free_parameters: bool = False
