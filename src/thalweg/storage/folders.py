"""Listing a folder as objects: one odd name, dangling link or loop harms itself only."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

type Identity = tuple[int, int]


@dataclass(frozen=True)
class StoredObject:
    """One object of a listing. `etag` changes whenever the object is replaced or touched."""

    key: str
    size: int
    etag: str


def files_below(folder: Path, prefix: str = "") -> Iterator[StoredObject]:
    """Streams the files below `folder/prefix`, in no order; keys are relative to `folder`.

    Links are followed, but not round in circles; one that leads nowhere is listed as itself.
    Names that begin with a dot are left out, and so is what is neither file nor folder. Control
    characters and bytes that are not UTF-8 stand in the key as escapes: such a file can be named,
    but not opened.
    """
    start = folder / prefix
    if start.is_dir():
        yield from _below(
            str(start), f"{prefix}/" if prefix else "", frozenset({_identity(start.stat())})
        )


def file_at(folder: Path, key: str) -> StoredObject | None:
    """The file of a key, or None where there is none."""
    try:
        status = (folder / key).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _stored(key, status) if stat.S_ISREG(status.st_mode) else None


def _below(folder: str, key: str, above: frozenset[Identity]) -> Iterator[StoredObject]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            status = _status(entry)
            if status is None:
                continue
            below = key + _printable(entry.name)
            if stat.S_ISDIR(status.st_mode):
                if _identity(status) not in above:
                    yield from _below(entry.path, f"{below}/", above | {_identity(status)})
            elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                yield _stored(below, status)


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """That of what a link leads to, else of the link; None for what is gone meanwhile."""
    try:
        return entry.stat(follow_symlinks=not _dangles(entry))
    except FileNotFoundError:
        return None


def _dangles(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and not Path(entry.path).exists()


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino


def _stored(key: str, status: os.stat_result) -> StoredObject:
    changed = status.st_mtime_ns // 1000
    return StoredObject(key, status.st_size, f"{status.st_ino:x}-{changed:x}-{status.st_size:x}")


def _printable(name: str) -> str:
    known = os.fsencode(name).decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", known)
