"""From a pipeline to a run: what is submitted, how each stage is planned, how each task is run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from thalweg.errors import CollectionNotFound, UsageError, WorkspaceMoved
from thalweg.jobs.engine import Runs
from thalweg.jobs.status import RunStatus
from thalweg.jobs.tasks import Document, RunRequest, StagePlan
from thalweg.pipelines.choice import Choice
from thalweg.pipelines.operators import OPERATORS
from thalweg.pipelines.plan import StepPlan, plan_steps
from thalweg.pipelines.schema import Pipeline
from thalweg.pipelines.situation import gather
from thalweg.pipelines.steps import CatalogStep, InventoryStep
from thalweg.pipelines.workspace import Workspace, is_workspace
from thalweg.storage.staging import sweep

PRELOAD = ("thalweg.pipelines.runner", "thalweg.catalog.sqlite", "thalweg.pipelines.items")


def run_request(pipeline: Pipeline, choice: Choice, workspace: Workspace) -> RunRequest:
    """The run of a pipeline; two of the same pipeline, choice and workspace are one submission."""
    payload: Document = {
        "pipeline": pipeline.model_dump(mode="json"),
        "choice": choice.to_json(),
        "workspace": workspace.to_json(),
    }
    submission = hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
    return RunRequest(
        name=pipeline.name,
        planner="thalweg.pipelines.runner:plan_stages",
        payload=payload,
        stages=tuple(step.name for step in pipeline.steps),
        submission=submission,
        auxiliary=tuple(
            step.name for step in pipeline.steps if isinstance(step, (InventoryStep, CatalogStep))
        ),
    )


def refuse_moved(workspace: Workspace, runs: Runs) -> None:
    """Raises `WorkspaceMoved` where a run is unfinished that began in another folder.

    The workspace was copied or moved then, and the run would go on in that other folder.
    """
    for run in runs.runs():
        folder = run.request.payload["workspace"]["folder"]
        if not run.ended and folder != str(workspace.folder):
            raise WorkspaceMoved(
                f"run {run.id} began in {folder}, and would go on there",
                hint=f"give it up: thalweg runs cancel {run.id} -w {workspace.folder}",
                where=str(workspace.folder),
            )


def prepare(pipeline: Pipeline, workspace: Workspace) -> None:
    """What must be there before a run starts: its collections, and no leftovers of dead ones."""
    with workspace.catalog() as catalog:
        for step in pipeline.steps:
            if isinstance(step, CatalogStep):
                try:
                    catalog.collection(step.collection)
                except CollectionNotFound:
                    from thalweg.pipelines.items import collection_of

                    catalog.put_collection(collection_of(pipeline, step, ()))
    for name in workspace.zone_urls:
        folder = workspace.zone(name).folder
        if folder is not None:
            sweep(folder)


def rehearse(pipeline: Pipeline, choice: Choice, workspace: Workspace) -> list[StepPlan]:
    """The plans of all steps: a dry run, which leaves nothing behind."""
    with TemporaryDirectory() as scratch:
        if not is_workspace(workspace.folder):
            workspace = replace(workspace, folder=Path(scratch))
        situation = gather(workspace, pipeline, choice, live=True, rehearsal=True)
        return list(plan_steps(situation, OPERATORS))


def plan_stages(payload: Document, stage: str) -> list[Document]:
    """The planner that a run names: see `RunRequest`."""
    pipeline = Pipeline.model_validate(payload["pipeline"])
    situation = gather(
        Workspace.from_json(payload["workspace"]),
        pipeline,
        Choice.from_json(payload["choice"]),
        live=isinstance(pipeline.step(stage), InventoryStep),
    )
    found: list[Document] = []
    for plan in plan_steps(situation, OPERATORS):
        if not found and plan.step.name != stage:
            continue
        tasks = tuple(
            replace(task, payload={**task.payload, "workspace": payload["workspace"]})
            for task in plan.all_tasks()
        )
        found.append(StagePlan(tasks, plan.already, tuple(plan.missing)).to_json())
        if tasks:
            break
    return found


def run_task(payload: Document) -> Document:
    """The function that each task names."""
    workspace = Workspace.from_json(payload["workspace"])
    return OPERATORS[payload["operator"]].run(payload, workspace)


def unfinished_of_last_run(pipeline: Pipeline, runs: Runs) -> dict[str, frozenset[str]] | None:
    """What the pipeline's last run failed at or missed, as ids by step; for `Choice.only`.

    None where it failed at planning or at looking at files, and so does not know what it missed.
    Raises `UsageError` where there is nothing to retry.
    """
    last = next((run for run in runs.runs() if run.name == pipeline.name), None)
    if last is None:
        raise UsageError(
            f"pipeline {pipeline.name!r} has no earlier run here", hint="run it without --retry"
        )
    status = runs.status(last.id)
    inventories = {step.name for step in pipeline.steps if isinstance(step, InventoryStep)}
    if any(not failure.key or failure.stage in inventories for failure in status.failures):
        return None
    unfinished = _unfinished(status)
    if not unfinished:
        raise UsageError(
            f"run {status.id} left nothing to retry", hint="run without --retry for what is new"
        )
    return unfinished


def _unfinished(status: RunStatus) -> dict[str, frozenset[str]]:
    found: Iterable[tuple[str, str]] = [
        *((failure.stage, failure.key) for failure in status.failures),
        *((stage, lost.key) for stage, lost in status.missing),
    ]
    by_stage: dict[str, set[str]] = {}
    for stage, key in found:
        by_stage.setdefault(stage, set()).add(key)
    return {stage: frozenset(keys) for stage, keys in by_stage.items()}
