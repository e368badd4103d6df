"""What the engine answers: the state of a run, of its stages, and what failed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from thalweg.errors import ThalwegError, from_json
from thalweg.jobs.tasks import Document, Missing, RunRequest

type State = Literal["queued", "running", "succeeded", "partial", "failed", "cancelled"]

ENDED: frozenset[State] = frozenset({"succeeded", "partial", "failed", "cancelled"})


def outcome(made: int, lost: int) -> State:
    """How a stage or run ended that made (or found) `made` things and failed or missed `lost`."""
    if not lost:
        return "succeeded"
    return "partial" if made else "failed"


class Tally(NamedTuple):
    """What a stage made (or found made), and what it failed or missed."""

    made: int
    lost: int


def outcome_of_run(stages: Mapping[str, Tally], auxiliary: Collection[str]) -> State:
    """How a run of these stages ended.

    A run that looked at all files and then made none of what it should has failed: what the
    `auxiliary` stages did counts only where no other stage had anything to do.
    """
    making = [tally for name, tally in stages.items() if name not in auxiliary]
    counted = making if any(map(any, making)) else list(stages.values())
    made = sum(tally.made for tally in counted)
    return outcome(made, sum(tally.lost for tally in stages.values()))


@dataclass(frozen=True)
class Failure:
    """A task that failed, or with an empty `key` the planning of a stage, and its error."""

    stage: str
    key: str
    label: str
    error: Document

    def to_error(self) -> ThalwegError:
        return from_json(self.error)


@dataclass(frozen=True)
class StageStatus:
    """Counts of a stage's tasks; `planned` is `done + failed + running +` what still waits.

    `already` counts what needed no task, `missing` what cannot be made. Sizes are in the unit of
    `Task.size`.
    """

    name: str
    state: State
    planned: int = 0
    already: int = 0
    done: int = 0
    failed: int = 0
    running: int = 0
    missing: int = 0
    size_done: int = 0
    size_total: int = 0


@dataclass(frozen=True)
class RunStatus:
    """A run as it stands. Times are aware, in UTC.

    `warnings` are those of its tasks, with their labels, once it has ended.
    """

    id: str
    name: str
    state: State
    submission: str
    request: RunRequest
    stages: tuple[StageStatus, ...]
    failures: tuple[Failure, ...]
    missing: tuple[tuple[str, Missing], ...]
    warnings: tuple[tuple[str, str], ...]
    started: datetime | None
    finished: datetime | None

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    def to_json(self) -> Document:
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "submission": self.submission,
            "request": self.request.to_json(),
            "stages": [dict(vars(stage)) for stage in self.stages],
            "failures": [dict(vars(failure)) for failure in self.failures],
            "missing": [{"stage": stage, **lost.to_json()} for stage, lost in self.missing],
            "warnings": [{"task": task, "warning": said} for task, said in self.warnings],
            "started": self.started.isoformat() if self.started else None,
            "finished": self.finished.isoformat() if self.finished else None,
        }
