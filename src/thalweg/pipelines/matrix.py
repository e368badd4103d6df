"""The matrix of a pipeline: expected, found, made, catalogued, as the ledger has it."""

from __future__ import annotations

from dataclasses import dataclass

from thalweg.catalog.ledger import Artifact
from thalweg.domain.coordinates import Coordinates
from thalweg.domain.matrix import Level, Matrix
from thalweg.errors import UsageError
from thalweg.pipelines.choice import Choice
from thalweg.pipelines.item_plans import catalog_step_of
from thalweg.pipelines.operators import OPERATORS
from thalweg.pipelines.plan import Situation, StepPlan, plan_steps
from thalweg.pipelines.schema import Pipeline
from thalweg.pipelines.situation import gather
from thalweg.pipelines.steps import MosaicStep, StackStep
from thalweg.pipelines.workspace import Workspace

SOURCE = "source"


@dataclass(frozen=True)
class PipelineMatrix:
    """The matrix, its rows (what the levels have in common), and the reasons for what is missing.

    `reasons` are by level and id.
    """

    matrix: Matrix
    rows: list[tuple[Coordinates, Matrix]]
    reasons: dict[tuple[str, str], str]
    unread: dict[str, str]


def matrix_of(pipeline: Pipeline, choice: Choice, workspace: Workspace) -> PipelineMatrix:
    """The matrix of what was last inventoried; raises `UsageError` where nothing was."""
    if pipeline.grammar is None:
        raise UsageError(
            f"pipeline {pipeline.name!r} has no rasters, and so no matrix",
            hint="thalweg hexagons list shows its tables",
        )
    situation = gather(workspace, pipeline, choice, live=False, vectors=False)
    if not situation.survey.named and not situation.survey.unnamed:
        raise UsageError(
            f"nothing of pipeline {pipeline.name!r} is inventoried in {workspace.folder}",
            hint=f"thalweg run {pipeline.name} --source FOLDER makes the inventory",
        )
    plans = [plan for plan in plan_steps(situation, OPERATORS) if _makes_rasters(plan)]
    levels = [_source_level(situation), *(_level(plan, situation) for plan in plans)]
    matrix = Matrix(tuple(levels))
    dimensions = pipeline.domain_dimensions
    rows = sorted(
        matrix.rows(_common_dimensions(pipeline)), key=lambda row: dimensions.sort_key(row[0])
    )
    reasons = {
        (SOURCE, one.id): "; ".join(
            f"{error.where}: {error.code}: {error.message}" for error in blame
        )
        for one, blame in situation.survey.blamed.items()
    }
    reasons |= {(plan.step.name, lost.key): lost.reason for plan in plans for lost in plan.missing}
    unread = {key: error.message for key, error in sorted(situation.survey.unnamed.items())}
    return PipelineMatrix(matrix, rows, reasons, unread)


def _makes_rasters(plan: StepPlan) -> bool:
    return isinstance(plan.step, (StackStep, MosaicStep))


def _common_dimensions(pipeline: Pipeline) -> list[str]:
    """The dimensions that no step takes away."""
    taken = {step.over for step in pipeline.steps if isinstance(step, StackStep)}
    taken |= {step.tile for step in pipeline.steps if isinstance(step, MosaicStep)}
    return [name for name in pipeline.dimensions if name not in taken]


def _source_level(situation: Situation) -> Level:
    survey = situation.survey
    surplus = frozenset(survey.blamed) - survey.expected
    return Level(SOURCE, survey.expected, frozenset(survey.usable) | surplus)


def _level(plan: StepPlan, situation: Situation) -> Level:
    expected = frozenset(planned.coordinates for planned in plan.planned)
    made = {planned.coordinates for planned in plan.planned if planned.done}
    made |= _made_beside_the_plan(plan, situation) - expected
    return Level(plan.step.name, expected, frozenset(made), _catalogued(plan, made, situation))


def _made_beside_the_plan(plan: StepPlan, situation: Situation) -> set[Coordinates]:
    """What is made, within the choice, that nobody expects (any more)."""
    made = (
        situation.pipeline.coordinates(artifact.coordinates)
        for artifact in _artifacts(plan, situation)
    )
    return {one for one in made if one.within(situation.choice.selection)}


def _catalogued(
    plan: StepPlan, made: set[Coordinates], situation: Situation
) -> frozenset[Coordinates] | None:
    step = catalog_step_of(situation.pipeline, plan.step.name)
    if step is None:
        return None
    items = situation.items.get(step.collection, {})
    hrefs = {name: document["assets"]["data"]["href"] for name, document in items.items()}
    return frozenset(
        one
        for artifact in _artifacts(plan, situation)
        if (one := situation.pipeline.coordinates(artifact.coordinates)) in made
        and hrefs.get(one.id) == situation.zones[artifact.zone].href(artifact.key)
    )


def _artifacts(plan: StepPlan, situation: Situation) -> list[Artifact]:
    return [one for one in situation.artifacts.values() if one.kind == plan.step.name]
