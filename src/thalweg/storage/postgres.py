"""A connection to PostgreSQL, its errors as errors of Thalweg."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from thalweg.errors import DatabaseError, DatabaseUnavailable, PackageMissing

if TYPE_CHECKING:
    import psycopg


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    """A connection to a database. Raises `PackageMissing`, and what `postgres_errors` raises."""
    try:
        import psycopg
    except ImportError as error:
        raise PackageMissing(
            "this needs psycopg", hint="pip install 'thalweg[postgres]'"
        ) from error
    with postgres_errors(), psycopg.connect(url, connect_timeout=10) as connection:
        yield connection


@contextmanager
def postgres_errors() -> Iterator[None]:
    """Raises `DatabaseUnavailable` or `DatabaseError` for what psycopg raises."""
    import psycopg

    try:
        yield
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(_told(error), hint="check database_url") from error
    except psycopg.Error as error:
        raise DatabaseError(_told(error), hint="check the rights and extensions there") from error


def _told(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
