"""The PostgreSQL database of a service: a pool for reading, one for writing, and its outages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import orjson

from thalweg.errors import AnswerTookTooLong, DatabaseUnavailable
from thalweg.settings import ServeSettings

SEARCH_PATH = "pgstac,public,features"
_CONNECT_SECONDS = 5
_WAIT_SECONDS = 10
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)


class Database:
    """Pools of connections to one database; nothing connects before the first use.

    Reading happens in read-only transactions, in the role `read_role` where one is set, and every
    statement may take `statement_seconds` at most.
    """

    def __init__(self, url: str, settings: ServeSettings) -> None:
        self.url = url
        self.settings = settings
        self._pools: dict[bool, asyncpg.Pool] = {}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with self._pool(writing=False) as reading, self._pool(writing=True) as writing:
            self._pools = {False: reading, True: writing}
            yield

    @asynccontextmanager
    async def connection(self, *, writing: bool = False) -> AsyncIterator[asyncpg.Connection]:
        """A connection of a pool; raises `DatabaseUnavailable`, and `AnswerTookTooLong` for a
        statement that was ended."""
        with named_outages():
            async with self._pools[writing].acquire(timeout=_WAIT_SECONDS) as connection:
                yield connection

    async def check(self) -> None:
        """Raises `DatabaseUnavailable` where the database does not answer.

        On a connection of its own: where the pool is busy the database is still well.
        """
        with named_outages():
            connection = await asyncpg.connect(self.url, timeout=_CONNECT_SECONDS)
            try:
                await connection.execute("SELECT 1")
            finally:
                await connection.close(timeout=_CONNECT_SECONDS)

    def server_settings(self, *, writing: bool) -> dict[str, str]:
        """What a connection sets at its start; for the pools of other libraries too."""
        reading = {"default_transaction_read_only": "on", "pgstac.readonly": "true"}
        if self.settings.read_role:
            reading["role"] = self.settings.read_role
        return {
            "application_name": "thalweg",
            "search_path": SEARCH_PATH,
            "statement_timeout": str(round(self.settings.statement_seconds * 1000)),
            "jit": "off",
            "timezone": "UTC",
            **({} if writing else reading),
        }

    def _pool(self, *, writing: bool) -> asyncpg.Pool:
        return asyncpg.create_pool(
            self.url,
            min_size=0,
            max_size=max(1, self.settings.pool_size // 4) if writing else self.settings.pool_size,
            timeout=_CONNECT_SECONDS,
            init=_read_json,
            server_settings=self.server_settings(writing=writing),
        )


@contextmanager
def named_outages() -> Iterator[None]:
    """Errors of a database that is away as `DatabaseUnavailable`."""
    try:
        yield
    except asyncpg.QueryCanceledError as error:
        raise AnswerTookTooLong(hint="ask for less: a smaller box, fewer conditions") from error
    except _AWAY as error:
        raise DatabaseUnavailable(
            "the database does not answer", hint="try again in a few seconds"
        ) from error


async def _read_json(connection: Any) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, encoder=_to_text, decoder=orjson.loads, schema="pg_catalog"
        )


def _to_text(value: Any) -> str:
    return orjson.dumps(value).decode()
