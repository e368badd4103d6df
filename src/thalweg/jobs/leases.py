"""Which executors live: each holds a lock on a file of its name until its process ends.

The kernel drops the lock with the process, however it dies, and keeps it while the process is
merely stopped. The folder must be on a local disk.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self


class Lease:
    """The lock on one executor id, until it is released."""

    def __init__(self, executor: str, descriptor: int) -> None:
        self.executor = executor
        self._descriptor = descriptor

    def release(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class Leases:
    """The leases of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take_first_free(self) -> Lease:
        """The lease on the first of local-0, local-1, ... that no live process holds."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in count():
            lease = self.take(f"local-{number}")
            if lease is not None:
                return lease
        raise AssertionError("unreachable")

    def take(self, executor: str) -> Lease | None:
        """The lease on `executor`, or None while a live process holds it."""
        descriptor = os.open(self._path(executor), os.O_RDWR | os.O_CREAT, 0o644)
        if _lock(descriptor, fcntl.LOCK_EX):
            return Lease(executor, descriptor)
        os.close(descriptor)
        return None

    def is_held(self, executor: str) -> bool:
        try:
            descriptor = os.open(self._path(executor), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not _lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def executors(self) -> Iterator[str]:
        """Every executor id ever used here."""
        return (path.stem for path in sorted(self._folder.glob("*.lock")))

    def _path(self, executor: str) -> Path:
        return self._folder / f"{executor}.lock"


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
