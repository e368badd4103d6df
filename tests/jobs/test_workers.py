from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from thalweg.errors import TaskTimedOut, UndeclaredValue, UnexpectedError, WorkerCrashed
from thalweg.jobs.interruption import Interrupted
from thalweg.jobs.workers import ONE_THREAD, WorkerPool


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool()
    yield pool
    pool.close()


def call(pool: WorkerPool, name: str, journal: Path, timeout: float = 30.0, **payload: Any) -> Any:
    arguments = [{"key": "k", "journal": str(journal), **payload}]
    return pool.call(f"jobs_workload:{name}", arguments, timeout)


def test_calls_go_to_one_worker_that_stays(pool: WorkerPool, journal: Path) -> None:
    for _ in range(3):
        assert call(pool, "work", journal) == {"made": "k"}
        (worker,) = pool.processes()
    assert f'"worker": {worker}' in journal.read_text().splitlines()[0]


def test_a_worker_started_early_does_the_first_call(journal: Path) -> None:
    pool = WorkerPool(preload=("colorsys",))
    try:
        pool.start_one()
        (worker,) = pool.processes()
        assert pool.call("jobs_workload:is_imported", ["colorsys"], 30.0)
        assert pool.processes() == [worker]
    finally:
        pool.close()


def test_an_error_crosses_with_its_place_and_hint(pool: WorkerPool, journal: Path) -> None:
    with pytest.raises(UndeclaredValue) as caught:
        call(pool, "undeclared", journal)
    assert (caught.value.where, caught.value.hint) == ("tile.tif", "declare it")


def test_an_unforeseen_error_shows_where_it_arose(pool: WorkerPool, journal: Path) -> None:
    with pytest.raises(UnexpectedError, match="ZeroDivisionError") as caught:
        call(pool, "surprise", journal)
    assert 'return {"ratio": 1 /' in caught.value.message


@pytest.mark.parametrize(
    ("name", "words"),
    [("leave", "SystemExit"), ("unserializable", "not JSON serializable"), ("nil", "nil")],
)
def test_other_faults_are_errors_not_crashes(
    pool: WorkerPool, journal: Path, name: str, words: str
) -> None:
    with pytest.raises(UnexpectedError, match=words):
        call(pool, name, journal)
    assert call(pool, "work", journal) == {"made": "k"}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGSEGV, "died of SIGSEGV: Fatal Python error: Segmentation fault"),
        (signal.SIGKILL, "died of SIGKILL"),
        (signal.SIGABRT, "died of SIGABRT"),
    ],
)
def test_a_crash_is_named_and_the_next_call_gets_a_new_worker(
    pool: WorkerPool, journal: Path, number: signal.Signals, words: str
) -> None:
    with pytest.raises(WorkerCrashed, match=words):
        call(pool, "die", journal, signal=int(number))
    assert call(pool, "work", journal) == {"made": "k"}


def test_a_worker_past_its_time_is_gone(pool: WorkerPool, journal: Path) -> None:
    call(pool, "work", journal)
    (worker,) = pool.processes()
    with pytest.raises(TaskTimedOut, match=r"0\.2 s"):
        call(pool, "work", journal, timeout=0.2, seconds=60)
    assert not Path(f"/proc/{worker}").exists()


def test_a_stopped_worker_is_ended_at_its_deadline(pool: WorkerPool, journal: Path) -> None:
    with pytest.raises(TaskTimedOut):
        call(pool, "die", journal, timeout=0.5, signal=int(signal.SIGSTOP))
    assert pool.processes() == []


def test_a_worker_that_keeps_too_much_memory_is_replaced(journal: Path) -> None:
    pool = WorkerPool(recycle_above=200 * 2**20)
    try:
        small = call(pool, "grow", journal, bytes=2**20)
        same = call(pool, "grow", journal, bytes=2**28)
        fresh = call(pool, "grow", journal, bytes=2**20)
    finally:
        pool.close()
    assert small["worker"] == same["worker"] != fresh["worker"]


def test_libraries_keep_to_one_thread(pool: WorkerPool, journal: Path) -> None:
    assert call(pool, "environment", journal, names=list(ONE_THREAD)) == dict(ONE_THREAD)
    assert ONE_THREAD["GDAL_NUM_THREADS"] == ONE_THREAD["NUMBA_NUM_THREADS"] == "1"


def test_a_worker_ignores_interrupts(pool: WorkerPool, journal: Path) -> None:
    assert call(pool, "ignores_interrupt", journal) == {"alive": True}


def test_closing_interrupts_calls_and_ends_workers(pool: WorkerPool, journal: Path) -> None:
    call(pool, "work", journal)
    outcome: list[BaseException] = []

    def wait() -> None:
        try:
            call(pool, "work", journal, seconds=60)
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.1)
    workers = pool.processes()
    pool.close()
    thread.join(timeout=5)
    assert isinstance(outcome[0], Interrupted)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    with pytest.raises(Interrupted):
        call(pool, "work", journal)


def test_a_worker_outlives_the_thread_that_first_called_it(pool: WorkerPool, journal: Path) -> None:
    thread = threading.Thread(target=call, args=[pool, "work", journal])
    thread.start()
    thread.join()
    (worker,) = pool.processes()
    time.sleep(0.1)
    assert call(pool, "work", journal) == {"made": "k"}
    assert pool.processes() == [worker]
    os.kill(worker, 0)


def test_the_current_folder_does_not_shadow_the_workers_imports(
    pool: WorkerPool, journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "psutil.py").write_text("raise RuntimeError('not this one')")
    monkeypatch.chdir(tmp_path)
    assert call(pool, "work", journal) == {"made": "k"}
