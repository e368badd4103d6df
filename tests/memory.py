"""The most memory that a process has held: what tests hold within bounds."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path


def peak_mb() -> int:
    """This process's own peak. `ru_maxrss` would be its parent's, where that was larger."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) >> 10


def run_measured(program: str, *arguments: object) -> str:
    """What a program prints that runs in a process of its own and may call `peak_mb()`."""
    preamble = f"from pathlib import Path\n{inspect.getsource(peak_mb)}"
    command = [sys.executable, "-c", preamble + program, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
