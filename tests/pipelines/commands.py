"""The command, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from thalweg.catalog.sqlite import open_catalog
from thalweg.jobs.engine import open_runs
from thalweg.jobs.status import RunStatus


class Command:
    """A `thalweg` process in a group of its own, so that it and its workers can be killed."""

    def __init__(self, *arguments: object, cwd: Path | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "thalweg.cli.main", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            start_new_session=True,
        )

    def result(self, timeout: float = 240) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        finally:
            self.signal_all(signal.SIGKILL)
        return self.process.returncode, out, err

    def signal_all(self, number: int) -> None:
        """To the whole group, as a terminal or an operator does."""
        if self._group_lives():
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """Kill -9 the whole group, and see that none of it is left."""
        self.signal_all(signal.SIGKILL)
        self.process.communicate()
        deadline = time.monotonic() + 10
        while self._group_lives():
            assert time.monotonic() < deadline, "a process outlives the run"
            time.sleep(0.01)

    def kill_one_worker(self, after: float) -> None:
        """Kill -9 a worker, some seconds after one was there."""
        workers: list[psutil.Process] = []
        while not workers:
            assert self.process.poll() is None
            time.sleep(0.05)
            children = psutil.Process(self.process.pid).children()
            workers = [one for one in children if "thalweg.jobs.worker" in one.cmdline()]
        time.sleep(after)
        workers[0].kill()

    def _group_lives(self) -> bool:
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True


def objects(workspace: Path) -> dict[str, bytes]:
    """Every object of the silver zone by key, leftovers too."""
    root = workspace / "silver"
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def items(workspace: Path, collection: str = "fathom-flood-depth") -> list[dict[str, Any]]:
    with open_catalog(workspace / "catalog.db") as catalog:
        return list(catalog.items(collection))


def ledger(workspace: Path) -> dict[str, tuple[str, str, str]]:
    """Of each artifact of rasters when, by which run and as which bytes it was made."""
    if not (workspace / "catalog.db").exists():
        return {}
    with open_catalog(workspace / "catalog.db") as catalog:
        return {
            one.key: (one.made_at, one.run_id, one.checksum)
            for one in catalog.artifacts()
            if one.kind in ("stack", "mosaic")
        }


def runs(workspace: Path) -> list[RunStatus]:
    with open_runs(workspace / "jobs") as found:
        return found.runs()
