"""Text that comes from elsewhere, made fit to print; commands to type next."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from thalweg.cli.options import DEFAULT_WORKSPACE

if TYPE_CHECKING:
    from thalweg.jobs.status import RunStatus, StageStatus

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """The text with control characters, which a file's name may hold, as escapes."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def counted(stage: StageStatus, run: RunStatus) -> tuple[int, int]:
    """How much of a stage is done, and of how much: tasks, but of an inventory files."""
    steps = run.request.payload["pipeline"]["steps"]
    if any(step["name"] == stage.name and step["operator"] == "inventory" for step in steps):
        return stage.size_done, stage.size_total
    return stage.done, stage.planned


@dataclass(frozen=True)
class Call:
    """How a pipeline was called, to say how to go on: lines to copy into a shell."""

    pipeline: str
    workspace: Path
    source: str | None = None
    settings: Sequence[str] = ()
    with_steps: Sequence[str] = ()

    def run(self, *options: str) -> str:
        source = ["--source", self.source] if self.source else []
        asked = [word for step in self.with_steps for word in ("--with", step)]
        words = (*source, *self._settings, *asked, *options)
        return command("run", self.pipeline, *words, on=self.workspace)

    def matrix(self) -> str:
        return command("matrix", self.pipeline, *self._settings, on=self.workspace)

    @property
    def _settings(self) -> list[str]:
        return [word for setting in self.settings for word in ("--set", setting)]


def command(*words: str, on: Path) -> str:
    """A command on a workspace, as a shell takes it."""
    workspace = [] if on == DEFAULT_WORKSPACE else ["-w", str(on)]
    return shlex.join(["thalweg", *words, *workspace])
