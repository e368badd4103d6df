"""The two DBOS queues, of runs and of tasks, as seen from any process, executor or not."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from dbos import DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions

APPLICATION = "thalweg"
# DBOS strands queued work of another version: ours changes when old work could not be carried on.
VERSION = "1"
RUN, TASK = "run", "task"
RUN_QUEUE, TASK_QUEUE = "thalweg-runs", "thalweg-tasks"


def quiet_dbos() -> None:
    """Keep DBOS from printing: with a handler of ours it adds none of its own."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


class Queues:
    """Puts work in and takes it out, by an SQLAlchemy engine on the system database."""

    def __init__(self, database: sa.Engine) -> None:
        quiet_dbos()
        self._client = DBOSClient(
            system_database_engine=database,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            lazy=True,
        )

    def enqueue_run(self, connection: sa.Connection, run: str) -> None:
        self._client.enqueue_in_transaction(connection, _options(RUN, RUN_QUEUE, run), run)

    def enqueue_task(self, connection: sa.Connection, run: str, stage: str, key: str) -> None:
        """Nothing happens where the task has been enqueued before."""
        options = _options(TASK, TASK_QUEUE, task_id(run, stage, key))
        self._client.enqueue_in_transaction(connection, options, run, stage, key)

    def cancel_tasks(self, run: str, tasks: Sequence[tuple[str, str]]) -> None:
        """Take tasks, as (stage, key), out of the queue."""
        self._client.cancel_workflows([task_id(run, stage, key) for stage, key in tasks])

    def close(self) -> None:
        self._client.destroy()


@contextmanager
def open_queues(database: sa.Engine) -> Iterator[Queues]:
    queues = Queues(database)
    try:
        yield queues
    finally:
        queues.close()


def task_id(run: str, stage: str, key: str) -> str:
    return f"{run}/{stage}/{key}"


def _options(workflow: str, queue: str, workflow_id: str) -> EnqueueOptions:
    return {
        "workflow_name": workflow,
        "queue_name": queue,
        "workflow_id": workflow_id,
        "app_version": VERSION,
    }
