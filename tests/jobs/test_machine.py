from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from thalweg.jobs import machine


def test_without_control_groups_the_machine_is_the_limit(tmp_path: Path) -> None:
    assert 0 < machine.memory_limit(tmp_path) <= 0.8 * psutil.virtual_memory().total
    assert 1 <= machine.processors(tmp_path) <= (os.cpu_count() or 1)


def test_a_control_group_limits_both(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("100000\n")
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert machine.memory_limit(tmp_path) == 80_000
    assert machine.processors(tmp_path) == 1


def test_no_limit_is_no_limit(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert machine.memory_limit(tmp_path) > 2**20
    assert machine.processors(tmp_path) >= 1


def test_the_narrowest_group_above_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_own_group", lambda: "user/session")
    (tmp_path / "user" / "session").mkdir(parents=True)
    (tmp_path / "user" / "memory.max").write_text("5000\n")
    (tmp_path / "user" / "session" / "memory.max").write_text("9000\n")
    assert machine.memory_limit(tmp_path) == 4000


def test_a_quota_below_one_processor_is_one(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("20000 100000\n")
    assert machine.processors(tmp_path) == 1
