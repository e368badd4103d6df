from __future__ import annotations

import threading

import pytest

from thalweg.errors import StorageUnavailable, UndeclaredValue, WorkerCrashed
from thalweg.jobs.interruption import Interrupted
from thalweg.jobs.retries import Retries


def test_delays_grow_until_it_is_given_up() -> None:
    retries = Retries(attempts=4, first_delay=0.5, factor=3.0)
    delays = [retries.delay(attempt, StorageUnavailable()) for attempt in (1, 2, 3, 4)]
    assert delays == [0.5, 1.5, 4.5, None]


def test_a_crash_is_tried_once_more() -> None:
    assert Retries().delay(1, WorkerCrashed()) is not None
    assert Retries().delay(2, WorkerCrashed()) is None


def test_bad_input_is_not_tried_again() -> None:
    assert Retries().delay(1, UndeclaredValue()) is None


def test_a_wait_between_attempts_ends_with_the_engine() -> None:
    closing = threading.Event()

    def fail() -> None:
        closing.set()
        raise StorageUnavailable

    with pytest.raises(Interrupted):
        Retries(first_delay=60).run(fail, closing)
