"""A PostgreSQL of one's own, on a socket in a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import quote

import pytest


@dataclass(frozen=True)
class Cluster:
    """A cluster in a folder, that can be stopped and started again."""

    folder: Path
    binaries: Path
    user: str | None

    @property
    def url(self) -> str:
        return f"postgresql://tester@{quote(str(self.folder), safe='')}/postgres"

    def start(self) -> None:
        options = f"-c listen_addresses='' -c fsync=off -k {self.folder}"
        self._control("-l", self.folder / "log", "-o", options, "-w", "start")

    def stop(self) -> None:
        self._control("-m", "immediate", "stop")

    @property
    def running(self) -> bool:
        return (self.folder / "data" / "postmaster.pid").exists()

    def _control(self, *words: object) -> None:
        _call(self.user, self.binaries / "pg_ctl", "-D", self.folder / "data", *words)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A new cluster; skips the test where none can be started."""
    binaries = _binaries()
    # The path of a socket may have no more than 107 characters.
    folder = Path(mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        made = Cluster(folder, binaries, _user(folder))
        new = ("-D", folder / "data", "-U", "tester", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        _call(made.user, binaries / "initdb", *new)
        made.start()
        try:
            yield made
        finally:
            # A test that fails while it is stopped is to fail, rather than to be skipped here.
            if made.running:
                made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a database of a new cluster."""
    with cluster() as made:
        yield made.url


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        pytest.skip("PostgreSQL is not installed")
    binaries = found[-1].parent if found else Path(str(on_path)).resolve().parent
    version = binaries.parent.name
    extensions = [Path(f"/usr/share/postgresql/{version}"), binaries.parent / "share/postgresql"]
    if not any((one / "extension/postgis.control").exists() for one in extensions):
        pytest.skip("PostGIS is not installed")
    return binaries


def _user(folder: Path) -> str | None:
    """Who the server runs as: it refuses to be root."""
    if os.geteuid() != 0:
        return None
    try:
        shutil.chown(folder, "postgres")
    except LookupError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    return "postgres"


def _call(user: str | None, *words: object) -> None:
    done = subprocess.run(
        list(map(str, words)),
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd="/",
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    if done.returncode:
        pytest.skip(f"PostgreSQL could not be started: {done.stdout[-300:]}")
