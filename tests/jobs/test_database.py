from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from thalweg.errors import DiskFull, JobsBusy
from thalweg.jobs.database import OLDEST_SQLITE, named_errors, open_database, sqlite_driver


def test_the_driver_is_new_enough() -> None:
    assert sqlite_driver().sqlite_version_info >= OLDEST_SQLITE


def test_connections_are_prepared(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "new" / "jobs.db")
    with engine.connect() as connection:
        for pragma, value in [("journal_mode", "wal"), ("synchronous", 1), ("foreign_keys", 1)]:
            assert connection.execute(sa.text(f"PRAGMA {pragma}")).scalar() == value
    engine.dispose()


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "jobs.db")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (x)"))
        connection.execute(sa.text("PRAGMA max_page_count = 3"))
        with pytest.raises(DiskFull, match=r"jobs\.db"), named_errors(engine):
            connection.execute(sa.text("INSERT INTO t VALUES (zeroblob(100000))"))
    engine.dispose()


def test_a_held_lock_is_named(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "jobs.db")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (x)"))
    with engine.begin() as holder, engine.connect() as other:
        holder.execute(sa.text("INSERT INTO t VALUES (1)"))
        other.execute(sa.text("PRAGMA busy_timeout=10"))
        with pytest.raises(JobsBusy), named_errors(engine):
            other.execute(sa.text("INSERT INTO t VALUES (2)"))
        other.invalidate()
    engine.dispose()
