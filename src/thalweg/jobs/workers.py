"""Long-lived worker processes, each doing one call at a time; a crash costs its call only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe
from typing import Any

from thalweg.errors import ResourceUnavailable, TaskTimedOut, WorkerCrashed, from_json
from thalweg.jobs.interruption import Interrupted

WORKER = "thalweg.jobs.worker"
START_TIMEOUT = 120.0
RECYCLE_ABOVE = 2**30
LAST_WORDS = 600
THREADED = ("GDAL_NUM", "NUMBA_NUM", "OMP_NUM", "OPENBLAS_NUM", "MKL_NUM")
ONE_THREAD = {f"{library}_THREADS": "1" for library in THREADED}
# glibc would give each large array back to the system and fault it in anew: a worker makes many.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "268435456", "MALLOC_TRIM_THRESHOLD_": "268435456"}


class Worker:
    """One process and the pipe to it."""

    def __init__(self, preload: Sequence[str] = ()) -> None:
        self._connection, other = Pipe()
        self._output = tempfile.TemporaryFile("a+b")  # noqa: SIM115
        self._process = subprocess.Popen(
            # -P: modules of the current folder must not stand in for the worker's own imports.
            [sys.executable, "-P", "-m", WORKER, str(os.getpid()), str(other.fileno())],
            pass_fds=[other.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            env={**os.environ, **ONE_THREAD, **KEEP_MEMORY},
        )
        other.close()
        self._started = False
        start = {"path": sys.path, "preload": list(preload)}
        self._connection.send_bytes(json.dumps(start).encode())

    @property
    def pid(self) -> int:
        return self._process.pid

    def call(self, function: str, arguments: list[Any], timeout: float) -> dict[str, Any]:
        """The answer: `result` or `error`, and the `memory` the process holds now, in bytes.

        The time that the process takes to start does not count against `timeout`. Raises
        `TaskTimedOut` after `timeout` seconds, `WorkerCrashed` where the process died; the
        worker is of no use afterwards.
        """
        self._output.truncate(0)
        request = {"call": function, "arguments": arguments}
        try:
            self._await_start()
            self._connection.send_bytes(json.dumps(request).encode())
            if not self._connection.poll(timeout):
                raise TaskTimedOut(
                    f"it ran for more than {timeout:g} s and was ended",
                    hint="allow it more time, or look for what holds it up",
                )
            answer: dict[str, Any] = json.loads(self._connection.recv_bytes())
        except (EOFError, ConnectionError) as error:
            raise self._crash() from error
        return answer

    def kill(self) -> None:
        """End the process at once; whoever waits for its answer sees a crash."""
        self._process.kill()

    def discard(self) -> None:
        """End the process and release what it held."""
        self._process.kill()
        self._process.wait()
        self._connection.close()
        self._output.close()

    def _await_start(self) -> None:
        if self._started:
            return
        if not self._connection.poll(START_TIMEOUT):
            raise ResourceUnavailable(f"a worker process did not start in {START_TIMEOUT:g} s")
        self._connection.recv_bytes()
        self._started = True

    def _crash(self) -> WorkerCrashed:
        code = self._process.wait()
        cause = f"of {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        hint = (
            "the system may have ended it for want of memory; run fewer workers at once"
            if code == -signal.SIGKILL
            else "an input may be damaged in a way that its decoder does not survive"
        )
        return WorkerCrashed(f"the process that ran it died {cause}{self._last_words()}", hint=hint)

    def _last_words(self) -> str:
        self._output.seek(0)
        words = self._output.read().decode(errors="replace").strip()
        return f": {words[:LAST_WORDS]}" if words else ""


class WorkerPool:
    """As many workers as are called at once, started when first needed and kept for the next."""

    def __init__(self, recycle_above: int = RECYCLE_ABOVE, *, preload: Sequence[str] = ()) -> None:
        self._recycle_above = recycle_above
        self._preload = preload
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._closed = False
        # A parent-death signal follows the thread that started the child, not its process: so
        # one thread that lives as long as the pool starts them all.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="thalweg-worker-starter")

    def call(self, function: str, arguments: list[Any], timeout: float) -> Any:
        """What `function` ("package.module:function") returns in a worker process.

        Raises the `ThalwegError` that it raised, `TaskTimedOut`, `WorkerCrashed`, or
        `Interrupted` once the pool is closed.
        """
        worker = self._take()
        answer: dict[str, Any] | None = None
        try:
            answer = worker.call(function, arguments, timeout)
        except WorkerCrashed:
            if self._closed:
                raise Interrupted from None
            raise
        finally:
            self._give_back(worker, answer)
        if "error" in answer:
            raise from_json(answer["error"])
        return answer["result"]

    def start_one(self) -> None:
        """Start a worker before it is needed."""
        self._give_back(self._take(), {"memory": 0})

    def processes(self) -> list[int]:
        """The process ids of the living workers."""
        with self._lock:
            return [worker.pid for worker in (*self._idle, *self._busy)]

    def close(self) -> None:
        """End all workers; calls under way are interrupted. No-op where it is closed."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for worker in self._busy:
                worker.kill()
        for worker in idle:
            worker.discard()
        self._starter.shutdown()

    def _take(self) -> Worker:
        with self._lock:
            if self._closed:
                raise Interrupted
            worker = self._idle.pop() if self._idle else self._start()
            self._busy.add(worker)
            return worker

    def _start(self) -> Worker:
        try:
            return self._starter.submit(Worker, self._preload).result()
        except OSError as error:
            raise ResourceUnavailable(f"no worker process could be started: {error}") from error

    def _give_back(self, worker: Worker, answer: dict[str, Any] | None) -> None:
        with self._lock:
            self._busy.remove(worker)
            if answer is not None and answer["memory"] <= self._recycle_above and not self._closed:
                self._idle.append(worker)
                return
        worker.discard()
