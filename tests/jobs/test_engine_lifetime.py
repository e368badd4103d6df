"""Opening, sharing out, cancelling and closing: each test has an engine of its own."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from dbos import DBOS
from jobs_workload import OpenEngine, read, request, run, task, times_run, wait_for

from thalweg.errors import EngineOpen, JobError
from thalweg.jobs.database import open_database
from thalweg.jobs.dbos_engine import DbosEngine
from thalweg.jobs.recorded_runs import open_recorded_runs


def most_at_once(journal: Path, weight: dict[str, int]) -> int:
    """The largest total weight of tasks that ran at one time."""
    changes = [(event["time"], weight[event["key"]]) for event in read(journal, "start")]
    changes += [(event["time"], -weight[event["key"]]) for event in read(journal, "stop")]
    running, most = 0, 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    return most


def test_declared_memory_is_never_exceeded(open_engine: OpenEngine, journal: Path) -> None:
    memory = {f"a-{n}": 100 + 83 * (n % 6) for n in range(12)}
    tasks = [task("work", key, journal, memory=m, seconds=0.25) for key, m in memory.items()]
    assert run(open_engine(workers=8, memory=1000), request(tasks)).state == "succeeded"
    assert 515 < most_at_once(journal, memory) <= 1000


def test_no_more_tasks_run_than_processors(open_engine: OpenEngine, journal: Path) -> None:
    tasks = [task("work", f"a-{n}", journal, seconds=0.25) for n in range(9)]
    assert run(open_engine(workers=3), request(tasks)).state == "succeeded"
    assert most_at_once(journal, {t.key: 1 for t in tasks}) == 3


def test_after_a_cancel_nothing_new_starts(open_engine: OpenEngine, journal: Path) -> None:
    tasks = [task("work", f"a-{n:02}", journal, seconds=0.2) for n in range(30)]
    engine = open_engine(workers=1)
    started = engine.submit(request(tasks, [task("work", "b", journal)]))
    wait_for(journal, "start", 2)
    engine.cancel(started)
    status = engine.wait(started)
    assert status.state == "cancelled"
    time.sleep(0.5)
    begun = len(read(journal, "start"))
    assert begun <= 3
    assert engine.status(started).stages[0].running == 0
    assert engine.status(started).stages[1].state == "cancelled"
    after = run(engine, request([task("work", "next", journal)], submission="other"))
    assert after.state == "succeeded"
    assert len(read(journal, "start")) == begun + 1


def test_closing_leaves_the_work_to_the_next_engine(open_engine: OpenEngine, journal: Path) -> None:
    tasks = [task("work", f"a-{n:02}", journal, seconds=0.1) for n in range(12)]
    submitted = request(tasks)
    first = open_engine(workers=2)
    started = first.submit(submitted)
    wait_for(journal, "stop", 3)
    workers = first.workers()
    begun = time.monotonic()
    first.close()
    assert time.monotonic() - begun < 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)

    recorded = {event["key"] for event in read(journal, "stop")}
    second = open_engine(workers=2)
    assert second.submit(submitted) == started
    status = second.wait(started)
    assert (status.state, status.stages[0].done) == ("succeeded", 12)
    # Of those that noted their stop, two may have been cut off before their answer was recorded.
    again = [key for key in recorded if times_run(journal)[key] > 1]
    assert len(again) <= 2


def test_an_engine_that_cannot_open_leaves_the_way_free(
    open_engine: OpenEngine, tmp_path: Path
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "jobs.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(JobError, match="not a database"):
        DbosEngine(tmp_path / "bad", 1, 1)
    assert run(open_engine(), request([])).state == "succeeded"


def test_a_fresh_folder_needs_no_preparation(tmp_path: Path, journal: Path) -> None:
    engine = DbosEngine(tmp_path / "new" / "jobs", 2, 1000)
    try:
        assert run(engine, request([task("work", "a", journal)])).state == "succeeded"
    finally:
        engine.close()


def test_a_second_engine_in_one_process_is_refused(open_engine: OpenEngine, tmp_path: Path) -> None:
    open_engine()
    with pytest.raises(EngineOpen):
        DbosEngine(tmp_path / "other", 1, 1)


def test_a_run_is_cancelled_through_the_record(
    open_engine: OpenEngine, folder: Path, journal: Path
) -> None:
    tasks = [task("work", f"a-{n:02}", journal, seconds=0.1) for n in range(40)]
    engine = open_engine()
    started = engine.submit(request(tasks))
    wait_for(journal, "start", 2)
    with open_recorded_runs(folder) as runs:
        assert runs.status(started).state == "running"
        runs.cancel(started)
    assert engine.wait(started).state == "cancelled"
    assert DBOS.list_workflows(status="ENQUEUED") == []
    time.sleep(0.3)
    assert len(read(journal, "start")) < 20


def test_a_run_cancelled_between_engines_leaves_nothing_running(
    open_engine: OpenEngine, folder: Path, journal: Path
) -> None:
    tasks = [task("work", f"a-{n}", journal, seconds=0.3) for n in range(8)]
    first = open_engine()
    started = first.submit(request(tasks))
    wait_for(journal, "start", 2)
    first.close()
    begun = len(read(journal, "start"))
    with open_recorded_runs(folder) as runs:
        assert runs.status(started).state == "queued"
        assert runs.status(started).stages[0].running > 0
        runs.cancel(started)
    second = open_engine()
    assert run(second, request([task("work", "b", journal)], submission="other")).ended
    assert second.status(started).stages[0].running == 0
    assert len(read(journal, "start")) == begun + 1


def test_a_record_that_cannot_be_used_ends_the_wait_and_mended_goes_on(
    open_engine: OpenEngine, folder: Path, journal: Path
) -> None:
    engine = open_engine()
    started = engine.submit(request([task("work", "a", journal, seconds=0.3)]))
    wait_for(journal, "start")
    other = open_database(folder / "jobs.db")
    with other.begin() as connection:
        connection.execute(sa.text("ALTER TABLE tasks RENAME COLUMN result TO outcome"))
    with pytest.raises(JobError, match="no such column: result"):
        engine.wait(started)
    engine.close()
    with other.begin() as connection:
        connection.execute(sa.text("ALTER TABLE tasks RENAME COLUMN outcome TO result"))
    other.dispose()
    assert open_engine().wait(started).state == "succeeded"
