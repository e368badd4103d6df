"""Inspection in a process of its own: a file that crashes or hangs its decoder harms itself only.

The process is started once and inspects file after file; where it dies or takes too long, that file
is named and the next one gets a new process. It may use a bounded amount of memory.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection, Pipe
from types import TracebackType
from typing import Any, Self

from thalweg.domain.pixels import PixelRules
from thalweg.errors import ThalwegError, UnexpectedError, UnreadableRaster, from_json
from thalweg.processes import die_with

MEMORY = 4 << 30
SECONDS = 30.0
STARTING_SECONDS = 60.0


@dataclass(frozen=True)
class Declaration:
    """What files are held against, as in `thalweg.raster.inspect`.

    `pixel` is the pixel size in units of the CRS; `options` are GDAL's.
    """

    rules: PixelRules
    crs: str | None = None
    pixel: float | None = None
    drivers: tuple[str, ...] = ("GTiff",)
    options: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "rules": self.rules.to_json(), "options": dict(self.options)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(**{**document, "rules": PixelRules.from_json(document["rules"])})


class Quarantine:
    """A process that inspects files; started at need, to be used by one thread."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None

    def inspect(self, path: str, where: str, declaration: Declaration) -> dict[str, Any]:
        """`RasterFacts` as JSON; raises what `inspect` raises, or `UnreadableRaster` where the
        decoder died or did not come to an end."""
        connection = self._connection or self._start()
        request = {"path": path, "where": where, "declaration": declaration.to_json()}
        try:
            connection.send_bytes(json.dumps(request).encode())
            if not connection.poll(self._seconds):
                self.close()
                raise _unreadable(f"reading it took over {self._seconds:g} s", where)
            answer = json.loads(connection.recv_bytes())
        except (EOFError, ConnectionError):
            raise _unreadable(f"reading it crashed the decoder ({self._death()})", where) from None
        if "error" in answer:
            raise from_json(answer["error"])
        facts: dict[str, Any] = answer["facts"]
        return facts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self) -> Connection[Any, Any]:
        ours, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                # -P: modules of the current folder must not stand in for the process's imports.
                [sys.executable, "-P", "-m", __name__, str(os.getpid()), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._connection = ours
        ours.send_bytes(json.dumps(sys.path).encode())
        if not ours.poll(STARTING_SECONDS):
            self.close()
            raise UnexpectedError("the inspecting process did not start")
        ours.recv_bytes()
        return ours

    def close(self) -> None:
        """Ends the process, if there is one."""
        if self._process is None or self._connection is None:
            return
        self._connection.close()
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._process = self._connection = None

    def _death(self) -> str:
        assert self._process is not None
        status = self._process.wait()
        self.close()
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def _unreadable(message: str, where: str) -> UnreadableRaster:
    return UnreadableRaster(message, where=where, hint="ask for the file anew, or remove it")


@cache
def shared_quarantine() -> Quarantine:
    """The one of this process; it ends with it."""
    quarantine = Quarantine()
    atexit.register(quarantine.close)
    return quarantine


def main() -> None:
    """The process: answers until its parent is gone, which may be while a decoder hangs."""
    die_with(int(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    connection: Connection[Any, Any] = Connection(int(sys.argv[2]))
    try:
        sys.path[:] = json.loads(connection.recv_bytes())
        import thalweg.raster.inspect  # noqa: F401 - loaded before the clock of a file runs

        connection.send_bytes(b"ready")
        while True:
            answer = _answer(json.loads(connection.recv_bytes()))
            connection.send_bytes(json.dumps(answer).encode())
    except (EOFError, ConnectionError):
        os._exit(0)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    import rasterio

    from thalweg.raster.inspect import ExpectedGrid, inspect

    where = request["where"]
    declared = Declaration.from_json(request["declaration"])
    pixel = declared.pixel
    grid = ExpectedGrid(declared.crs, None if pixel is None else (pixel, pixel))
    try:
        with rasterio.Env(**declared.options):
            facts = inspect(
                request["path"],
                where=where,
                rules=declared.rules,
                grid=grid,
                drivers=declared.drivers,
            )
    except ThalwegError as error:
        return {"error": error.to_json()}
    except MemoryError:
        return {"error": _unreadable("reading it asks for too much memory", where).to_json()}
    except Exception as error:
        return {"error": UnexpectedError(f"{type(error).__name__}: {error}", where=where).to_json()}
    return {"facts": facts.to_json()}


if __name__ == "__main__":
    main()
