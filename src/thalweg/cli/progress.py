"""Progress of a run: bars on a terminal, a line a stage elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

import psutil
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from thalweg.cli.texts import counted
from thalweg.jobs.engine import Engine
from thalweg.jobs.status import RunStatus, StageStatus

QUIET_INTERVAL = 30.0
FILES_IN_A_TASK = 100


class Progress:
    """Shows a run as it goes, on standard error; nothing at all where `quiet`."""

    def __init__(self, engine: Engine, status: RunStatus, *, quiet: bool) -> None:
        self._engine = engine
        self._quiet = quiet
        self._console = Console(stderr=True, highlight=False)
        self._bars = Bars(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>12}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[memory]}"),
            console=self._console,
        )
        self._ids: dict[str, TaskID] = {}
        self._begun: dict[str, tuple[float, int]] = {}
        self._told: dict[str, float] = {}
        if not quiet:
            self._say(_greeting(status))

    def __enter__(self) -> Self:
        if self._animated:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._animated:
            self._bars.stop()

    @property
    def interval(self) -> float:
        """Seconds between two looks at the run: each costs the machine a little."""
        return 0.5 if self._animated else 2.0

    @property
    def _animated(self) -> bool:
        return self._console.is_terminal and not self._quiet

    def show(self, status: RunStatus) -> None:
        """Brings what is shown up to date."""
        if self._quiet:
            return
        for stage in status.stages:
            if stage.state == "queued":
                continue
            self._begun.setdefault(stage.name, (time.monotonic(), stage.size_done))
            done, planned = counted(stage, status)
            if self._animated:
                self._show_bar(stage, done, planned)
            else:
                self._show_line(stage, done, planned)

    def _show_bar(self, stage: StageStatus, done: int, planned: int) -> None:
        if stage.name not in self._ids:
            self._ids[stage.name] = self._bars.add_task(stage.name, rate="", memory="")
        self._bars.update(
            self._ids[stage.name],
            total=planned,
            completed=done + stage.failed,
            rate=self._rate(stage),
            memory=self._memory() if stage.running else "",
        )

    def _show_line(self, stage: StageStatus, done: int, planned: int) -> None:
        ended = stage.state not in ("queued", "running")
        now = time.monotonic()
        last = self._told.setdefault(stage.name, now)
        if last == float("inf") or not (ended or now - last > QUIET_INTERVAL):
            return
        self._told[stage.name] = float("inf") if ended else now
        self._say(
            f"{stage.name:<10} {_counts(stage, done, planned)}{self._rate(stage):>14}".rstrip()
        )

    def _rate(self, stage: StageStatus) -> str:
        begun, size = self._begun[stage.name]
        seconds = time.monotonic() - begun
        if stage.size_done == size or seconds < 0.5:
            return ""
        rate = (stage.size_done - size) / seconds
        return (
            f"{rate / 1e6:.3g} MB/s"
            if stage.size_total > FILES_IN_A_TASK * stage.planned
            else f"{rate:.0f}/s"
        )

    def _memory(self) -> str:
        total = 0
        for pid in self._engine.workers():
            try:
                total += psutil.Process(pid).memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return f"{total / 1e6:.0f} MB"

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def _greeting(status: RunStatus) -> str:
    done = sum(stage.done for stage in status.stages)
    if status.started is None or not done:
        return f"Run {status.id}"
    return f"Going on with run {status.id}: {done} tasks are done already"


def _counts(stage: StageStatus, done: int, planned: int) -> str:
    parts = [f"{done} of {planned} done"] if planned else []
    for number, word in (
        (stage.already, "done before"),
        (stage.failed, "failed"),
        (stage.missing, "missing"),
    ):
        if number:
            parts.append(f"{number} {word}")
    return ", ".join(parts) or "nothing to do"
