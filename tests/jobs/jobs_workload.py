"""Planner and tasks for the tests of the engine, run in real worker processes.

Every task notes its start and its stop in a journal, one JSON line each, so that a test can count
how often, when and where it ran.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thalweg.errors import EmptySource, StorageUnavailable, UndeclaredValue
from thalweg.jobs.retries import Retries
from thalweg.jobs.status import RunStatus
from thalweg.jobs.tasks import Missing, RunRequest, StagePlan, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    # Workers import this module too: they should not pay for DBOS.
    from thalweg.jobs.dbos_engine import DbosEngine

type OpenEngine = Callable[..., DbosEngine]

QUICK = Retries(first_delay=0.01, factor=1.0)


def task(name: str, key: str, journal: Path, *, memory: int = 1, timeout: float = 30.0, **payload):
    return Task(
        key=key,
        label=f"label of {key}",
        call=f"jobs_workload:{name}",
        payload={"key": key, "journal": str(journal), **payload},
        memory=memory,
        timeout=timeout,
    )


def request(
    *stages: list[Task],
    submission: str = "once",
    already: int = 0,
    missing: tuple[Missing, ...] = (),
) -> RunRequest:
    """A run of stages named a, b, c ... with the given tasks."""
    names = tuple("abcdefgh"[: len(stages)])
    plans = {
        name: StagePlan(tuple(tasks), already, missing).to_json()
        for name, tasks in zip(names, stages, strict=True)
    }
    return RunRequest("workload", "jobs_workload:plan", plans, names, submission)


def warn(payload: dict[str, Any]) -> dict[str, Any]:
    """Logs warnings, one of them twice; and one that is not ours."""
    for word in ("first", "second", "first"):
        logging.getLogger("thalweg.workload").warning("the %s warning", word)
    logging.getLogger("thalweg.workload").info("no warning")
    logging.getLogger("elsewhere").warning("not ours")
    return {"made": payload["key"]}


def plan(payload: dict[str, Any], stage: str) -> list[dict[str, Any]]:
    return [payload[stage]]


def plan_from_journal(payload: dict[str, Any], stage: str) -> list[dict[str, Any]]:
    """Stage b has one task for each that stage a finished."""
    journal = Path(payload["journal"])
    if stage == "a":
        keys = [f"a-{number}" for number in range(payload["number"])]
    else:
        keys = [event["key"].replace("a-", "b-") for event in read(journal, "stop")]
    return [StagePlan(tuple(task("work", key, journal) for key in keys)).to_json()]


def plan_all_at_once(payload: dict[str, Any], stage: str) -> list[dict[str, Any]]:
    """The stage asked for and those after it; notes when it is asked."""
    note({**payload, "key": stage}, "plan")
    return [payload[name] for name in "abc" if name >= stage]


def plan_nothing_there(payload: dict[str, Any], stage: str) -> dict[str, Any]:
    raise EmptySource("the folder is empty", where="s3://nowhere", hint="fill it")


def plan_crash(payload: dict[str, Any], stage: str) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return {}


def plan_nonsense(payload: dict[str, Any], stage: str) -> dict[str, Any]:
    return {"tasks": 3}


# Tasks -----------------------------------------------------------------------------------------


def is_imported(module: str) -> bool:
    return module in sys.modules


def note(payload: dict[str, Any], what: str) -> None:
    event = {
        "what": what,
        "key": payload["key"],
        "time": time.time(),
        "worker": os.getpid(),
        "executor": os.getppid(),
    }
    with Path(payload["journal"]).open("a") as journal:
        journal.write(json.dumps(event) + "\n")


def work(payload: dict[str, Any]) -> dict[str, Any]:
    note(payload, "start")
    time.sleep(payload.get("seconds", 0.0))
    note(payload, "stop")
    return {"made": payload["key"]}


def undeclared(payload: dict[str, Any]) -> dict[str, Any]:
    note(payload, "start")
    raise UndeclaredValue("-32767 at row 3", where="tile.tif", hint="declare it")


def surprise(payload: dict[str, Any]) -> dict[str, Any]:
    note(payload, "start")
    return {"ratio": 1 / payload.get("zero", 0)}


def unavailable(payload: dict[str, Any]) -> dict[str, Any]:
    """Fails until it has been tried `passes_at` times."""
    note(payload, "start")
    tries = sum(e["key"] == payload["key"] for e in read(Path(payload["journal"]), "start"))
    if tries < payload["passes_at"]:
        raise StorageUnavailable("no answer", where="s3://bucket")
    return {"tries": tries}


def starve(payload: dict[str, Any]) -> dict[str, Any]:
    note(payload, "start")
    raise MemoryError


def fill_disk(payload: dict[str, Any]) -> dict[str, Any]:
    note(payload, "start")
    raise OSError(errno.ENOSPC, "No space left on device", "out.tif")


def die(payload: dict[str, Any]) -> dict[str, Any]:
    note(payload, "start")
    os.kill(os.getpid(), payload["signal"])
    return {}


def leave(payload: dict[str, Any]) -> dict[str, Any]:
    sys.exit(3)


def unserializable(payload: dict[str, Any]) -> dict[str, Any]:
    return {"set": {1, 2}}


def chatter(payload: dict[str, Any]) -> dict[str, Any]:
    print("to standard output")
    print("to standard error", file=sys.stderr)
    return {}


def grow(payload: dict[str, Any]) -> dict[str, Any]:
    """Keeps `bytes` of memory in the worker."""
    globals()["kept"] = bytearray(os.urandom(1) * payload["bytes"])
    return {"worker": os.getpid()}


def environment(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: os.environ.get(name) for name in payload["names"]}


def ignores_interrupt(payload: dict[str, Any]) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGINT)
    return {"alive": True}


# Reading the journal ---------------------------------------------------------------------------


def read(journal: Path, what: str) -> list[dict[str, Any]]:
    if not journal.exists():
        return []
    events = [json.loads(line) for line in journal.read_text().splitlines() if line.endswith("}")]
    return [event for event in events if event["what"] == what]


def times_run(journal: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for event in read(journal, "start"):
        counts[event["key"]] = counts.get(event["key"], 0) + 1
    return counts


def wait_for(journal: Path, what: str, number: int = 1, seconds: float = 60.0) -> None:
    """Wait until the journal holds `number` events."""
    deadline = time.monotonic() + seconds
    while len(read(journal, what)) < number:
        assert time.monotonic() < deadline, f"the journal never held {number} {what}"
        time.sleep(0.01)


def run(engine: DbosEngine, submitted: RunRequest) -> RunStatus:
    return engine.wait(engine.submit(submitted), interval=0.02)
