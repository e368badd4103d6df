"""A PostgreSQL of the workspace's own: a cluster in a folder, on a socket that nobody else sees."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import gettempdir
from typing import Literal
from urllib.parse import quote

from thalweg.errors import ClusterError, PostgresMissing

FOLDER = "postgres"
DATABASE = "thalweg"
OWNER = "thalweg"
_PORT = 5432
_SECONDS = 60
_LONGEST_SOCKET = 100  # the system takes 107 characters, with the name of the file
_INSTALL = "apt-get install postgresql postgresql-15-postgis-3 (or what your system calls them)"
_OPTIONS = {
    "listen_addresses": "",
    "jit": "off",
    "timezone": "UTC",
    "max_connections": "100",
    "unix_socket_permissions": "0700",
}

type State = Literal["running", "stopped", "absent"]


@dataclass(frozen=True)
class Cluster:
    """The cluster of a workspace; nothing of it is there before `start`.

    Its files lie in `folder`; as root it runs as the user `postgres`, who must be able to enter it.
    """

    folder: Path

    @classmethod
    def of(cls, workspace: Path) -> Cluster:
        return cls(workspace.absolute() / FOLDER)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @cached_property
    def socket(self) -> Path:
        """The folder of the socket; a short one elsewhere where the path would be too long."""
        if len(str(self.folder)) <= _LONGEST_SOCKET - len("/.s.PGSQL.5432"):
            return self.folder
        digest = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        return Path(gettempdir()) / f"thalweg-{digest}"

    @property
    def url(self) -> str:
        """How every driver connects to it."""
        return f"postgresql://{OWNER}@{quote(str(self.socket), safe='')}:{_PORT}/{DATABASE}"

    @property
    def state(self) -> State:
        if not (self.data / "PG_VERSION").exists():
            return "absent"
        done = self._run(self._binary("pg_ctl"), "-D", self.data, "status")
        return "running" if done.returncode == 0 else "stopped"

    def start(self) -> bool:
        """Starts it, and makes it first where there is none; False where it runs already.

        One that was killed recovers by itself. Raises `PostgresMissing` and `ClusterError`.
        """
        state = self.state
        if state == "running":
            return False
        check_extensions(self.binaries)
        self._own()
        if state == "absent":
            self._make()
        options = " ".join(f"-c {name}='{value}'" for name, value in _OPTIONS.items())
        self._must(
            "be started",
            *(self._binary("pg_ctl"), "-D", self.data, "-l", self.log, "-w", "-t", _SECONDS),
            *("-o", f"{options} -k '{self.socket}' -p {_PORT}", "start"),
        )
        self._make_database()
        return True

    def stop(self) -> bool:
        """Stops it, ending what goes on there; False where it does not run."""
        if self.state != "running":
            return False
        self._must("be stopped", self._binary("pg_ctl"), "-D", self.data, "-m", "fast", "stop")
        return True

    @cached_property
    def binaries(self) -> Path:
        """The folder of PostgreSQL's programs: of the version that made the cluster, if any."""
        version = self.data / "PG_VERSION"
        return find_binaries(version.read_text().strip() if _readable(version) else "")

    def _make(self) -> None:
        self._must(
            "be made",
            *(self._binary("initdb"), "-D", self.data, "-U", OWNER, "-E", "UTF8"),
            *("--locale=C.UTF-8", "--auth=trust", "--no-instructions"),
        )

    def _make_database(self) -> None:
        psql = (self._binary("psql"), "-h", self.socket, "-p", _PORT, "-U", OWNER, "-X", "-qAt")
        held = f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"  # noqa: S608 - a constant
        if not self._must("be asked", *psql, "-d", "postgres", "-c", held).strip():
            self._must("be made", *psql, "-d", "postgres", "-c", f"CREATE DATABASE {DATABASE}")

    def _own(self) -> None:
        """Makes the folders, of the user that it runs as."""
        for folder in {self.folder, self.socket}:
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                if self._user is not None:
                    os.chown(folder, self._user.pw_uid, self._user.pw_gid)
            except OSError as error:
                raise ClusterError(str(error), where=str(folder)) from error

    @cached_property
    def _user(self) -> pwd.struct_passwd | None:
        """Who it runs as; PostgreSQL refuses to be root."""
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam("postgres")
        except KeyError as error:
            raise PostgresMissing(
                "PostgreSQL does not run as root, and there is no user postgres", hint=_INSTALL
            ) from error

    def _binary(self, name: str) -> Path:
        return self.binaries / name

    def _must(self, what: str, *words: object) -> str:
        done = self._run(*words)
        if done.returncode:
            raise ClusterError(
                f"the cluster could not {what}: {_last(done.stdout)}",
                hint=f"{self.log} tells more; the user {self._runs_as} must be able to enter "
                "the folder",
                where=str(self.folder),
            )
        return done.stdout

    @property
    def _runs_as(self) -> str:
        return self._user.pw_name if self._user else pwd.getpwuid(os.geteuid()).pw_name

    def _run(self, *words: object) -> subprocess.CompletedProcess[str]:
        user = self._user
        return subprocess.run(
            [str(word) for word in words],
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
            cwd="/",
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=2 * _SECONDS,
        )


def find_binaries(version: str = "") -> Path:
    """The folder of PostgreSQL's programs, of a version or the newest; raises `PostgresMissing`."""
    debian = Path("/usr/lib/postgresql")
    found = sorted(debian.glob(f"{version or '*'}/bin/initdb"), key=_version)
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    if on_path and not version:
        return Path(on_path).resolve().parent
    wanted = f" {version}, which made the cluster," if version else ""
    raise PostgresMissing(f"PostgreSQL{wanted} is not installed", hint=_INSTALL)


def check_extensions(binaries: Path) -> None:
    """Raises `PostgresMissing` where PostGIS or what pgSTAC needs is not installed."""
    told = subprocess.run(
        [binaries / "pg_config", "--sharedir"], check=False, capture_output=True, text=True
    )
    # Without the development package pg_config may be missing: then the server tells.
    folders = [Path(told.stdout.strip())] if told.returncode == 0 else []
    for folder in folders:
        missing = [
            name
            for name in ("postgis", "btree_gist", "unaccent")
            if not (folder / "extension" / f"{name}.control").exists()
        ]
        if missing:
            raise PostgresMissing(
                f"extensions are not installed: {', '.join(missing)}", hint=_INSTALL
            )


def _version(initdb: Path) -> list[int]:
    return [int(part) for part in initdb.parent.parent.name.split(".") if part.isdigit()]


def _readable(path: Path) -> bool:
    return path.exists() and os.access(path, os.R_OK)


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
