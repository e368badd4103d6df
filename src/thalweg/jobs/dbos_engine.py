"""The engine on DBOS: a run and each of its tasks are workflows, our own record says how they end.

DBOS queues, hands out and recovers the work. The record (`records.py`, in the same database) holds
plans and outcomes: a workflow that runs twice finds there what it did before, and waiting for two
thousand tasks is one query instead of two thousand steps.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer

from thalweg.errors import EngineOpen, JobError, ThalwegError
from thalweg.jobs.admission import Admission
from thalweg.jobs.database import named_errors, open_database
from thalweg.jobs.interruption import Interrupted
from thalweg.jobs.leases import Leases
from thalweg.jobs.queues import (
    APPLICATION,
    RUN,
    RUN_QUEUE,
    TASK,
    TASK_QUEUE,
    VERSION,
    Queues,
    quiet_dbos,
)
from thalweg.jobs.recorded_runs import DATABASE, EXECUTORS, RecordedRuns
from thalweg.jobs.retries import Retries
from thalweg.jobs.schema import create_tables
from thalweg.jobs.status import RunStatus
from thalweg.jobs.tasks import Document, RunRequest, StagePlan, plans_from_json
from thalweg.jobs.workers import WorkerPool

RUN_POLL = 0.2
TASK_POLL = 0.2
STAGE_POLL = 0.2
TAKEOVER_POLL = 2.0
PLANNING_TIMEOUT = 3600.0
ENQUEUED_AT_ONCE = 250
CLOSING_TIMEOUT = 10.0

ONE_IN_A_PROCESS = threading.Lock()


class DbosEngine(RecordedRuns):
    """See `thalweg.jobs.engine.Engine`. DBOS allows one in a process at a time."""

    def __init__(
        self,
        folder: Path,
        processors: int,
        memory: int,
        retries: Retries | None = None,
        pool: WorkerPool | None = None,
    ) -> None:
        if not ONE_IN_A_PROCESS.acquire(blocking=False):
            raise EngineOpen
        database, leases = open_database(folder / DATABASE), Leases(folder / EXECUTORS)
        super().__init__(database, leases)
        self._retries = retries or Retries()
        self._admission = Admission(memory, processors)
        self._pool = pool or WorkerPool()
        self._closing = threading.Event()
        self._workflows_under_way = 0
        self._workflow_ended = threading.Condition()
        self._run_ended = threading.Condition()
        self._fault: ThalwegError | None = None
        self._lease = leases.take_first_free()
        self._watch = threading.Thread(target=self._watch_leases, name="thalweg-leases")
        self._queues = Queues(database)
        try:
            with named_errors(database):
                create_tables(database)
            self._launch_dbos()
        except BaseException:
            self.close()
            raise
        self._watch.start()

    # The port ------------------------------------------------------------------------------

    def submit(self, request: RunRequest) -> str:
        with named_errors(self._database), self._database.begin() as connection:
            run, is_new = self._records.open_run(connection, request)
            if is_new:
                self._queues.enqueue_run(connection, run)
        return run

    def wait(
        self,
        run: str,
        on_progress: Callable[[RunStatus], None] | None = None,
        interval: float = 0.2,
    ) -> RunStatus:
        began = time.monotonic()
        while True:
            # Held from the look to the wait, so that no end between them is missed.
            with self._run_ended:
                status = self.status(run)
                if on_progress is not None:
                    on_progress(status)
                if status.ended:
                    return status
                if self._fault is not None:
                    raise self._fault
                # Seldom in long runs, as each look costs a little; often in short ones.
                self._run_ended.wait(min(interval, 0.1 + (time.monotonic() - began) / 20))

    def workers(self) -> list[int]:
        """The process ids of the living workers."""
        return self._pool.processes()

    def close(self) -> None:
        """Leave what is unfinished to the next engine, and end all workers."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._admission.close()
        self._pool.close()
        if self._watch.is_alive():
            self._watch.join()
        with self._workflow_ended:
            self._workflow_ended.wait_for(lambda: not self._workflows_under_way, CLOSING_TIMEOUT)
        self._queues.close()
        DBOS.destroy(destroy_registry=True)
        self._database.dispose()
        self._lease.release()
        ONE_IN_A_PROCESS.release()

    # Workflows -----------------------------------------------------------------------------

    def _carry_out_run(self, run: str) -> None:
        request = self._records.start_run(run, self._lease.executor)
        if request is None:
            return
        for stage in request.stages:
            if not self._carry_out_stage(run, stage, request):
                return
        self._records.end_run(run, self._records.outcome_of_run(run))

    def _carry_out_stage(self, run: str, stage: str, request: RunRequest) -> bool:
        """Whether the run goes on after the stage."""
        if not self._records.is_planned(run, stage):
            try:
                plans = self._plan(stage, request)
            except ThalwegError as error:
                self._records.end_stage(run, stage, error.to_json())
                self._records.end_run(run, "failed")
                return False
            for planned, plan in plans.items():
                self._records.record_plan(run, planned, plan)
        self._enqueue_tasks(run, stage)
        while self._records.has_unfinished_tasks(run, stage):
            if not self._records.is_running(run):
                return False
            if self._closing.wait(STAGE_POLL):
                raise Interrupted
        self._records.end_stage(run, stage)
        return self._records.is_running(run)

    def _plan(self, stage: str, request: RunRequest) -> dict[str, StagePlan]:
        """The plan of the stage, and of those after it that are known with it."""

        def attempt() -> dict[str, StagePlan]:
            with self._admission.admit(0):
                arguments = [request.payload, stage]
                plans = self._pool.call(request.planner, arguments, PLANNING_TIMEOUT)
            following = request.stages[request.stages.index(stage) :]
            return dict(zip(following, plans_from_json(plans), strict=False))

        return self._retries.run(attempt, self._closing)

    def _enqueue_tasks(self, run: str, stage: str) -> None:
        """Enqueue what has no outcome; what a dead executor enqueued already stays as it is."""
        keys = self._records.unfinished_tasks(run, stage)
        for start in range(0, len(keys), ENQUEUED_AT_ONCE):
            with self._database.begin() as connection:
                for key in keys[start : start + ENQUEUED_AT_ONCE]:
                    self._queues.enqueue_task(connection, run, stage, key)

    def _carry_out_task(self, run: str, stage: str, key: str) -> None:
        task = self._records.task(run, stage, key)
        token: str | None = None

        def attempt() -> Document | None:
            nonlocal token
            with self._admission.admit(task.memory):
                token = self._records.claim_task(run, stage, key)
                if token is None:
                    return None
                result: Document = self._pool.call(
                    task.call, [{**task.payload, "run": run}], task.timeout
                )
                return result

        result, error = None, None
        try:
            result = self._retries.run(attempt, self._closing)
        except ThalwegError as failure:
            error = failure.to_json()
            token = token or self._records.claim_task(run, stage, key)
        if token is not None:
            self._records.finish_task(run, stage, key, token, result=result, error=error)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        """Hold the engine open; a fault of its own leaves the work pending and ends the wait."""
        with self._workflow_ended:
            self._workflows_under_way += 1
        try:
            if self._closing.is_set():
                raise Interrupted
            with named_errors(self._database):
                yield
        except Exception as error:
            self._fault = error if isinstance(error, ThalwegError) else JobError(repr(error))
            raise Interrupted from error
        finally:
            with self._workflow_ended:
                self._workflows_under_way -= 1
                self._workflow_ended.notify_all()

    # DBOS ----------------------------------------------------------------------------------

    def _launch_dbos(self) -> None:
        quiet_dbos()
        config: DBOSConfig = {
            "name": APPLICATION,
            "application_version": VERSION,
            "executor_id": self._lease.executor,
            # DBOS reads only the kind of database from the URL, and uses the engine.
            "system_database_url": str(self._database.url),
            "system_database_engine": self._database,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
            "enable_otlp": False,
            "notification_listener_polling_interval_sec": 0.25,
        }
        DBOS(config=config)

        @DBOS.workflow(name=RUN, max_recovery_attempts=None)
        def carry_out_run(run: str) -> None:
            try:
                with self._under_way():
                    self._carry_out_run(run)
            finally:
                with self._run_ended:
                    self._run_ended.notify_all()

        @DBOS.workflow(name=TASK, max_recovery_attempts=None)
        def carry_out_task(run: str, stage: str, key: str) -> None:
            with self._under_way():
                self._carry_out_task(run, stage, key)

        DBOS.launch()
        DBOS.register_queue(RUN_QUEUE, polling_interval_sec=RUN_POLL, on_conflict="always_update")
        # More than can run, so that short tasks need not wait for the next poll.
        DBOS.register_queue(
            TASK_QUEUE,
            worker_concurrency=6 * self._admission.processors + 8,
            polling_interval_sec=TASK_POLL,
            on_conflict="always_update",
        )

    def _watch_leases(self) -> None:
        while True:
            self._take_over_from_dead()
            if self._closing.wait(TAKEOVER_POLL):
                return

    def _take_over_from_dead(self) -> None:
        """Put back in their queues the pending workflows of executors whose process is gone."""
        for executor in self._leases.executors():
            if executor == self._lease.executor:
                continue
            lease = self._leases.take(executor)
            if lease is None:
                continue
            # Holding its lease keeps the executor from coming back, and others from doing the same.
            with lease:
                self._put_back(executor)

    def _put_back(self, executor: str) -> None:
        pending = DBOS.list_workflows(
            status="PENDING", executor_id=executor, load_input=False, load_output=False
        )
        by_queue: defaultdict[str | None, list[str]] = defaultdict(list)
        for workflow in pending:
            by_queue[workflow.queue_name].append(workflow.workflow_id)
        for queue, ids in by_queue.items():
            DBOS.resume_workflows(ids, queue_name=queue)
