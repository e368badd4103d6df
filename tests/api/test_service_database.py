"""What reading may do in the database, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import asyncpg
import psycopg
import pytest

from postgres_server import postgres
from thalweg.api.database import Database
from thalweg.errors import AnswerTookTooLong, DatabaseUnavailable
from thalweg.settings import ServeSettings


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres() as found:
        with psycopg.connect(found) as connection:
            connection.execute("CREATE ROLE seer")
        yield found


async def told(url: str, statement: str, *, writing: bool = False, **settings: object) -> object:
    database = Database(url, ServeSettings(**settings))
    async with database.opened(), database.connection(writing=writing) as connection:
        return await connection.fetchval(statement)


def test_reading_takes_on_its_role_and_writes_nothing(url: str) -> None:
    assert asyncio.run(told(url, "SELECT current_user", read_role="seer")) == "seer"
    assert asyncio.run(told(url, "SELECT current_user", writing=True, read_role="seer")) == "tester"
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        asyncio.run(told(url, "CREATE TABLE a (b int)"))
    asyncio.run(told(url, "CREATE TABLE a (b int)", writing=True))


def test_a_statement_that_takes_too_long_is_ended(url: str) -> None:
    with pytest.raises(AnswerTookTooLong):
        asyncio.run(told(url, "SELECT pg_sleep(20)", statement_seconds=0.1))


def test_a_database_that_is_not_there_is_a_named_error() -> None:
    for away in ("postgresql://u:secret@127.0.0.1:9/x", "postgresql://u@%2Fnowhere/x"):
        with pytest.raises(DatabaseUnavailable) as caught:
            asyncio.run(told(away, "SELECT 1"))
        assert "secret" not in str(caught.value)
