from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs_workload import QUICK, OpenEngine

from thalweg.jobs.dbos_engine import DbosEngine
from thalweg.jobs.retries import Retries


@pytest.fixture(scope="session")
def used_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which an engine has been before: it need not wait for DBOS to see queues."""
    folder = tmp_path_factory.mktemp("jobs")
    DbosEngine(folder, 1, 1).close()
    return folder


@pytest.fixture
def folder(used_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(used_folder, tmp_path / "jobs"))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@pytest.fixture
def open_engine(folder: Path) -> Iterator[OpenEngine]:
    """Opens engines on `folder`, one after the other; the last is closed at the end."""
    opened: list[DbosEngine] = []

    def open_one(workers: int = 2, memory: int = 1000, retries: Retries = QUICK) -> DbosEngine:
        opened.append(DbosEngine(folder, workers, memory, retries))
        return opened[-1]

    yield open_one
    for engine in opened:
        engine.close()
