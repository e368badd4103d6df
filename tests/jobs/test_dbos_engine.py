from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from jobs_workload import QUICK, read, request, run, task, times_run

from thalweg.errors import RunNotFound
from thalweg.jobs.dbos_engine import DbosEngine
from thalweg.jobs.status import RunStatus
from thalweg.jobs.tasks import Missing, RunRequest, StagePlan


@pytest.fixture(scope="module")
def engine(used_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DbosEngine]:
    """One engine for all: no test here closes or breaks it."""
    folder = shutil.copytree(used_folder, tmp_path_factory.mktemp("engine") / "jobs")
    engine = DbosEngine(folder, 2, 1000, QUICK)
    yield engine
    engine.close()


def error_of(status: RunStatus, key: str) -> dict[str, object]:
    return next(failure.error for failure in status.failures if failure.key == key)


# How a run ends --------------------------------------------------------------------------------


def test_a_run_of_which_everything_is_made_succeeds(engine: DbosEngine, journal: Path) -> None:
    status = run(
        engine,
        request([task("work", f"a-{n}", journal) for n in range(20)], [task("work", "b", journal)]),
    )
    assert status.state == "succeeded"
    assert [(s.name, s.state, s.planned, s.done) for s in status.stages] == [
        ("a", "succeeded", 20, 20),
        ("b", "succeeded", 1, 1),
    ]
    assert set(times_run(journal).values()) == {1}
    assert engine.results(status.id, "b") == {"b": {"made": "b"}}
    assert status.started is not None
    assert status.finished is not None
    assert status.started <= status.finished


def test_the_warnings_of_its_tasks_are_told_with_a_run(engine: DbosEngine, journal: Path) -> None:
    status = run(engine, request([task("warn", "a", journal), task("work", "b", journal)]))
    assert status.warnings == (
        ("label of a", "the first warning"),
        ("label of a", "the second warning"),
    )
    assert status.to_json()["warnings"][1] == {
        "task": "label of a",
        "warning": "the second warning",
    }
    assert engine.results(status.id, "a")["b"] == {"made": "b"}


def test_an_empty_plan_ends_at_once(engine: DbosEngine) -> None:
    assert run(engine, request([], [])).state == "succeeded"


def test_a_run_without_stages_ends_at_once(engine: DbosEngine) -> None:
    assert run(engine, request()).state == "succeeded"


def test_a_failed_task_is_named_and_the_rest_goes_on(engine: DbosEngine, journal: Path) -> None:
    bad = task("undeclared", "bad", journal)
    status = run(engine, request([bad, *(task("work", f"a-{n}", journal) for n in range(5))]))
    assert status.state == "partial"
    assert (status.stages[0].done, status.stages[0].failed) == (5, 1)
    (failure,) = status.failures
    assert (failure.stage, failure.key, failure.label) == ("a", "bad", "label of bad")
    assert str(failure.to_error()) == "tile.tif: -32767 at row 3 (declare it)"
    assert times_run(journal)["bad"] == 1


def test_what_is_missing_makes_a_run_partial(engine: DbosEngine, journal: Path) -> None:
    lost = Missing("rwa-2050", "1in50 is missing", "ask for it")
    status = run(engine, request([task("work", "a", journal)], missing=(lost,)))
    assert status.state == "partial"
    assert status.missing == (("a", lost),)
    assert status.stages[0].missing == 1


def test_a_run_of_which_nothing_is_made_fails(engine: DbosEngine, journal: Path) -> None:
    assert run(engine, request([task("undeclared", "bad", journal)])).state == "failed"


def test_what_was_there_already_saves_a_run_from_failing(engine: DbosEngine, journal: Path) -> None:
    status = run(engine, request([task("undeclared", "bad", journal)], already=3))
    assert status.state == "partial"
    assert status.stages[0].already == 3


@pytest.mark.parametrize(
    ("planner", "code"),
    [
        ("plan_nothing_there", "EmptySource"),
        ("plan_crash", "WorkerCrashed"),
        ("plan_nonsense", "InvalidPlan"),
        ("no_such_function", "UnexpectedError"),
    ],
)
def test_a_planner_error_fails_the_run(engine: DbosEngine, planner: str, code: str) -> None:
    status = run(engine, RunRequest("w", f"jobs_workload:{planner}", {}, ("a", "b"), planner))
    assert status.state == "failed"
    assert [stage.state for stage in status.stages] == ["failed", "failed"]
    (failure,) = status.failures
    assert (failure.stage, failure.key, failure.error["code"]) == ("a", "", code)


