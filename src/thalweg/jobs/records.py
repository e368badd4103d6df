"""The record of runs, stages and tasks: every change of state is one guarded statement."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from thalweg.jobs.schema import runs, stages, tasks
from thalweg.jobs.status import State, Tally, outcome_of_run
from thalweg.jobs.tasks import Document, RunRequest, StagePlan, Task

UNFINISHED = ("queued", "running")


def new_run_id() -> str:
    """An id that sorts by time: `20260311-094512-7f3a`."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class Records:
    """What the engine writes. Each method is one transaction unless it takes a connection."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    # Runs ----------------------------------------------------------------------------------

    def open_run(self, connection: sa.Connection, request: RunRequest) -> tuple[str, bool]:
        """The id of the unfinished run of the request's submission, and whether it is new."""
        row = {
            "id": new_run_id(),
            "submission": request.submission,
            "request": request.to_json(),
            "state": "queued",
            "created": time.time(),
        }
        # The insert comes first: it takes the write lock, so two submissions cannot both look.
        connection.execute(insert(runs).values(row).on_conflict_do_nothing())
        unfinished = sa.select(runs.c.id).where(
            runs.c.submission == request.submission, runs.c.state.in_(UNFINISHED)
        )
        run = connection.execute(unfinished).scalar_one()
        if run != row["id"]:
            return run, False
        planned = [
            {"run": run, "name": name, "position": position, "state": "queued"}
            for position, name in enumerate(request.stages)
        ]
        if planned:
            connection.execute(sa.insert(stages), planned)
        return run, True

    def start_run(self, run: str, executor: str) -> RunRequest | None:
        """Mark the run as carried on by `executor`; None where it has ended already."""
        start = (
            sa.update(runs)
            .where(runs.c.id == run, runs.c.state.in_(UNFINISHED))
            .values(
                state="running",
                executor=executor,
                started=sa.func.coalesce(runs.c.started, time.time()),
            )
            .returning(runs.c.request)
        )
        with self._engine.begin() as connection:
            request = connection.execute(start).scalar()
        return RunRequest.from_json(request) if request else None

    def end_run(self, run: str, state: State) -> None:
        with self._engine.begin() as connection:
            self._end_run(connection, run, state)

    def cancel_run(self, run: str) -> list[tuple[str, str]]:
        """End the run and its waiting tasks; the (stage, key) of those that had not begun."""
        drop = (
            sa.update(tasks)
            .where(tasks.c.run == run, tasks.c.state == "queued")
            .values(state="cancelled")
            .returning(tasks.c.stage, tasks.c.key)
        )
        with self._engine.begin() as connection:
            if not self._end_run(connection, run, "cancelled"):
                return []
            return [(stage, key) for stage, key in connection.execute(drop)]

    def _end_run(self, connection: sa.Connection, run: str, state: State) -> bool:
        end = (
            sa.update(runs)
            .where(runs.c.id == run, runs.c.state.in_(UNFINISHED))
            .values(state=state, finished=time.time())
        )
        return connection.execute(end).rowcount == 1

    def is_running(self, run: str) -> bool:
        with self._engine.connect() as connection:
            state = connection.execute(sa.select(runs.c.state).where(runs.c.id == run)).scalar()
        return state == "running"

    def outcome_of_run(self, run: str) -> State:
        """How the run ends, by what its stages made and lost."""
        done, failed = (
            sa.func.count().filter(tasks.c.state == state) for state in ("done", "failed")
        )
        counts = (
            sa.select(stages.c.name, stages.c.already, stages.c.missing, done, failed)
            .join_from(stages, tasks, isouter=True)
            .where(stages.c.run == run)
            .group_by(stages.c.run, stages.c.name)
        )
        request = sa.select(runs.c.request).where(runs.c.id == run)
        with self._engine.connect() as connection:
            tallies = {
                name: Tally(already + made, len(missing) + lost)
                for name, already, missing, made, lost in connection.execute(counts)
            }
            auxiliary = RunRequest.from_json(connection.execute(request).scalar_one()).auxiliary
        return outcome_of_run(tallies, auxiliary)

    # Stages --------------------------------------------------------------------------------

    def is_planned(self, run: str, stage: str) -> bool:
        query = sa.select(stages.c.state).where(stages.c.run == run, stages.c.name == stage)
        with self._engine.connect() as connection:
            return bool(connection.execute(query).scalar_one() != "queued")

    def record_plan(self, run: str, stage: str, plan: StagePlan) -> None:
        """Record the stage's tasks, unless another executor recorded a plan first."""
        begin = (
            sa.update(stages)
            .where(stages.c.run == run, stages.c.name == stage, stages.c.state == "queued")
            .values(
                state="running",
                already=plan.already,
                missing=[missing.to_json() for missing in plan.missing],
            )
        )
        rows = [
            {
                "run": run,
                "stage": stage,
                "key": task.key,
                "task": task.to_json(),
                "size": task.size,
                "state": "queued",
            }
            for task in plan.tasks
        ]
        with self._engine.begin() as connection:
            if connection.execute(begin).rowcount and rows:
                connection.execute(sa.insert(tasks), rows)

    def end_stage(self, run: str, stage: str, error: Document | None = None) -> None:
        """Close a stage whose tasks all ended, or that could not be planned for `error`."""
        end = (
            sa.update(stages)
            .where(stages.c.run == run, stages.c.name == stage)
            .values(state="failed" if error else "ended", error=error)
        )
        with self._engine.begin() as connection:
            connection.execute(end)

    def unfinished_tasks(self, run: str, stage: str) -> Sequence[str]:
        """The keys of the stage's tasks that have no outcome yet, the largest first.

        A large task that started last would leave processors idle.
        """
        largest_first = tasks.c.size.desc(), tasks.c.key
        query = sa.select(tasks.c.key).where(self._unfinished(run, stage)).order_by(*largest_first)
        with self._engine.connect() as connection:
            return connection.execute(query).scalars().all()

    def has_unfinished_tasks(self, run: str, stage: str) -> bool:
        query = sa.select(sa.literal(1)).where(self._unfinished(run, stage)).limit(1)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar() is not None

    @staticmethod
    def _unfinished(run: str, stage: str) -> sa.ColumnElement[bool]:
        return sa.and_(tasks.c.run == run, tasks.c.stage == stage, tasks.c.state.in_(UNFINISHED))

    # Tasks ---------------------------------------------------------------------------------

    def task(self, run: str, stage: str, key: str) -> Task:
        query = sa.select(tasks.c.task).where(self._is_task(run, stage, key))
        with self._engine.connect() as connection:
            return Task.from_json(connection.execute(query).scalar_one())

    def claim_task(self, run: str, stage: str, key: str) -> str | None:
        """A token to record the task's outcome with; None where there is nothing to do.

        A later claim takes the earlier token's right away, so that an executor given up for dead
        cannot record over its successor.
        """
        token = secrets.token_hex(8)
        unfinished = sa.and_(self._is_task(run, stage, key), tasks.c.state.in_(UNFINISHED))
        run_goes_on = sa.exists().where(runs.c.id == run, runs.c.state == "running")
        claim = (
            sa.update(tasks)
            .where(unfinished, run_goes_on)
            .values(
                state="running", token=token, attempts=tasks.c.attempts + 1, started=time.time()
            )
        )
        drop = sa.update(tasks).where(unfinished, ~run_goes_on).values(state="cancelled")
        with self._engine.begin() as connection:
            if connection.execute(claim).rowcount:
                return token
            connection.execute(drop)
            return None

    def finish_task(
        self,
        run: str,
        stage: str,
        key: str,
        token: str,
        *,
        result: Document | None = None,
        error: Document | None = None,
    ) -> bool:
        """Record the outcome once; False where the claim was lost, and nothing is recorded."""
        finish = (
            sa.update(tasks)
            .where(
                self._is_task(run, stage, key),
                tasks.c.token == token,
                tasks.c.state == "running",
            )
            .values(
                state="failed" if error else "done",
                result=result,
                error=error,
                finished=time.time(),
            )
        )
        with self._engine.begin() as connection:
            return connection.execute(finish).rowcount == 1

    @staticmethod
    def _is_task(run: str, stage: str, key: str) -> sa.ColumnElement[bool]:
        return sa.and_(tasks.c.run == run, tasks.c.stage == stage, tasks.c.key == key)
