"""Several real processes on one catalogue, and processes that are killed in mid-write."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest
from ledger_samples import make_artifact, make_item

from thalweg.catalog.ledger import Catalog
from thalweg.catalog.sqlite import open_catalog

WRITER = """
import sys
from itertools import count
from pathlib import Path
from ledger_samples import make_artifact, make_item
from thalweg.catalog.sqlite import open_catalog

path, name, total = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with open_catalog(path) as catalog:
    catalog.put_collection({"id": "flood"})
    for number in range(total) if total else count():
        slot = f"{name}-{number % 5}"
        catalog.record(make_artifact(slot, number), make_item(slot, number))
        print(number, flush=True)
"""


def writer(
    path: Path, name: str, total: int = 0, said_to: IO[str] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(total)],
        stdout=said_to or subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parent,
    )


def assert_consistent(path: Path, catalog: Catalog) -> None:
    """Each slot's newest artifact is current, and its item is the one that describes it."""
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    everything = list(catalog.artifacts(current=None))
    assert all(len(artifact.inputs) == 2 for artifact in everything)
    newest = {
        artifact.coordinates["tile"]: artifact
        for artifact in sorted(everything, key=lambda artifact: artifact.size)
    }
    current = {artifact.coordinates["tile"]: artifact for artifact in catalog.artifacts()}
    assert current == newest
    items = {item["id"]: item for item in catalog.items("flood")}
    assert items == {slot: make_item(slot, artifact.size - 12) for slot, artifact in newest.items()}


def test_processes_that_begin_a_catalogue_at_once_all_record_in_it(path: Path) -> None:
    names = ["one", "two", "three"]
    running = [writer(path, name, 20) for name in names]
    for process in running:
        process.wait(timeout=60)
    assert [process.returncode for process in running] == [0, 0, 0]
    with open_catalog(path) as catalog:
        assert len(list(catalog.artifacts(current=None))) == 60
        assert len(list(catalog.artifacts())) == 15
        assert_consistent(path, catalog)


@pytest.mark.parametrize("delay", [0.0, 0.004, 0.011, 0.023])
def test_a_writer_that_is_killed_leaves_whole_records_only(path: Path, delay: float) -> None:
    open_catalog(path).close()
    said_file = path.with_name("said.txt")
    with said_file.open("w") as said_to:
        process = writer(path, "w", said_to=said_to)
        while not said_file.stat().st_size:
            assert process.poll() is None
            time.sleep(0.001)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    said = len(said_file.read_text().split())
    with open_catalog(path) as catalog:
        recorded = len(list(catalog.artifacts(current=None)))
        assert said <= recorded <= said + 1
        assert_consistent(path, catalog)
        catalog.record(make_artifact("w-0", 10**6), make_item("w-0", 10**6))
        assert_consistent(path, catalog)


KILLED_BETWEEN_STATEMENTS = """
import os, signal, sys
from pathlib import Path
from ledger_samples import make_artifact, make_item
from sqlalchemy import Engine, event
from thalweg.catalog.sqlite import open_catalog

left = int(sys.argv[2])

def kill_when_none_is_left(*statement):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1

with open_catalog(Path(sys.argv[1])) as catalog:
    event.listen(Engine, "before_cursor_execute", kill_when_none_is_left)
    catalog.record(make_artifact("a", 1), make_item("a", 1))
"""


def test_a_kill_before_any_statement_leaves_the_old_state_whole(path: Path) -> None:
    with open_catalog(path) as catalog:
        catalog.put_collection({"id": "flood"})
        catalog.record(make_artifact("a", 0), make_item("a", 0))
    for statements in range(30):
        ended = subprocess.run(
            [sys.executable, "-c", KILLED_BETWEEN_STATEMENTS, str(path), str(statements)],
            cwd=Path(__file__).parent,
            check=False,
        )
        with open_catalog(path) as catalog:
            assert_consistent(path, catalog)
            recorded = len(list(catalog.artifacts(current=None)))
        if ended.returncode == 0:
            assert recorded == 2
            assert statements >= 6, "BEGIN, find, supersede, insert, inputs, item, COMMIT"
            return
        assert ended.returncode == -signal.SIGKILL
        assert recorded == 1
    pytest.fail("the writer never came to its end")