def test_a_plan_with_a_doubled_key_fails_the_run(engine: DbosEngine, journal: Path) -> None:
    twice = [task("work", "same", journal).to_json()] * 2
    payload = {"a": {"tasks": twice, "already": 0, "missing": []}}
    status = run(engine, RunRequest("w", "jobs_workload:plan", payload, ("a",), "once"))
    assert status.state == "failed"
    assert status.failures[0].error["code"] == "InvalidPlan"


def test_a_stage_is_planned_after_the_one_before_ended(engine: DbosEngine, journal: Path) -> None:
    payload = {"journal": str(journal), "number": 7}
    planner = "jobs_workload:plan_from_journal"
    status = run(engine, RunRequest("w", planner, payload, ("a", "b"), "once"))
    assert [stage.done for stage in status.stages] == [7, 7]


def test_stages_with_nothing_before_them_are_planned_together(
    engine: DbosEngine, journal: Path
) -> None:
    tasks = (task("work", "c-0", journal),)
    payload = {
        "journal": str(journal),
        "a": StagePlan(already=3).to_json(),
        "b": StagePlan(missing=(Missing("x", "it is not there"),)).to_json(),
        "c": StagePlan(tasks).to_json(),
    }
    planner = "jobs_workload:plan_all_at_once"
    status = run(engine, RunRequest("w", planner, payload, ("a", "b", "c"), "once"))
    assert [(stage.already, stage.done) for stage in status.stages] == [(3, 0), (0, 0), (0, 1)]
    assert [event["key"] for event in read(journal, "plan")] == ["a"]


def test_a_stage_planned_before_the_tasks_of_an_earlier_one_fails_the_run(
    engine: DbosEngine, journal: Path
) -> None:
    plan = StagePlan((task("work", "one", journal),)).to_json()
    payload = {"journal": str(journal), "a": plan, "b": plan, "c": plan}
    planner = "jobs_workload:plan_all_at_once"
    status = run(engine, RunRequest("w", planner, payload, ("a", "b", "c"), "once"))
    assert status.failures[0].error["code"] == "InvalidPlan"
    assert not times_run(journal)


# Errors and retries ----------------------------------------------------------------------------


def test_an_error_that_passes_is_tried_again(engine: DbosEngine, journal: Path) -> None:
    status = run(engine, request([task("unavailable", "flaky", journal, passes_at=3)]))
    assert status.state == "succeeded"
    assert times_run(journal) == {"flaky": 3}


@pytest.mark.parametrize(
    ("name", "code", "tries"),
    [
        ("undeclared", "UndeclaredValue", 1),
        ("surprise", "UnexpectedError", 1),
        ("fill_disk", "DiskFull", 1),
        ("starve", "ResourceUnavailable", 4),
    ],
)
def test_errors_have_names_and_only_passing_ones_are_retried(
    engine: DbosEngine, journal: Path, name: str, code: str, tries: int
) -> None:
    status = run(engine, request([task(name, "bad", journal)]))
    assert error_of(status, "bad")["code"] == code
    assert times_run(journal) == {"bad": tries}


def test_an_error_that_never_passes_is_given_up(engine: DbosEngine, journal: Path) -> None:
    status = run(engine, request([task("unavailable", "down", journal, passes_at=99)]))
    assert error_of(status, "down")["code"] == "StorageUnavailable"
    assert times_run(journal) == {"down": 4}


def test_a_crash_fails_its_task_only_and_is_tried_twice(engine: DbosEngine, journal: Path) -> None:
    crash = task("die", "crash", journal, signal=int(signal.SIGSEGV))
    others = [task("work", f"a-{n}", journal, seconds=0.02) for n in range(6)]
    status = run(engine, request([*others[:3], crash, *others[3:]]))
    assert status.state == "partial"
    assert status.stages[0].done == 6
    assert error_of(status, "crash")["code"] == "WorkerCrashed"
    assert "SIGSEGV" in str(error_of(status, "crash")["message"])
    assert times_run(journal)["crash"] == 2


