"""No task starts unless its memory and a processor are free."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from thalweg.errors import TaskOutOfMemory
from thalweg.jobs.interruption import Interrupted


class Admission:
    """Shares `memory` bytes and `processors` among tasks, first come, first served.

    The order is strict, so that a large task is never passed over by small ones for ever.
    """

    def __init__(self, memory: int, processors: int) -> None:
        self.memory = memory
        self.processors = processors
        self._free_memory = memory
        self._free_processors = processors
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()
        self._closed = False

    @contextmanager
    def admit(self, memory: int) -> Iterator[None]:
        """Hold `memory` bytes and one processor, waiting for them as long as it takes.

        Raises `TaskOutOfMemory` for more than there is in all, `Interrupted` once closed.
        """
        if memory > self.memory:
            raise TaskOutOfMemory(
                f"it may need {memory / 2**20:.0f} MiB, but all workers together may use only "
                f"{self.memory / 2**20:.0f} MiB",
                hint="allow more memory, or use smaller tiles or cells",
            )
        self._take(memory)
        try:
            yield
        finally:
            self._give_back(memory)

    def close(self) -> None:
        """Turn away everyone who waits or comes."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _take(self, memory: int) -> None:
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                self._changed.wait_for(lambda: self._closed or self._may_enter(ticket, memory))
                if self._closed:
                    raise Interrupted
                self._free_memory -= memory
                self._free_processors -= 1
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def _may_enter(self, ticket: object, memory: int) -> bool:
        return (
            self._queue[0] is ticket and self._free_processors > 0 and memory <= self._free_memory
        )

    def _give_back(self, memory: int) -> None:
        with self._changed:
            self._free_memory += memory
            self._free_processors += 1
            self._changed.notify_all()
