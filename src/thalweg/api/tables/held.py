"""The tables that a service answers from: those that the ledger names now, and one reader."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import shapely
from fastapi import FastAPI, Request
from shapely.geometry.base import BaseGeometry

from thalweg.api.services import Services
from thalweg.domain.tiles import BoundingBox
from thalweg.hexagons.places import box
from thalweg.hexagons.queries import Reader, described
from thalweg.hexagons.tables import Described
from thalweg.pipelines.tables import Tables, tables_of
from thalweg.pipelines.workspace import CATALOG_FILE

type Stamp = tuple[tuple[int, int], ...]


class HeldTables:
    """Tables as the ledger has them: it is asked again once its file has changed."""

    def __init__(self, services: Services) -> None:
        self.reader = Reader()
        self._services = services
        self._lock = threading.Lock()
        self._found: tuple[Stamp, Tables] | None = None
        self._bounds: dict[Path, BaseGeometry] = {}

    def close(self) -> None:
        self.reader.close()

    def cells(self) -> list[Described]:
        """All tables of H3 cells."""
        return [described(path) for path in self._tables().cells]

    def exposed(self) -> list[Described]:
        """The tables of exposure by H3 cell."""
        return [described(path) for path in self._tables().exposed]

    def areas(self) -> list[Described]:
        """The tables of exposure by area."""
        return [described(path) for path in self._tables().areas]

    def reached(self, place: BaseGeometry, tables: Sequence[Described]) -> BaseGeometry:
        """The part of a place that the boxes of some tables reach: it has no more cells."""
        return place.intersection(shapely.union_all([self._box(one.path) for one in tables]))

    def _tables(self) -> Tables:
        stamp = self._stamp()
        with self._lock:
            if self._found is None or self._found[0] != stamp:
                found = tables_of(self._services.workspace, self._services.catalog)
                self._found = stamp, found
            return self._found[1]

    def _stamp(self) -> Stamp:
        """Changes with every transaction: SQLite writes these to the file beside, then to it."""
        folder = self._services.workspace.folder
        files = (folder / CATALOG_FILE, folder / f"{CATALOG_FILE}-wal")
        found = [one.stat() for one in files if one.exists()]
        return tuple((one.st_mtime_ns, one.st_size) for one in found)

    def _box(self, path: Path) -> BaseGeometry:
        if path not in self._bounds:
            artifact = self._services.catalog.find(*self._tables().refs[path])
            bounds = artifact.facts["table"]["bounds"] if artifact else None
            self._bounds[path] = (
                box(BoundingBox(**bounds)) if bounds else shapely.box(-180, -90, 180, 90)
            )
        return self._bounds[path]


@asynccontextmanager
async def opened(app: FastAPI, services: Services) -> AsyncIterator[None]:
    """Holds the tables open, for as many parts as want them."""
    if hasattr(app.state, "tables"):
        yield
        return
    app.state.tables = HeldTables(services)
    try:
        yield
    finally:
        app.state.tables.close()
        del app.state.tables


def tables_held(request: Request) -> HeldTables:
    """The tables of the application that answers a request."""
    held: HeldTables = request.app.state.tables
    return held
