"""The runs of a folder, to read and to cancel from a process that runs none itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from thalweg.jobs.database import named_errors, open_database
from thalweg.jobs.history import History
from thalweg.jobs.leases import Leases
from thalweg.jobs.records import Records
from thalweg.jobs.schema import create_tables

DATABASE = "jobs.db"
EXECUTORS = "executors"
CANCELLED_AT_ONCE = 10_000


class RecordedRuns(History):
    """See `thalweg.jobs.engine.Runs`."""

    def __init__(self, database: sa.Engine, leases: Leases) -> None:
        super().__init__(database, leases.is_held)
        self._database = database
        self._leases = leases
        self._records = Records(database)

    def cancel(self, run: str) -> None:
        if self.status(run).ended:
            return
        # Importing DBOS takes a second, which those who only read should not pay.
        from thalweg.jobs.queues import open_queues

        waiting = self._records.cancel_run(run)
        with open_queues(self._database) as queues:
            for start in range(0, len(waiting), CANCELLED_AT_ONCE):
                queues.cancel_tasks(run, waiting[start : start + CANCELLED_AT_ONCE])


@contextmanager
def open_recorded_runs(folder: Path) -> Iterator[RecordedRuns]:
    database = open_database(folder / DATABASE)
    try:
        with named_errors(database):
            create_tables(database)
        yield RecordedRuns(database, Leases(folder / EXECUTORS))
    finally:
        database.dispose()
