"""How much memory and how many processors this machine, or the container it is, may give."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

CONTROL_GROUPS = Path("/sys/fs/cgroup")
SHARE_OF_MEMORY = 0.8


def memory_limit(groups: Path = CONTROL_GROUPS) -> int:
    """Bytes that tasks may use in all: four fifths of what is free and allowed."""
    machine = psutil.virtual_memory()
    limits = [int(text) for text in _limits(groups, "memory.max") if text.isdigit()]
    return int(SHARE_OF_MEMORY * min([machine.available, machine.total, *limits]))


def processors(groups: Path = CONTROL_GROUPS) -> int:
    """Processors that this process may keep busy, at least one."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min([count or 1, *_quotas(groups)]))


def _quotas(groups: Path) -> Iterator[int]:
    for text in _limits(groups, "cpu.max"):
        quota, period = text.split()
        if quota != "max":
            yield int(quota) // int(period)


def _limits(groups: Path, name: str) -> Iterator[str]:
    """The file `name` of this process's control group and of each group above it."""
    group = groups / _own_group()
    for folder in (group, *group.parents):
        if folder.is_relative_to(groups) and (folder / name).is_file():
            yield (folder / name).read_text().strip()


def _own_group() -> str:
    membership = Path("/proc/self/cgroup")
    if not membership.is_file():
        return ""
    unified = [line for line in membership.read_text().splitlines() if line.startswith("0::")]
    return unified[0].removeprefix("0::").lstrip("/") if unified else ""
