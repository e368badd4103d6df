"""The SQLite file that holds runs, tasks and the engine's queues."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import sqlalchemy as sa

from thalweg.errors import DiskFull, JobError, JobsBusy

OLDEST_SQLITE = (3, 42)
BUSY_TIMEOUT_MS = 30_000


def sqlite_driver() -> ModuleType:
    """The standard `sqlite3`, or `pysqlite3` where the system's SQLite is too old for DBOS."""
    if sqlite3.sqlite_version_info >= OLDEST_SQLITE:
        return sqlite3
    try:
        import pysqlite3
    except ImportError as error:
        raise JobError(
            f"SQLite {sqlite3.sqlite_version} is too old for the job engine",
            hint="install pysqlite3-binary, or a Python built with SQLite 3.42 or newer",
        ) from error
    return pysqlite3  # type: ignore[no-any-return]


def open_database(path: Path) -> sa.Engine:
    """An engine on `path` in WAL mode whose transactions take the write lock at their start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        f"sqlite:///{path}", module=sqlite_driver(), pool_size=16, max_overflow=48
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


@contextmanager
def named_errors(engine: sa.Engine) -> Iterator[None]:
    """Give the database's own errors a name and a hint."""
    try:
        yield
    except sa.exc.DatabaseError as error:
        where, reason = str(engine.url.database), str(error.orig)
        if "full" in reason:
            raise DiskFull(where=where, hint="free some space and start the run again") from error
        if "locked" in reason or "busy" in reason:
            raise JobsBusy(where=where, hint="another process writes; try again") from error
        raise JobError(
            f"the record of runs cannot be used: {reason}",
            where=where,
            hint="move it away: runs begin a new one, and what is made stays made",
        ) from error
