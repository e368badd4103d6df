from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from thalweg.jobs.leases import Leases

HOLDER = """
import sys
from pathlib import Path
from thalweg.jobs.leases import Leases
lease = Leases(Path(sys.argv[1])).take_first_free()
print(lease.executor, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def leases(tmp_path: Path) -> Leases:
    return Leases(tmp_path / "executors")


def test_each_takes_the_first_free_name(leases: Leases) -> None:
    with leases.take_first_free() as first, leases.take_first_free() as second:
        assert (first.executor, second.executor) == ("local-0", "local-1")
        assert list(leases.executors()) == ["local-0", "local-1"]
    with leases.take_first_free() as again:
        assert again.executor == "local-0"


def test_a_lease_is_held_until_released(leases: Leases) -> None:
    assert not leases.is_held("local-0")
    with leases.take_first_free():
        assert leases.is_held("local-0")
        assert leases.take("local-0") is None
    assert not leases.is_held("local-0")


def test_a_killed_process_gives_its_lease_up_and_a_stopped_one_does_not(
    tmp_path: Path,
) -> None:
    leases = Leases(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "local-0\n"
        holder.send_signal(19)
        assert leases.is_held("local-0")
        holder.kill()
        holder.wait()
    lease = leases.take("local-0")
    assert lease is not None
    lease.release()
