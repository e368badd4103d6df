"""What processes owe to those around: to end with who started them, and to give memory back."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """End this process with the thread that started it, even by kill -9."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def give_memory_back() -> None:
    """Give back to the system what this process has freed, where the C library can.

    Workers keep it otherwise (see `jobs.workers.KEEP_MEMORY`), as what comes next mostly needs as
    much again.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
    if trim:
        trim(0)