def test_a_task_past_its_time_is_ended_and_not_repeated(engine: DbosEngine, journal: Path) -> None:
    slow = task("work", "slow", journal, seconds=60, timeout=1.0)
    status = run(engine, request([slow, task("work", "quick", journal)]))
    assert error_of(status, "slow")["code"] == "TaskTimedOut"
    assert "1 s" in str(error_of(status, "slow")["message"])
    assert status.stages[0].done == 1
    assert times_run(journal)["slow"] == 1


def test_a_task_that_asks_too_much_fails_by_name(engine: DbosEngine, journal: Path) -> None:
    huge = task("work", "huge", journal, memory=2**31)
    status = run(engine, request([huge, task("work", "small", journal)]))
    assert status.state == "partial"
    assert error_of(status, "huge")["code"] == "TaskOutOfMemory"
    assert "2048 MiB" in str(error_of(status, "huge")["message"])
    assert times_run(journal) == {"small": 1}


# Submitting and watching -----------------------------------------------------------------------


def test_the_same_submission_at_once_is_one_run(engine: DbosEngine, journal: Path) -> None:
    submitted = request([task("work", f"a-{n}", journal, seconds=0.05) for n in range(10)])
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(engine.submit(submitted))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert engine.wait(found[0]).state == "succeeded"
    assert set(times_run(journal).values()) == {1}


def test_a_submission_that_ended_runs_anew(engine: DbosEngine, journal: Path) -> None:
    first = run(engine, request([task("work", "a", journal)]))
    second = run(engine, request([task("work", "a", journal)]))
    assert first.id != second.id
    assert [status.id for status in engine.runs(2)] == [second.id, first.id]
    assert times_run(journal) == {"a": 2}


def test_two_runs_at_once_both_end(engine: DbosEngine, journal: Path) -> None:
    ids = [
        engine.submit(
            request(
                [task("work", f"{name}-{n}", journal, seconds=0.01) for n in range(15)],
                submission=name,
            )
        )
        for name in ("x", "y")
    ]
    assert [engine.wait(i).state for i in ids] == ["succeeded", "succeeded"]
    assert len(times_run(journal)) == 30


def test_cancelling_what_ended_changes_nothing(engine: DbosEngine, journal: Path) -> None:
    status = run(engine, request([task("work", "a", journal)]))
    engine.cancel(status.id)
    assert engine.status(status.id).state == "succeeded"


def test_an_unknown_run_is_named(engine: DbosEngine) -> None:
    with pytest.raises(RunNotFound, match="nonesuch"):
        engine.status("nonesuch")
    with pytest.raises(RunNotFound, match="nonesuch"):
        engine.cancel("nonesuch")


def test_progress_never_goes_back_and_ends_full(engine: DbosEngine, journal: Path) -> None:
    tasks = [task("work", f"a-{n}", journal, seconds=0.02) for n in range(20)]
    seen: list[RunStatus] = []
    engine.wait(engine.submit(request(tasks)), seen.append, interval=0.02)
    sizes = [status.stages[0].size_done for status in seen]
    assert all(before <= after for before, after in pairwise(sizes))
    assert sizes[-1] == seen[-1].stages[0].size_total == 20
    assert len(set(sizes)) > 3


def test_the_end_of_a_run_is_not_waited_for_longer_than_it_takes(
    engine: DbosEngine, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However seldom long runs are looked at: here a second counts as an hour."""
    began = time.monotonic()
    hurried = SimpleNamespace(monotonic=lambda: 3600 * time.monotonic())
    monkeypatch.setattr("thalweg.jobs.dbos_engine.time", hurried)
    tasks = [task("work", "a", journal, seconds=1.0)]
    assert engine.wait(engine.submit(request(tasks)), interval=60).state == "succeeded"
    assert time.monotonic() - began < 30


def test_a_workers_words_do_not_reach_the_terminal(
    engine: DbosEngine, journal: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(engine, request([task("chatter", "a", journal)])).state == "succeeded"
    assert capfd.readouterr() == ("", "")


def test_throughput_and_status_are_fast_enough(engine: DbosEngine, journal: Path) -> None:
    """60 tasks and 4 statuses a second are the least; a fifth of that proves no collapse."""
    tasks = [task("environment", f"a-{n}", journal, names=[]) for n in range(300)]
    begun = time.monotonic()
    status = run(engine, request(tasks))
    assert status.stages[0].done == 300
    assert 300 / (time.monotonic() - begun) > 12
    begun = time.monotonic()
    engine.status(status.id)
    assert time.monotonic() - begun < 0.25
