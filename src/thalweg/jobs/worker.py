"""The worker process: calls functions by name, one at a time, until its parent is gone.

Started as `python -m thalweg.jobs.worker PARENT_PID DESCRIPTOR`. Over the descriptor come JSON
messages: first the parent's `sys.path` and what to import, then calls; the first is answered by
"started", each call by its result or error. What a call logs as a warning stands in its result,
where that is an object, under `warnings`.
"""

from __future__ import annotations

import errno
import faulthandler
import gc
import importlib
import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import psutil

from thalweg.errors import DiskFull, ResourceUnavailable, ThalwegError, UnexpectedError
from thalweg.processes import die_with, give_memory_back

TRACEBACK_LINES = 8
MOST_WARNINGS = 20
PASSING = {
    errno.EAGAIN,
    errno.EBUSY,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EINTR,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ESTALE,
    errno.ETIMEDOUT,
}


def main() -> None:
    parent, descriptor = int(sys.argv[1]), int(sys.argv[2])
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    connection: Connection[bytes, bytes] = Connection(descriptor)
    try:
        start = json.loads(connection.recv_bytes())
        sys.path[:] = start["path"]
        for module in start["preload"]:
            importlib.import_module(module)
        # What is loaded stays: full collections need not look at it again and again.
        gc.freeze()
        connection.send_bytes(b"started")
        while True:
            connection.send_bytes(_answer(json.loads(connection.recv_bytes())))
    except (EOFError, ConnectionError):
        # The parent is gone, and with it the reason to tidy up.
        os._exit(0)


def _answer(request: dict[str, Any]) -> bytes:
    try:
        with _heard() as warnings:
            result = _function(request["call"])(*request["arguments"])
        if warnings and isinstance(result, dict):
            result = {**result, "warnings": list(warnings)[:MOST_WARNINGS]}
        answer = json.dumps({"result": result, "memory": _held_between_tasks()})
    except BaseException as error:
        answer = json.dumps({"error": _named(error).to_json(), "memory": _held_between_tasks()})
    return answer.encode()


@contextmanager
def _heard() -> Iterator[dict[str, None]]:
    """The warnings that our own code logs meanwhile, in their order, each once."""
    heard: dict[str, None] = {}
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: heard.setdefault(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("thalweg")
    logger.addHandler(handler)
    try:
        yield heard
    finally:
        logger.removeHandler(handler)


def _function(name: str) -> Any:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _held_between_tasks() -> int:
    """Memory in bytes, once what is free has been given back."""
    gc.collect()
    give_memory_back()
    return int(psutil.Process().memory_info().rss)


def _named(error: BaseException) -> ThalwegError:
    """The error by a name that a person can act on."""
    if isinstance(error, ThalwegError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(str(error), where=_file(error), hint="free some space and try again")
    if isinstance(error, OSError) and error.errno in PASSING:
        return ResourceUnavailable(str(error), where=_file(error))
    if isinstance(error, MemoryError):
        return ResourceUnavailable("no memory was left", hint="run fewer workers at once")
    lines = "".join(traceback.format_exception(error)).splitlines()
    return UnexpectedError(
        "\n".join([f"{type(error).__name__}: {error}", *lines[-TRACEBACK_LINES:]])
    )


def _file(error: OSError) -> str:
    return str(error.filename or "")


if __name__ == "__main__":
    main()
