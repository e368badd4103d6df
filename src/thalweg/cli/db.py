"""`thalweg db`: a PostgreSQL of the workspace's own, and what goes into any."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.cli.options import DEFAULT_WORKSPACE, WorkspaceOption

if TYPE_CHECKING:
    from thalweg.pipelines.workspace import Workspace
    from thalweg.settings import Settings

app = typer.Typer(help="Run, prepare and fill a PostgreSQL database.", no_args_is_help=True)

EXAMPLES = """
Examples:

  export THALWEG_DATABASE_URL=$(thalweg db up)

  thalweg db status

  thalweg db migrate

  thalweg db load

  thalweg db load --back

  thalweg db stop
"""


@app.command("up", epilog=EXAMPLES)
def up(workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Start the workspace's own PostgreSQL, made where there is none; prints its URL."""
    from thalweg.postgres.cluster import Cluster

    cluster = Cluster.of(_place(workspace)[0].folder)
    started = cluster.start()
    typer.echo("PostgreSQL is started." if started else "PostgreSQL runs already.", err=True)
    typer.echo(cluster.url)


@app.command("stop", epilog=EXAMPLES)
def stop(workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Stop the workspace's own PostgreSQL; what it holds stays."""
    from thalweg.postgres.cluster import Cluster

    stopped = Cluster.of(_place(workspace)[0].folder).stop()
    typer.echo("PostgreSQL is stopped." if stopped else "PostgreSQL does not run.")


@app.command("status", epilog=EXAMPLES)
def status(workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Say whether a database runs, and what it is prepared for; 1 where it does not run."""
    from thalweg.errors import DatabaseUnavailable
    from thalweg.postgres.cluster import Cluster
    from thalweg.postgres.preparing import state_of

    place, settings = _place(workspace)
    cluster = Cluster.of(place.folder)
    url = settings.database_url or cluster.url
    if not settings.database_url:
        typer.echo(f"cluster   {cluster.state}, in {cluster.folder}")
    try:
        found = state_of(url)
    except DatabaseUnavailable:
        typer.echo("database  does not answer")
        raise typer.Exit(1) from None
    typer.echo(f"database  {_without_password(url)}")
    typer.echo(f"pgSTAC    {found.pgstac or 'absent: thalweg db migrate'}")
    typer.echo(f"features  {found.features or 'absent: thalweg db migrate'}")


@app.command("migrate", epilog=EXAMPLES)
def migrate(workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Make or update what serving needs in the database, and the role that it reads as."""
    from thalweg.postgres.preparing import prepare

    place, settings = _place(workspace)
    done = prepare(_url(place, settings), settings.serve.read_role)
    typer.echo(f"pgSTAC is at {done.pgstac}, features at {done.features}.")
    if not settings.serve.read_role:
        typer.echo(f"Serving may read as a role of its own: THALWEG_SERVE__READ_ROLE={done.reader}")


@app.command("load", epilog=EXAMPLES)
def load(
    back: Annotated[
        bool, typer.Option("--back", help="From the database into the workspace's files.")
    ] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Bring the workspace's catalogue and features into the database, or back."""
    from thalweg.features.postgis import PostgisTables
    from thalweg.features.stores import embedded_store
    from thalweg.pipelines.workspace import Workspace
    from thalweg.postgres import moving

    place, settings = _place(workspace)
    Workspace.existing(workspace)
    url = _url(place, settings)
    with place.catalog() as catalog:
        move = moving.load_back if back else moving.load
        moved = move(catalog, embedded_store(place.folder), PostgisTables(url), url)
    changed = "new or changed " if back else ""
    typer.echo(
        f"{moved.collections} {changed}collections, {moved.items} {changed}items, "
        f"{moved.tables} tables with {moved.features} features"
    )
    for item in moved.left_out:
        typer.echo(f"left out, as it has no place: {item}", err=True)


def _place(workspace: Path) -> tuple[Workspace, Settings]:
    from thalweg.pipelines.workspace import Workspace

    return Workspace.at(workspace)


def _url(place: Workspace, settings: Settings) -> str:
    """The database that is set, else the workspace's own where it runs."""
    from thalweg.errors import SettingsError
    from thalweg.postgres.cluster import Cluster

    if settings.database_url:
        return settings.database_url
    cluster = Cluster.of(place.folder)
    if cluster.state != "running":
        raise SettingsError(
            "there is no database",
            hint="set THALWEG_DATABASE_URL, or start one: thalweg db up",
        )
    return cluster.url


def _without_password(url: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    user, found, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.partition(':')[0]}{found}{host}").geturl()
