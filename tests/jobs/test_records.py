"""The guarded statements, as two executors would meet in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from thalweg.jobs.database import open_database
from thalweg.jobs.history import History
from thalweg.jobs.records import Records
from thalweg.jobs.schema import create_tables
from thalweg.jobs.tasks import Missing, RunRequest, StagePlan, Task

REQUEST = RunRequest("name", "m:plan", {"x": 1}, ("a", "b"), "once", auxiliary=("a",))
TASK = Task("k", "label", "m:f", {"n": 1}, 10, 1.0, size=7)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(tmp_path / "jobs.db")
    create_tables(engine)
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def records(database: sa.Engine) -> Records:
    return Records(database)


@pytest.fixture
def history(database: sa.Engine) -> History:
    return History(database, is_alive=lambda executor: executor == "alive")


@pytest.fixture
def run(database: sa.Engine, records: Records) -> str:
    run, is_new = open_run(database, records)
    assert is_new
    assert records.start_run(run, "alive") == REQUEST
    records.record_plan(run, "a", StagePlan((TASK,)))
    return run


def open_run(database: sa.Engine, records: Records) -> tuple[str, bool]:
    with database.begin() as connection:
        return records.open_run(connection, REQUEST)


def test_an_unfinished_submission_is_attached_to(
    database: sa.Engine, records: Records, run: str
) -> None:
    assert open_run(database, records) == (run, False)
    records.end_run(run, "succeeded")
    other, is_new = open_run(database, records)
    assert is_new
    assert other != run


def test_the_first_plan_stands(records: Records, history: History, run: str) -> None:
    assert records.is_planned(run, "a")
    assert not records.is_planned(run, "b")
    records.record_plan(run, "a", StagePlan((Task("other", "", "m:f", {}, 1, 1.0),), already=9))
    assert records.unfinished_tasks(run, "a") == ["k"]
    assert history.status(run).stages[0].already == 0


def test_the_largest_tasks_come_first(records: Records, run: str) -> None:
    """A large one that started last would leave processors idle; the table's index has it last."""
    sized = [Task(key, "", "m:f", {}, 1, 1.0, size) for key, size in (("s", 1), ("l", 9), ("m", 5))]
    records.record_plan(run, "b", StagePlan(tuple(sized)))
    assert records.unfinished_tasks(run, "b") == ["l", "m", "s"]


def test_a_later_claim_takes_the_earlier_ones_right(records: Records, run: str) -> None:
    zombie = records.claim_task(run, "a", "k")
    successor = records.claim_task(run, "a", "k")
    assert zombie is not None
    assert successor is not None
    assert not records.finish_task(run, "a", "k", zombie, result={"by": "zombie"})
    assert records.finish_task(run, "a", "k", successor, result={"by": "successor"})
    assert not records.finish_task(run, "a", "k", successor, result={"by": "again"})


def test_what_is_done_cannot_be_claimed(records: Records, history: History, run: str) -> None:
    token = records.claim_task(run, "a", "k")
    assert token is not None
    records.finish_task(run, "a", "k", token, result={"by": "first"})
    assert records.claim_task(run, "a", "k") is None
    assert history.results(run, "a") == {"k": {"by": "first"}}


def test_a_cancelled_runs_task_cannot_be_claimed(
    records: Records, history: History, run: str
) -> None:
    records.claim_task(run, "a", "k")
    assert records.cancel_run(run) == []
    assert history.status(run).stages[0].running == 1
    assert records.claim_task(run, "a", "k") is None
    assert history.status(run).stages[0].running == 0


def test_cancelling_names_what_had_not_begun(records: Records, run: str) -> None:
    assert records.cancel_run(run) == [("a", "k")]
    assert records.cancel_run(run) == []
    assert records.start_run(run, "alive") is None


def test_an_ended_run_stays_as_it_ended(records: Records, history: History, run: str) -> None:
    records.cancel_run(run)
    records.end_run(run, "succeeded")
    assert history.status(run).state == "cancelled"


def test_a_dead_executors_run_waits(records: Records, history: History, run: str) -> None:
    assert history.status(run).state == "running"
    records.start_run(run, "dead")
    assert history.status(run).state == "queued"


def test_sizes_and_counts(records: Records, history: History, run: str) -> None:
    waiting = history.status(run).stages[0]
    assert (waiting.planned, waiting.size_total, waiting.size_done) == (1, 7, 0)
    token = records.claim_task(run, "a", "k")
    assert token is not None
    records.finish_task(run, "a", "k", token, result={})
    done = history.status(run).stages[0]
    assert (done.done, done.size_done) == (1, 7)
    assert records.outcome_of_run(run) == "succeeded"


def test_a_run_whose_making_stages_made_nothing_has_failed(records: Records, run: str) -> None:
    token = records.claim_task(run, "a", "k")
    assert token is not None
    records.finish_task(run, "a", "k", token, result={})
    lost = StagePlan((Task("l", "", "m:f", {}, 1, 1.0),), missing=(Missing("m", "no file"),))
    records.record_plan(run, "b", lost)
    token = records.claim_task(run, "b", "l")
    assert token is not None
    records.finish_task(run, "b", "l", token, error={"code": "WrongCrs"})
    assert records.outcome_of_run(run) == "failed"


def test_a_request_of_an_earlier_version_is_read() -> None:
    document = REQUEST.to_json()
    del document["auxiliary"]
    assert RunRequest.from_json(document).auxiliary == ()


def test_runs_are_newest_first_and_limited(
    database: sa.Engine, records: Records, history: History
) -> None:
    ids = []
    for _ in range(3):
        run, _ = open_run(database, records)
        records.end_run(run, "succeeded")
        ids.append(run)
    assert [status.id for status in history.runs(limit=2)] == [ids[2], ids[1]]
