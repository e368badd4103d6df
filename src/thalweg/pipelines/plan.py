"""Plans: what each step ought to make, from what, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Protocol

from thalweg.catalog.ledger import Artifact, Input
from thalweg.domain.coordinates import Coordinates
from thalweg.domain.fingerprints import fingerprint, immutable_key
from thalweg.jobs.tasks import Document, Missing, Task
from thalweg.pipelines.choice import Choice
from thalweg.pipelines.schema import Pipeline
from thalweg.pipelines.steps import MosaicStep, StackStep, Step
from thalweg.pipelines.survey import Survey
from thalweg.pipelines.workspace import Workspace
from thalweg.storage.folders import StoredObject
from thalweg.storage.zones import Zone

TASK_CALL = "thalweg.pipelines.runner:run_task"
TIMEOUT = 1800.0


@dataclass(frozen=True)
class Planned:
    """One artifact that a step ought to make.

    Where `obstacles` stand in the way it has no key, and cannot be made. It is `deferred` where it
    is beyond what the run is limited to, and made `again` where the run is forced. `payload` is
    what the operator needs to make it besides; `memory` and `size` (what it reads) are in bytes.
    Those of one `group` are made by one task, from the same inputs and with the same payload.
    """

    coordinates: Coordinates
    inputs: tuple[Input, ...] = ()
    fingerprint: str = ""
    key: str = ""
    done: bool = False
    again: bool = False
    deferred: bool = False
    obstacles: tuple[Missing, ...] = ()
    payload: Document = field(default_factory=dict)
    memory: int = 0
    size: int = 0
    group: str = ""

    @property
    def id(self) -> str:
        return self.coordinates.id

    @property
    def to_make(self) -> bool:
        return not (self.deferred or self.obstacles) and (self.again or not self.done)


@dataclass(frozen=True)
class StepPlan:
    """What a step ought to make; `tasks` are work besides, `problems` concern single files."""

    step: Step
    planned: tuple[Planned, ...] = ()
    tasks: tuple[Task, ...] = ()
    problems: tuple[Missing, ...] = ()
    seen: int = 0

    @property
    def already(self) -> int:
        """How many things need no task."""
        return self.seen + sum(planned.done and not planned.again for planned in self.planned)

    @property
    def missing(self) -> Iterator[Missing]:
        """Everything that the step cannot make, by name."""
        yield from self.problems
        for planned in self.planned:
            if planned.obstacles and not planned.deferred:
                reasons = "; ".join(obstacle.reason for obstacle in planned.obstacles)
                hints = dict.fromkeys(one.hint for one in planned.obstacles if one.hint)
                yield Missing(planned.id, reasons, "; ".join(hints))

    def all_tasks(self) -> Iterator[Task]:
        """The tasks that make what is to be made, in the order of their coordinates."""
        yield from self.tasks
        to_make = (planned for planned in self.planned if planned.to_make)
        for key, group in groupby(to_make, lambda planned: planned.group or planned.id):
            yield self._task(key, list(group))

    def _task(self, key: str, group: Sequence[Planned]) -> Task:
        planned = group[0]
        payload = {
            "operator": self.step.operator,
            "step": self.step.name,
            "zone": getattr(self.step, "zone", ""),
            "outputs": [
                {
                    "key": one.key,
                    "fingerprint": one.fingerprint,
                    "coordinates": one.coordinates.to_json(),
                }
                for one in group
            ],
            "inputs": [[one.zone, one.key, one.identity] for one in planned.inputs],
            **planned.payload,
        }
        return Task(
            key,
            f"{self.step.name} {key}",
            TASK_CALL,
            payload,
            planned.memory,
            TIMEOUT,
            max(planned.size, 1),
        )


@dataclass(frozen=True)
class Situation:
    """Everything that planning looks at; planning itself reads and writes nothing else.

    `fresh` are the files to inspect and `gone` the keys to forget. `vectors` are the vector files
    of the steps that read some, by step. `artifacts` are the current ones
    by fingerprint, without those whose object is gone; `items` the STAC items by collection and
    id. In a `rehearsal` (a dry run) a step counts on all that the steps before it would make, else
    on what they have made.
    """

    pipeline: Pipeline
    choice: Choice
    survey: Survey
    fresh: tuple[StoredObject, ...] = ()
    gone: tuple[str, ...] = ()
    vectors: Mapping[str, tuple[StoredObject, ...]] = field(default_factory=dict)
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)
    items: Mapping[str, Mapping[str, Document]] = field(default_factory=dict)
    zones: Mapping[str, Zone] = field(default_factory=dict)
    rehearsal: bool = False


def planned_artifact(
    step: Step,
    version: int,
    situation: Situation,
    coordinates: Coordinates,
    inputs: tuple[Input, ...],
    parameters: Document,
    payload: Document,
    *,
    stem: str,
    extension: str,
    deferred: bool,
    memory: int,
    size: int,
    group: str = "",
) -> Planned:
    """An artifact that nothing stands in the way of.

    The operator and its `version`, the coordinates, the inputs and the parameters make its
    fingerprint; with `stem` and `extension` that makes its key. `payload` is what the operator
    needs besides the parameters; `memory`, `size` and `group` as in `Planned`.
    """
    told_apart = {**parameters, "coordinates": coordinates.to_json()}
    identities = [(one.key, one.identity) for one in inputs]
    digest = fingerprint(step.operator, version, told_apart, identities)
    return Planned(
        coordinates,
        inputs,
        digest,
        immutable_key(stem, digest, extension),
        done=digest in situation.artifacts,
        again=situation.choice.force,
        deferred=deferred,
        payload={**parameters, **payload, "pipeline": situation.pipeline.name},
        memory=memory,
        size=size,
        group=group,
    )


class Operator(Protocol):
    """What a step does.

    `plan` is pure: from the situation and the plans of the steps before it, it lists what ought
    to be made, each with its inputs, key and fingerprint, and whether it is made already. `run`
    does one task of a plan in a worker process, is safe to repeat, and returns a JSON object.
    """

    version: int

    def plan(self, step: Any, situation: Situation, before: Mapping[str, StepPlan]) -> StepPlan: ...

    def run(self, payload: Document, workspace: Workspace) -> Document: ...


def plan_steps(situation: Situation, operators: Mapping[str, Operator]) -> Iterator[StepPlan]:
    """The plans of all steps in their order, each made when it is asked for."""
    situation = replace(situation, choice=_with_limit_named(situation, operators))
    return _plan_steps(situation, operators)


def _plan_steps(situation: Situation, operators: Mapping[str, Operator]) -> Iterator[StepPlan]:
    plans: dict[str, StepPlan] = {}
    for step in situation.pipeline.steps:
        plans[step.name] = operators[step.operator].plan(step, situation, plans)
        yield plans[step.name]


def _with_limit_named(situation: Situation, operators: Mapping[str, Operator]) -> Choice:
    """The choice with its limit replaced by the ids that it leaves."""
    choice = situation.choice
    if choice.limit is None:
        return choice
    unlimited = replace(situation, choice=replace(choice, limit=None), rehearsal=True)
    makers = [
        plan
        for plan in _plan_steps(unlimited, operators)
        if isinstance(plan.step, (StackStep, MosaicStep))
    ]
    if not makers:
        return choice
    chosen = [planned.id for planned in makers[-1].planned if planned.to_make][: choice.limit]
    return replace(choice, limit=None, only={makers[-1].step.name: frozenset(chosen)})
