"""Kill, stop and interrupt real processes, and look at what is recorded afterwards."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from jobs_workload import read, request, task, times_run, wait_for

from thalweg.jobs.database import open_database, sqlite_driver
from thalweg.jobs.recorded_runs import open_recorded_runs
from thalweg.jobs.schema import tasks
from thalweg.jobs.tasks import RunRequest

HERE = Path(__file__).parent

type StartDriver = Callable[[RunRequest], subprocess.Popen[str]]


@pytest.fixture
def start_driver(folder: Path) -> Iterator[StartDriver]:
    """Starts processes that each run a request on `folder`; all are ended at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(submitted: RunRequest) -> subprocess.Popen[str]:
        driver = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                HERE / "jobs_driver.py",
                folder,
                json.dumps(submitted.to_json()),
            ],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(driver)
        return driver

    yield start
    for driver in started:
        driver.kill()
        driver.wait()
        driver.stdout.close()


def last_status(driver: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = driver.communicate(timeout=180)
    assert driver.returncode == 0
    return json.loads(output.splitlines()[-1])


def recorded(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Each task with an outcome, and all that is recorded of it."""
    engine = open_database(folder / "jobs.db")
    with engine.connect() as connection:
        rows = connection.execute(sa.select(tasks).where(tasks.c.state == "done")).all()
    engine.dispose()
    return {row.key: tuple(row) for row in rows}


def stop(driver: subprocess.Popen[str], folder: Path) -> None:
    """Stop a process, but not amid a write: its lock would stop all others with it."""
    database = sqlite_driver().connect(folder / "jobs.db", timeout=0.3, isolation_level=None)
    while True:
        driver.send_signal(signal.SIGSTOP)
        # Sent is not yet stopped: a thread could still begin to write.
        os.waitid(os.P_PID, driver.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite_driver().OperationalError:
            driver.send_signal(signal.SIGCONT)
            time.sleep(0.02)
        else:
            database.rollback()
            database.close()
            return


def no_process_left(journal: Path, seconds: float = 5.0) -> bool:
    """Whether every worker that ever wrote to the journal is gone."""
    workers = {event["worker"] for event in read(journal, "start")}
    deadline = time.monotonic() + seconds
    while any(is_running(pid) for pid in workers):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill_and_resume(start_driver: StartDriver, folder: Path, journal: Path, kills: int) -> None:
    """Kill the process `kills` times at random moments after its work began, then let it end."""
    chance = random.Random(kills)
    first, second = ([f"{stage}-{n:03}" for n in range(6 * kills)] for stage in "ab")
    keys = first + second
    submitted = request(
        [task("work", key, journal, seconds=0.05) for key in first],
        [task("work", key, journal, seconds=0.05) for key in second],
    )
    recorded_at_kill: list[tuple[dict[str, Any], dict[str, int]]] = []
    for _ in range(kills):
        begun = len(read(journal, "start"))
        driver = start_driver(submitted)
        wait_for(journal, "start", begun + 1)
        time.sleep(chance.uniform(0, 0.25))
        driver.kill()
        driver.wait()
        assert no_process_left(journal)
        recorded_at_kill.append((recorded(folder), times_run(journal)))
    assert last_status(start_driver(submitted))["state"] == "succeeded"
    after, ran = recorded(folder), times_run(journal)
    assert sorted(after) == keys
    for done, ran_before in recorded_at_kill:
        assert {key: after[key] for key in done} == done
        assert all(ran[key] == ran_before[key] for key in done)
    # Each kill can cut off the two tasks that ran; nothing else is done twice.
    assert sum(ran.values()) <= len(keys) + 2 * kills
    with open_recorded_runs(folder) as runs:
        (status,) = runs.runs()
    assert status.state == "succeeded"


def test_kill_at_random_moments_then_resume(
    start_driver: StartDriver, folder: Path, journal: Path
) -> None:
    kill_and_resume(start_driver, folder, journal, kills=1)


@pytest.mark.slow
def test_twenty_kills_then_resume(start_driver: StartDriver, folder: Path, journal: Path) -> None:
    kill_and_resume(start_driver, folder, journal, kills=20)


def test_a_worker_in_the_middle_of_a_task_dies_with_its_parent(
    start_driver: StartDriver, journal: Path
) -> None:
    driver = start_driver(request([task("work", "long", journal, seconds=60)]))
    wait_for(journal, "start")
    driver.kill()
    driver.wait()
    assert no_process_left(journal, seconds=1)


def test_two_processes_share_a_run_and_one_takes_over_from_the_dead_other(
    start_driver: StartDriver, folder: Path, journal: Path
) -> None:
    keys = [f"a-{number:02}" for number in range(50)]
    submitted = request([task("work", key, journal, seconds=0.1) for key in keys])
    first, second = start_driver(submitted), start_driver(submitted)
    while len({event["executor"] for event in read(journal, "start")}) < 2:
        time.sleep(0.02)
        assert first.poll() is None
        assert second.poll() is None
    first.kill()
    done = recorded(folder)
    status = last_status(second)
    assert status["state"] == "succeeded"
    assert status["stages"][0]["done"] == 50
    assert recorded(folder).items() >= done.items()
    twice = [key for key, times in times_run(journal).items() if times > 1]
    assert len(twice) <= 2
    with open_recorded_runs(folder) as runs:
        assert len(runs.runs()) == 1


def test_a_stopped_process_that_lost_its_lease_records_nothing_when_woken(
    start_driver: StartDriver, folder: Path, journal: Path
) -> None:
    keys = [f"a-{number:02}" for number in range(10)]
    submitted = request([task("work", key, journal, seconds=0.2) for key in keys])
    zombie = start_driver(submitted)
    wait_for(journal, "start", 3)
    stop(zombie, folder)
    # A lease is a lock and does not run out: lose it as a file system would.
    lease = folder / "executors" / "local-0.lock"
    (folder / "fresh").touch()
    (folder / "fresh").replace(lease)
    successor = start_driver(submitted)
    assert last_status(successor)["state"] == "succeeded"
    done = recorded(folder)
    assert sorted(done) == keys
    zombie.send_signal(signal.SIGCONT)
    assert last_status(zombie)["state"] == "succeeded"
    assert recorded(folder) == done


@pytest.mark.slow
def test_a_stopped_process_keeps_its_work_until_woken(
    start_driver: StartDriver, folder: Path, journal: Path
) -> None:
    keys = [f"a-{number:02}" for number in range(12)]
    submitted = request([task("work", key, journal, seconds=0.1) for key in keys])
    sleeper = start_driver(submitted)
    wait_for(journal, "start", 2)
    stop(sleeper, folder)
    other = start_driver(submitted)
    assert other.stdout.readline() == "ready\n"
    # Longer than the others look for dead owners.
    time.sleep(2.5)
    sleeper.send_signal(signal.SIGCONT)
    assert last_status(sleeper)["state"] == "succeeded"
    assert last_status(other)["state"] == "succeeded"
    assert times_run(journal) == dict.fromkeys(keys, 1)


def test_an_interrupt_ends_everything_and_records_no_failure(
    start_driver: StartDriver, folder: Path, journal: Path
) -> None:
    submitted = request([task("work", f"a-{n:02}", journal, seconds=0.1) for n in range(20)])
    driver = start_driver(submitted)
    wait_for(journal, "start", 2)
    # As a terminal does: the whole process group hears it, workers too.
    os.killpg(driver.pid, signal.SIGINT)
    assert driver.wait(timeout=5) != 0
    assert no_process_left(journal)
    with open_recorded_runs(folder) as runs:
        (status,) = runs.runs()
    assert status.state == "queued"
    assert not status.failures
    assert status.stages[0].failed == 0
