"""`thalweg runs`: what was run, what runs now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from thalweg.jobs.status import RunStatus

app = typer.Typer(help="List, show and cancel runs.", no_args_is_help=True)

EXAMPLES = """
Examples:

  thalweg runs list

  thalweg runs show RUN --json

  thalweg runs cancel RUN
"""
_COUNTS = ("made", "failed", "missing")
RunArgument = Annotated[str, typer.Argument(help="The id of a run, as `runs list` shows it.")]


@app.command("list", epilog=EXAMPLES)
def list_runs(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first."""
    from thalweg.cli.report import print_table, table
    from thalweg.jobs.engine import open_runs
    from thalweg.pipelines.workspace import Workspace

    place = Workspace.existing(workspace)
    with open_runs(place.jobs_folder) as record:
        found = record.runs(limit)
    if as_json:
        typer.echo(json.dumps([one.to_json() for one in found], indent=2))
        return
    if not found:
        typer.echo("No runs yet.")
        return
    rows = table("run", "pipeline", "state", "begun", "made", "failed", "missing", numbers=_COUNTS)
    for one in found:
        rows.add_row(one.id, one.name, one.state, _begun(one), *_totals(one))
    print_table(rows)


def _begun(run: RunStatus) -> str:
    return run.started.astimezone().strftime("%Y-%m-%d %H:%M:%S") if run.started else ""


def _totals(run: RunStatus) -> tuple[str, str, str]:
    done = sum(stage.done for stage in run.stages)
    failed = sum(stage.failed for stage in run.stages)
    return str(done), str(failed), str(sum(stage.missing for stage in run.stages))


@app.command("show", epilog=EXAMPLES)
def show_run(
    run: RunArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Show a run: its steps, and everything that failed or is missing."""
    from thalweg.cli.report import print_whole_run
    from thalweg.jobs.engine import open_runs
    from thalweg.pipelines.workspace import Workspace

    place = Workspace.existing(workspace)
    with open_runs(place.jobs_folder) as record:
        status = record.status(run)
    if as_json:
        typer.echo(json.dumps(status.to_json(), indent=2))
    else:
        print_whole_run(status)


@app.command("cancel", epilog=EXAMPLES)
def cancel_run(run: RunArgument, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Cancel a run: nothing new starts, what is made stays."""
    from thalweg.jobs.engine import open_runs
    from thalweg.pipelines.workspace import Workspace

    place = Workspace.existing(workspace)
    with open_runs(place.jobs_folder) as record:
        record.cancel(run)
        typer.echo(f"{run}: {record.status(run).state}")
