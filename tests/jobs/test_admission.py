from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.errors import TaskOutOfMemory
from thalweg.jobs.admission import Admission
from thalweg.jobs.interruption import Interrupted


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=20), st.integers(100, 200), st.integers(1, 4)
)
def test_limits_hold_and_everyone_gets_in(sizes: list[int], memory: int, processors: int) -> None:
    admission = Admission(memory, processors)
    lock = threading.Lock()
    running: list[int] = []
    admitted: list[int] = []

    def use(size: int) -> None:
        with admission.admit(size):
            with lock:
                running.append(size)
                admitted.append(size)
                assert sum(running) <= memory
                assert len(running) <= processors
            time.sleep(0.0005)
            with lock:
                running.remove(size)

    threads = [threading.Thread(target=use, args=[size]) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert sorted(admitted) == sorted(sizes)


def test_a_large_task_is_not_passed_over_by_small_ones() -> None:
    admission = Admission(10, 4)
    order: list[str] = []

    def use(name: str, size: int) -> None:
        with admission.admit(size):
            order.append(name)

    with admission.admit(5):
        large = threading.Thread(target=use, args=["large", 10])
        large.start()
        time.sleep(0.05)
        small = threading.Thread(target=use, args=["small", 1])
        small.start()
        time.sleep(0.05)
        assert order == []
    large.join()
    small.join()
    assert order == ["large", "small"]


def test_more_than_there_is_is_refused_at_once() -> None:
    with (
        pytest.raises(TaskOutOfMemory, match=r"4096 MiB.* 1024 MiB"),
        Admission(2**30, 1).admit(2**32),
    ):
        pass


def test_closing_turns_away_who_waits() -> None:
    admission = Admission(10, 1)
    turned_away = threading.Event()

    def wait() -> None:
        try:
            with admission.admit(1):
                pass
        except Interrupted:
            turned_away.set()

    with admission.admit(1):
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.02)
        admission.close()
        thread.join(timeout=5)
    assert turned_away.is_set()
    with pytest.raises(Interrupted), admission.admit(1):
        pass
