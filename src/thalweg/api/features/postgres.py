"""Features from PostGIS, through tipg; what goes there is checked before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from cql2 import Expr
from morecantile import Tile, TileMatrixSet
from tipg.collections import ItemList, PgCollection

from thalweg.api.database import Database
from thalweg.api.features.asked import MOST_ON_TILE, Asked, asked_of
from thalweg.api.features.collections import check_tile, described, queryables
from thalweg.errors import DatabaseOutdated, FeatureTableNotFound, InvalidRequest
from thalweg.features import postgis
from thalweg.features.cql2_postgis import as_postgis
from thalweg.features.schema import REVISION, REVISION_QUERY, SCHEMA
from thalweg.features.tables import FeatureTable, no_table

_FRESH_SECONDS = 1.0
_HINT = "bring it up to date: thalweg db migrate"


class Postgres:
    """Stands where tipg has a pool, and knows the tables."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._known: dict[str, PostgresCollection] = {}
        self._read_at = -_FRESH_SECONDS
        self._reading = asyncio.Lock()

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[asyncpg.Connection]:
        async with self.database.connection() as connection:
            try:
                yield connection
            except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
                self._read_at = -_FRESH_SECONDS
                raise FeatureTableNotFound("the table was changed", hint="ask again") from error
            except asyncpg.UndefinedFunctionError as error:
                raise DatabaseOutdated("the schema lacks a function", hint=_HINT) from error
            except asyncpg.DataError as error:
                raise InvalidRequest(str(error).strip().splitlines()[0]) from error

    async def check(self) -> None:
        """Raises `DatabaseOutdated` where the schema is of another revision than ours."""
        async with self.database.connection() as connection:
            found = await connection.fetchval(REVISION_QUERY)
        if found is not None and found != f"revision {REVISION}":
            raise DatabaseOutdated(
                f"the schema {SCHEMA} has {found}; this Thalweg works with revision {REVISION}",
                hint=_HINT,
            )

    async def collections(self) -> list[PostgresCollection]:
        await self._read()
        return list(self._known.values())

    async def collection(self, name: str) -> PostgresCollection:
        """Raises `FeatureTableNotFound`. What is known counts for a second; a new one at once."""
        if name not in self._known or time.monotonic() - self._read_at > _FRESH_SECONDS:
            await self._read()
        if name not in self._known:
            raise no_table(name, self._known)
        return self._known[name]

    async def _read(self) -> None:
        async with self._reading, self.acquire() as connection:
            rows = await connection.fetch(postgis.COLUMNS_QUERY)
        tables = postgis.described(rows)
        self._known = {name: PostgresCollection.of(one) for name, one in tables.items()}
        self._read_at = time.monotonic()


class PostgresCollection(PgCollection):
    """A table of PostGIS."""

    held: FeatureTable

    @classmethod
    def of(cls, table: FeatureTable) -> PostgresCollection:
        return cls(held=table, schema=SCHEMA, **described(table))

    @property
    def queryables(self) -> dict[str, Any]:
        return queryables(self.held)

    async def features(
        self,
        conn: asyncpg.Connection,
        *,
        bbox_only: bool | None = None,
        geom_as_wkt: bool = False,
        function_parameters: Any = None,  # noqa: ARG002 - tables take none
        **given: Any,
    ) -> ItemList:
        asked = asked_of(self.held, **given)
        found: ItemList = await super().features(
            conn,
            bbox_only=bbox_only,
            geom_as_wkt=geom_as_wkt,
            offset=asked.offset,
            **_as_tipg(asked, "limit"),
        )
        if not found["items"]:
            found["next"] = None
        return found

    async def get_tile(
        self,
        conn: asyncpg.Connection,
        *,
        tms: TileMatrixSet,
        tile: Tile,
        function_parameters: Any = None,  # noqa: ARG002 - tables take none
        **given: Any,
    ) -> bytes:
        check_tile(tms, tile)
        asked = asked_of(self.held, **given)
        told = _as_tipg(asked)
        # tipg orders by what a tile shows only; by default it orders by the id.
        told["sortby"] = None
        limit = min(asked.limit or MOST_ON_TILE, MOST_ON_TILE)
        made: bytes = await super().get_tile(conn, tms=tms, tile=tile, limit=limit, **told)
        return made


def _as_tipg(asked: Asked, *more: str) -> dict[str, Any]:
    """A question as tipg's own collections take it."""
    return {
        "cql_filter": None if asked.where is None else Expr(as_postgis(asked.where)),
        "sortby": asked.sortby(),
        "properties": None if asked.properties is None else list(asked.properties),
        "geom": None if asked.geometry else "none",
        "simplify": asked.simplify or None,
        **{name: getattr(asked, name) for name in more},
    }
