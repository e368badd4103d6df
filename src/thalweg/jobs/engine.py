"""The port: what the rest of Thalweg knows of the durable engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from thalweg.jobs.status import RunStatus
from thalweg.jobs.tasks import Document, RunRequest


class Runs(Protocol):
    """What has been run, and what runs now."""

    def status(self, run: str) -> RunStatus:
        """The run as it stands; `RunNotFound` for an unknown id. Cheap enough to poll."""

    def runs(self, limit: int = 50) -> list[RunStatus]:
        """The latest runs, newest first."""

    def results(self, run: str, stage: str) -> dict[str, Document]:
        """What the finished tasks of a stage returned, by task key."""

    def cancel(self, run: str) -> None:
        """End the run: nothing new starts, tasks under way may finish. No-op where it ended."""


class Engine(Runs, Protocol):
    """Runs what is submitted, durably: a run survives the death of any process."""

    def submit(self, request: RunRequest) -> str:
        """The id of a new run, or of the unfinished run of the same submission."""

    def wait(
        self,
        run: str,
        on_progress: Callable[[RunStatus], None] | None = None,
        interval: float = 0.2,
    ) -> RunStatus:
        """The run's last status, once it ended.

        `on_progress` is called often at first, then every `interval` seconds, and at the end.
        """

    def workers(self) -> list[int]:
        """The process ids of the living workers."""

    def close(self) -> None:
        """Leave what is unfinished to the next engine, and end all workers."""


@contextmanager
def open_engine(
    folder: Path,
    *,
    workers: int | None = None,
    memory: int | None = None,
    preload: Sequence[str] = (),
) -> Iterator[Engine]:
    """The engine on the record in `folder`, with as much of the machine as it may have.

    `workers` is the number of tasks at once, `memory` the bytes that they may declare together.
    Workers import the modules in `preload` as they start, the first while the engine does. A
    process opens one engine at a time; several processes may share a folder, and its work. On
    leaving, unfinished work is left to whoever opens the folder next.
    """
    from thalweg.jobs.workers import WorkerPool

    pool = WorkerPool(preload=preload)
    pool.start_one()
    try:
        from thalweg.jobs.dbos_engine import DbosEngine
        from thalweg.jobs.machine import memory_limit, processors

        engine = DbosEngine(folder, workers or processors(), memory or memory_limit(), pool=pool)
        try:
            yield engine
        finally:
            engine.close()
    finally:
        pool.close()


@contextmanager
def open_runs(folder: Path) -> Iterator[Runs]:
    """The record in `folder`, to read and to cancel, without starting an engine."""
    from thalweg.jobs.recorded_runs import open_recorded_runs

    with open_recorded_runs(folder) as runs:
        yield runs
