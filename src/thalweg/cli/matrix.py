"""`thalweg matrix`: what is expected, found, made and catalogued."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from thalweg.cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    PipelineArgument,
    SetOption,
    WorkspaceOption,
)

if TYPE_CHECKING:
    from thalweg.pipelines.matrix import PipelineMatrix

INCOMPLETE = 3
EXAMPLES = """
Examples:

  thalweg matrix fathom --set region=rwa

  thalweg matrix fathom --set peril=pluvial --set year=2050,2080 --json

Exit code 3 says that something is missing.
"""


def matrix(
    pipeline: PipelineArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is expected, found, made and catalogued, and what is missing by name."""
    from thalweg.cli.report import print_matrix
    from thalweg.pipelines.choice import choose
    from thalweg.pipelines.loader import find, load
    from thalweg.pipelines.matrix import matrix_of
    from thalweg.pipelines.workspace import Workspace

    chosen, choice = choose(load(find(pipeline)), settings or [])
    place = Workspace.existing(workspace)
    found = matrix_of(chosen, choice, place)
    if as_json:
        typer.echo(json.dumps(_as_json(found), indent=2))
    else:
        print_matrix(found)
    if not found.matrix.complete:
        raise typer.Exit(INCOMPLETE)


def _as_json(found: PipelineMatrix) -> dict[str, Any]:
    return {
        "complete": found.matrix.complete,
        "levels": [
            {
                "name": level.name,
                "expected": len(level.expected),
                "present": len(level.present),
                "catalogued": None if level.catalogued is None else len(level.catalogued),
                "missing": [
                    {"id": one.id, "reason": found.reasons.get((level.name, one.id), "")}
                    for one in sorted(level.missing, key=str)
                ],
                "surplus": [one.id for one in sorted(level.surplus, key=str)],
                "uncatalogued": [one.id for one in sorted(level.uncatalogued, key=str)],
            }
            for level in found.matrix.levels
        ],
        "unread": found.unread,
    }
