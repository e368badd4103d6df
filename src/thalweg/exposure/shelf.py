"""A shelf: what is costly to prepare and cheap to keep, made once for all processes of a machine.

A folder holds one thing at a time, in parts. Processes that want it at once share its parts out
among them, and map the same files into their memory. Locks end with the process that holds them,
so one that is killed leaves nothing that the next cannot make again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

type Make = Callable[[Path], None]


@contextmanager
def shelved(shelf: Path, name: str, parts: Mapping[str, Make]) -> Iterator[Path]:
    """The folder `name` on a shelf, with all its parts, which stays as long as the block lasts.

    A part that is absent is made: its function fills the folder that it is given. What else stands
    on the shelf, and nobody uses, is thrown away. The shelf must be on a local disk.
    """
    with _held(shelf / name) as folder:
        _clear(shelf, name)
        for wait in (False, True):
            for part, make in parts.items():
                _make(folder, part, make, wait)
        yield folder


@contextmanager
def _held(folder: Path) -> Iterator[Path]:
    """The folder, locked against being thrown away."""
    descriptor = _opened(folder)
    try:
        yield folder
    finally:
        os.close(descriptor)


def _opened(folder: Path) -> int:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            # It may have been thrown away before the lock was had.
            if folder.exists() and os.path.samestat(os.fstat(descriptor), folder.stat()):
                return descriptor
            os.close(descriptor)


def _clear(shelf: Path, name: str) -> None:
    for other in shelf.iterdir():
        if other.name == name:
            continue
        free = fcntl.LOCK_EX | fcntl.LOCK_NB
        with suppress(FileNotFoundError), _locked(other, os.O_RDONLY, free) as descriptor:
            if descriptor is not None:
                shutil.rmtree(other)


def _make(folder: Path, part: str, make: Make, wait: bool) -> None:
    """Makes a part that is absent; leaves it to others who are at it, unless it is waited for."""
    target, aside = folder / part, folder / f"{part}.new"
    if target.exists():
        return
    kind = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
    with _locked(folder / f"{part}.lock", os.O_RDWR | os.O_CREAT, kind) as descriptor:
        if descriptor is None or target.exists():
            return
        # What a killed process left.
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        make(aside)
        aside.rename(target)


@contextmanager
def _locked(path: Path, flags: int, kind: int) -> Iterator[int | None]:
    """An open file with a lock on it; None where another process holds one."""
    descriptor = os.open(path, flags, 0o644)
    try:
        try:
            fcntl.flock(descriptor, kind)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)
