"""`thalweg run`: brings what a pipeline makes up to date."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    PipelineArgument,
    SetOption,
    SourceOption,
    WithOption,
    WorkspaceOption,
)
from thalweg.cli.texts import Call, command

if TYPE_CHECKING:
    from thalweg.jobs.status import RunStatus
    from thalweg.pipelines.choice import Choice
    from thalweg.pipelines.schema import Pipeline
    from thalweg.pipelines.workspace import Workspace
    from thalweg.settings import Settings

EXIT_CODES = {"succeeded": 0, "partial": 3, "failed": 1, "cancelled": 1}
INTERRUPTED = 130
EXAMPLES = """
Examples:

  thalweg run fathom --source delivery --set region=rwa

  thalweg run fathom --source s3://bucket/floods --dry-run

  thalweg run fathom --source delivery --with hexagons --with exposure

  thalweg run mine.yaml --source delivery --set mosaic.cell_degrees=5

  thalweg run mine.yaml --source delivery --retry
"""


def run(
    pipeline: PipelineArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    source: SourceOption = None,
    settings: SetOption = None,
    with_steps: WithOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Make again what is made, and mend what is damaged.")
    ] = False,
    retry: Annotated[
        bool,
        typer.Option(
            "--retry",
            help="Only what the last run failed at or missed, once the causes are mended.",
        ),
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Make only so many of what the last step makes.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring what a pipeline makes up to date: only what is missing or changed is made."""
    from thalweg.pipelines.choice import choose, enabling
    from thalweg.pipelines.loader import find, load
    from thalweg.pipelines.workspace import Workspace

    definition = load(find(pipeline))
    settings, with_steps = settings or [], with_steps or []
    chosen, choice = choose(definition, [*settings, *enabling(definition, with_steps)])
    choice = replace(choice, limit=limit, force=force)
    if retry:
        place = Workspace.existing(workspace, source=source)
        choice = replace(choice, only=_unfinished(chosen, place))
    if dry_run:
        place, _ = Workspace.at(workspace, source=source)
        _rehearse(chosen, choice, place, as_json)
        return
    place, configuration = Workspace.open(workspace, source=source)
    call = Call(pipeline, workspace, source, settings, with_steps)
    status = _run(chosen, choice, place, configuration, call, quiet=as_json)
    if as_json:
        typer.echo(json.dumps(status.to_json(), indent=2))
    else:
        from thalweg.cli.report import print_run

        print_run(status, call)
    raise typer.Exit(EXIT_CODES[status.state])


def _unfinished(pipeline: Pipeline, workspace: Workspace) -> dict[str, frozenset[str]] | None:
    from thalweg.jobs.engine import open_runs
    from thalweg.pipelines.runner import unfinished_of_last_run

    with open_runs(workspace.jobs_folder) as runs:
        return unfinished_of_last_run(pipeline, runs)


def _rehearse(pipeline: Pipeline, choice: Choice, workspace: Workspace, as_json: bool) -> None:
    from thalweg.cli.report import plan_as_json, print_plan
    from thalweg.pipelines.runner import rehearse

    plans = rehearse(pipeline, choice, workspace)
    if as_json:
        typer.echo(json.dumps(plan_as_json(plans), indent=2))
    else:
        print_plan(plans)


def _run(
    pipeline: Pipeline,
    choice: Choice,
    workspace: Workspace,
    settings: Settings,
    call: Call,
    *,
    quiet: bool,
) -> RunStatus:
    from thalweg.cli.progress import Progress
    from thalweg.jobs.engine import open_engine, open_runs
    from thalweg.pipelines.runner import PRELOAD, prepare, refuse_moved, run_request

    request = run_request(pipeline, choice, workspace)
    with open_runs(workspace.jobs_folder) as runs:
        refuse_moved(workspace, runs)
    with open_engine(
        workspace.jobs_folder,
        workers=settings.jobs.workers,
        memory=settings.jobs.memory,
        preload=PRELOAD,
    ) as engine:
        prepare(pipeline, workspace)
        run_id = engine.submit(request)
        try:
            with Progress(engine, engine.status(run_id), quiet=quiet) as progress:
                return engine.wait(run_id, progress.show, progress.interval)
        except KeyboardInterrupt:
            cancel = command("runs", "cancel", run_id, on=call.workspace)
            typer.echo(f"\nStopped. The same command goes on; to give it up: {cancel}", err=True)
            raise typer.Exit(INTERRUPTED) from None
