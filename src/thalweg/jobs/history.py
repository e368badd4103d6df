"""Reading the record: the state of one run or of the latest, cheap enough to poll."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa

from thalweg.errors import RunNotFound
from thalweg.jobs.schema import runs, stages, tasks
from thalweg.jobs.status import ENDED, Failure, RunStatus, StageStatus, State, outcome
from thalweg.jobs.tasks import Document, Missing, RunRequest

type Counts = dict[str, tuple[int, int]]
"""Number and total size of tasks, by their state."""


class History:
    """What the record says. `is_alive` tells whether an executor's process still lives."""

    def __init__(self, engine: sa.Engine, is_alive: Callable[[str], bool]) -> None:
        self._engine = engine
        self._is_alive = is_alive

    def status(self, run: str) -> RunStatus:
        """The run as it stands; `RunNotFound` where no such run is recorded."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(runs).where(runs.c.id == run)).one_or_none()
            if row is None:
                raise RunNotFound(f"no run {run!r} is recorded", hint="see `thalweg runs list`")
            return self._status(connection, row)

    def runs(self, limit: int = 50) -> list[RunStatus]:
        """The latest runs, newest first."""
        latest = sa.select(runs).order_by(runs.c.created.desc(), runs.c.id.desc()).limit(limit)
        with self._engine.connect() as connection:
            return [self._status(connection, row) for row in connection.execute(latest).all()]

    def results(self, run: str, stage: str) -> dict[str, Document]:
        """What the stage's finished tasks returned, by task key."""
        done = sa.select(tasks.c.key, tasks.c.result).where(
            tasks.c.run == run, tasks.c.stage == stage, tasks.c.state == "done"
        )
        with self._engine.connect() as connection:
            return {row.key: row.result for row in connection.execute(done)}

    def _status(self, connection: sa.Connection, row: sa.Row[Any]) -> RunStatus:
        state = self._living_state(row)
        planned = connection.execute(
            sa.select(stages).where(stages.c.run == row.id).order_by(stages.c.position)
        ).all()
        counts = _counts(connection, row.id)
        return RunStatus(
            id=row.id,
            name=row.request["name"],
            state=state,
            submission=row.submission,
            request=RunRequest.from_json(row.request),
            stages=tuple(_stage(stage, state, counts.get(stage.name, {})) for stage in planned),
            failures=(*_planning_failures(planned), *_task_failures(connection, row.id)),
            missing=tuple(
                (stage.name, Missing.from_json(lost)) for stage in planned for lost in stage.missing
            ),
            # Runs under way are looked at often.
            warnings=tuple(_warnings(connection, row.id)) if state in ENDED else (),
            started=_time(row.started),
            finished=_time(row.finished),
        )

    def _living_state(self, row: sa.Row[Any]) -> State:
        """A run whose executor died waits for the next one."""
        if row.state == "running" and not self._is_alive(row.executor):
            return "queued"
        return cast(State, row.state)


def _counts(connection: sa.Connection, run: str) -> dict[str, Counts]:
    query = (
        sa.select(tasks.c.stage, tasks.c.state, sa.func.count(), sa.func.sum(tasks.c.size))
        .where(tasks.c.run == run)
        .group_by(tasks.c.state, tasks.c.stage)
    )
    found: dict[str, Counts] = {}
    for stage, state, number, size in connection.execute(query):
        found.setdefault(stage, {})[state] = (number, size)
    return found


def _stage(row: sa.Row[Any], run_state: State, counts: Counts) -> StageStatus:
    done, size_done = counts.get("done", (0, 0))
    failed, _ = counts.get("failed", (0, 0))
    lost = failed + len(row.missing) + (1 if row.error else 0)
    if row.state in ("ended", "failed"):
        state = outcome(done + row.already, lost)
    else:
        state = run_state if run_state in ENDED else row.state
    return StageStatus(
        name=row.name,
        state=state,
        planned=sum(number for number, _ in counts.values()),
        already=row.already,
        done=done,
        failed=failed,
        running=counts.get("running", (0, 0))[0],
        missing=len(row.missing),
        size_done=size_done,
        size_total=sum(size for _, size in counts.values()),
    )


def _planning_failures(planned: Sequence[sa.Row[Any]]) -> list[Failure]:
    return [
        Failure(stage.name, "", f"planning of {stage.name}", stage.error)
        for stage in planned
        if stage.error
    ]


def _task_failures(connection: sa.Connection, run: str) -> list[Failure]:
    failed = (
        sa.select(tasks.c.stage, tasks.c.key, tasks.c.task["label"].as_string(), tasks.c.error)
        .where(tasks.c.run == run, tasks.c.state == "failed")
        .order_by(tasks.c.finished)
    )
    return [Failure(*row) for row in connection.execute(failed)]


def _warnings(connection: sa.Connection, run: str) -> Iterator[tuple[str, str]]:
    said = tasks.c.result["warnings"]
    warned = (
        sa.select(tasks.c.task["label"].as_string(), said)
        .where(tasks.c.run == run, tasks.c.state == "done", said.as_string().is_not(None))
        .order_by(tasks.c.finished)
    )
    return ((label, one) for label, every in connection.execute(warned) for one in every)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
