"""When to try again: where the error may pass, and not for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from thalweg.errors import ThalwegError, WorkerCrashed
from thalweg.jobs.interruption import Interrupted


@dataclass(frozen=True)
class Retries:
    """How often, and after how many seconds, a call is tried again whose error may pass."""

    attempts: int = 4
    first_delay: float = 0.5
    factor: float = 3.0
    attempts_after_crash: int = 2

    def delay(self, attempt: int, error: ThalwegError) -> float | None:
        """Seconds to wait after failed attempt number `attempt` (from 1); None to give up."""
        # A decoder that crashes on a file will crash on it again: once more is enough to know.
        allowed = self.attempts_after_crash if isinstance(error, WorkerCrashed) else self.attempts
        if not error.transient or attempt >= allowed:
            return None
        return self.first_delay * self.factor ** (attempt - 1)

    def run[Result](self, call: Callable[[], Result], closing: threading.Event) -> Result:
        """The call's result; raises its last `ThalwegError`, or `Interrupted` when closing."""
        for attempt in count(1):
            try:
                return call()
            except ThalwegError as error:
                delay = self.delay(attempt, error)
                if delay is None:
                    raise
            if closing.wait(delay):
                raise Interrupted
        raise AssertionError("unreachable")
