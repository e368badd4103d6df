"""`thalweg keys`: who may use the service of a workspace."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from thalweg.settings import Role

if TYPE_CHECKING:
    from pathlib import Path

    from thalweg.api.keys import Keys

app = typer.Typer(
    help="Add, list and revoke the API keys of a workspace's service.", no_args_is_help=True
)

EXAMPLES = """
Examples:

  thalweg keys add "map of the ministry"

  thalweg keys add nightly --role operator --days 90

  thalweg keys list

  thalweg keys revoke 3f9c2a71
"""


@app.command(epilog=EXAMPLES)
def add(
    name: Annotated[str, typer.Argument(help="Whose key it is, or what for.")],
    role: Annotated[Role, typer.Option(help="What it allows.")] = Role.READER,
    days: Annotated[
        int | None, typer.Option(min=1, help="How long it holds; for ever if not said.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Add a key. It is shown this once: only a digest of it is kept."""
    key, text = _keys(workspace).add(name, role, days)
    if as_json:
        told = {"id": key.id, "role": key.role, "expires_at": key.expires_at, "key": text}
        typer.echo(json.dumps(told))
        return
    typer.echo(text)
    typer.echo(
        f"This key is shown once. It gives the role {role}; send it in the header X-API-Key.",
        err=True,
    )


@app.command("list", epilog=EXAMPLES)
def list_keys(workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False) -> None:
    """List the keys, by the ids that they begin with."""
    from thalweg.cli.report import print_table, table

    keys = _keys(workspace).all()
    if as_json:
        secret = ("salt", "digest")
        shown = [{k: v for k, v in key.to_json().items() if k not in secret} for key in keys]
        typer.echo(json.dumps(shown, indent=2))
        return
    rows = table("id", "name", "role", "made", "expires")
    for key in keys:
        rows.add_row(key.id, key.name, key.role, key.made_at, key.expires_at or "never")
    print_table(rows)


@app.command(epilog=EXAMPLES)
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The id of the key.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Take a key away: from now on it opens nothing."""
    taken = _keys(workspace).revoke(key)
    typer.echo(f"revoked {taken.id} ({taken.name})")


def _keys(workspace: Path) -> Keys:
    from thalweg.api.keys import Keys
    from thalweg.pipelines.workspace import Workspace

    return Keys(Workspace.existing(workspace).folder)
