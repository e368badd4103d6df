"""Where files are written aside before they are published, and how leftovers are swept up.

Each area is named after the process that owns it, so that what a killed process left behind can be
told from what a live one is writing.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psutil

from thalweg.errors import DiskFull

STAGING_FOLDER = ".staging"


@contextmanager
def staging_area(zone_folder: Path) -> Iterator[Path]:
    """A new folder under the zone's own, removed when the block ends."""
    area = zone_folder / STAGING_FOLDER / f"{_owner(psutil.Process())}-{uuid4().hex[:8]}"
    area.mkdir(parents=True)
    try:
        yield area
    finally:
        shutil.rmtree(area, ignore_errors=True)


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """A path on the target's file system, to write to and then move to the target.

    Raises `DiskFull` where the block runs out of space.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    try:
        with staging_area(target.parent) as area:
            yield area / target.name
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(hint="make room for it", where=str(target)) from error
        raise


def sweep(zone_folder: Path) -> int:
    """Removes the areas whose process is gone; returns how many."""
    areas = zone_folder / STAGING_FOLDER
    if not areas.is_dir():
        return 0
    dead = [area for area in areas.iterdir() if not _is_owned(area.name)]
    for area in dead:
        shutil.rmtree(area, ignore_errors=True)
    return len(dead)


def _owner(process: psutil.Process) -> str:
    return f"{process.pid}-{int(process.create_time())}"


def _is_owned(name: str) -> bool:
    owner = name.rpartition("-")[0]
    pid = owner.partition("-")[0]
    try:
        return pid.isdigit() and _owner(psutil.Process(int(pid))) == owner
    except psutil.NoSuchProcess:
        return False
