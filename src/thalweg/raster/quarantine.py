"""Inspection in a process of its own: a file that crashes or hangs its decoder harms itself only.

The process is started once and inspects file after file; where it dies or takes too long, that file
is named and the next one gets a new process. It may use a bounded amount of memory.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from types import TracebackType
from typing import Any, Self

from thalweg.domain.pixels import PixelRules
from thalweg.errors import ThalwegError, UnexpectedError, UnreadableRaster, from_json

MEMORY = 4 << 30
SECONDS = 30.0
STARTING_SECONDS = 60.0


class Quarantine:
    """Inspects files apart; to be used in a `with` block.

    `rules`, `crs`, `pixel` (size in units of the CRS) and `drivers` are what the files are held
    against, as in `thalweg.raster.inspect`; `options` are GDAL's.
    """

    def __init__(
        self,
        rules: PixelRules,
        *,
        crs: str | None = None,
        pixel: float | None = None,
        drivers: tuple[str, ...] = ("GTiff",),
        options: Mapping[str, str] | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._declaration = {
            "rules": rules.to_json(),
            "crs": crs,
            "pixel": pixel,
            "drivers": list(drivers),
            "options": dict(options or {}),
        }
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None

    def inspect(self, path: str, where: str) -> dict[str, Any]:
        """`RasterFacts` as JSON; raises what `inspect` raises, or `UnreadableRaster` where the
        decoder died or did not come to an end."""
        connection = self._connection or self._start()
        try:
            connection.send_bytes(json.dumps({"path": path, "where": where}).encode())
            if not connection.poll(self._seconds):
                self._stop()
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
        self._stop()

    def _start(self) -> Connection[Any, Any]:
        ours, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._connection = ours
        ours.send_bytes(json.dumps([sys.path, self._declaration]).encode())
        if not ours.poll(STARTING_SECONDS):
            self._stop()
            raise UnexpectedError("the inspecting process did not start")
        ours.recv_bytes()
        return ours

    def _stop(self) -> int:
        """Ends the process, if there is one; its exit status."""
        if self._process is None or self._connection is None:
            return 0
        self._connection.close()
        with suppress(ProcessLookupError):
            self._process.kill()
        status = self._process.wait()
        self._process = self._connection = None
        return status

    def _death(self) -> str:
        assert self._process is not None
        status = self._process.wait()
        self._stop()
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def _unreadable(message: str, where: str) -> UnreadableRaster:
    return UnreadableRaster(message, where=where, hint="ask for the file anew, or remove it")


def main() -> None:
    """The process: answers until its parent is gone."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    try:
        sys.path[:], declaration = json.loads(connection.recv_bytes())
        inspector = _inspector(declaration)
        connection.send_bytes(b"ready")
        while True:
            connection.send_bytes(json.dumps(inspector(connection.recv_bytes())).encode())
    except (EOFError, ConnectionError):
        os._exit(0)


def _inspector(declaration: dict[str, Any]) -> Any:
    import rasterio

    from thalweg.raster.inspect import ExpectedGrid, inspect

    rules = PixelRules.from_json(declaration["rules"])
    pixel = declaration["pixel"]
    grid = ExpectedGrid(declaration["crs"], pixel and (pixel, pixel))

    def answer(request: bytes) -> dict[str, Any]:
        file = json.loads(request)
        try:
            with rasterio.Env(**declaration["options"]):
                facts = inspect(
                    file["path"],
                    where=file["where"],
                    rules=rules,
                    grid=grid,
                    drivers=declaration["drivers"],
                )
        except ThalwegError as error:
            return {"error": error.to_json()}
        except MemoryError:
            too_much = _unreadable("reading it asks for too much memory", file["where"])
            return {"error": too_much.to_json()}
        except Exception as error:
            fault = UnexpectedError(f"{type(error).__name__}: {error}", where=file["where"])
            return {"error": fault.to_json()}
        return {"facts": facts.to_json()}

    return answer


if __name__ == "__main__":
    main()
