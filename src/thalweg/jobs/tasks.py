"""What is asked of the engine: tasks, the plan of a stage, the request for a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Self

from thalweg.errors import InvalidPlan

type Document = dict[str, Any]
"""A JSON object: strings, numbers, booleans, null, lists and objects only."""


@dataclass(frozen=True)
class Task:
    """One piece of work, seconds long, run in a worker process and safe to repeat.

    `key` is unique in its stage and the same in every plan. `call` names a function as
    `package.module:function`; it takes `payload`, with the run's id added as `run`, and returns a
    JSON object, to which `warnings` are added where it logged some. `memory` is the most it may
    need, in bytes; `timeout` is in seconds; `size` is its weight in the progress.
    """

    key: str
    label: str
    call: str
    payload: Document
    memory: int
    timeout: float
    size: int = 1

    def to_json(self) -> Document:
        return dict(vars(self))

    @classmethod
    def from_json(cls, document: Document) -> Self:
        return cls(**document)


@dataclass(frozen=True)
class Missing:
    """Something expected that cannot be made, why, and what to do about it."""

    key: str
    reason: str
    hint: str = ""

    def to_json(self) -> Document:
        return dict(vars(self))

    @classmethod
    def from_json(cls, document: Document) -> Self:
        return cls(**document)


@dataclass(frozen=True)
class StagePlan:
    """What a stage has to do: its tasks, how many things need none, and what cannot be made."""

    tasks: tuple[Task, ...] = ()
    already: int = 0
    missing: tuple[Missing, ...] = ()

    def __post_init__(self) -> None:
        times = Counter(task.key for task in self.tasks)
        doubled = [key for key, number in times.items() if number > 1]
        if doubled:
            raise InvalidPlan(f"{len(doubled)} task keys are not unique, the first is {doubled[0]}")

    def to_json(self) -> Document:
        return {
            "tasks": [task.to_json() for task in self.tasks],
            "already": self.already,
            "missing": [missing.to_json() for missing in self.missing],
        }

    @classmethod
    def from_json(cls, document: Document) -> Self:
        """The plan that `to_json` wrote; `InvalidPlan` where the document is none."""
        try:
            return cls(
                tuple(Task.from_json(task) for task in document["tasks"]),
                document["already"],
                tuple(Missing.from_json(missing) for missing in document["missing"]),
            )
        except (KeyError, TypeError) as error:
            raise InvalidPlan(f"the planner did not return a plan: {error!r}") from error


def plans_from_json(documents: Any) -> list[StagePlan]:
    """The plans that a planner returned; `InvalidPlan` where it did not."""
    if not isinstance(documents, list) or not documents:
        raise InvalidPlan("the planner did not return a list of plans")
    plans = [StagePlan.from_json(document) for document in documents]
    if any(plan.tasks for plan in plans[:-1]):
        raise InvalidPlan("the planner planned a stage before the tasks of an earlier one")
    return plans


@dataclass(frozen=True)
class RunRequest:
    """A pipeline to run, stage after stage.

    `planner` names a function as `package.module:function`, called in a worker process as
    `planner(payload, stage)`; it returns, as JSON, a list of `StagePlan`: that of the stage and,
    as long as no task stands before them, those of the stages after it. An unfinished run of the
    same `submission` is continued, never doubled. The stages in `auxiliary` look at what there is,
    or list it: what they did does not make a run a success.
    """

    name: str
    planner: str
    payload: Document
    stages: tuple[str, ...]
    submission: str
    auxiliary: tuple[str, ...] = ()

    def to_json(self) -> Document:
        return {**vars(self), "stages": list(self.stages), "auxiliary": list(self.auxiliary)}

    @classmethod
    def from_json(cls, document: Document) -> Self:
        names = {
            "stages": tuple(document["stages"]),
            # Runs recorded by earlier versions name none.
            "auxiliary": tuple(document.get("auxiliary", ())),
        }
        return cls(**{**document, **names})
