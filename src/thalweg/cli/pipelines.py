"""`thalweg pipelines`: the files that describe deliveries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.cli.options import JsonOption, PipelineArgument

if TYPE_CHECKING:
    from thalweg.domain.grammar import Grammar

app = typer.Typer(help="List, show and validate pipelines.", no_args_is_help=True)

EXAMPLES = """
Examples:

  thalweg pipelines list

  thalweg pipelines show fathom > my-delivery.yaml

  thalweg pipelines validate my-delivery.yaml --path rwa/RAIN/2020/1in5/s01e030.tif

  thalweg pipelines schema > pipeline.schema.json
"""


@app.command("list", epilog=EXAMPLES)
def list_pipelines(as_json: JsonOption = False) -> None:
    """List the pipelines that come with Thalweg."""
    from thalweg.cli.report import print_table, table
    from thalweg.pipelines.choice import without_disabled
    from thalweg.pipelines.loader import built_in, load

    found = {name: load(path) for name, path in sorted(built_in().items())}
    if as_json:
        typer.echo(json.dumps({name: one.title for name, one in found.items()}, indent=2))
        return
    rows = table("pipeline", "what", "steps")
    for name, one in found.items():
        done = without_disabled(one).steps
        steps = [step.name if step in done else f"({step.name})" for step in one.steps]
        rows.add_row(name, one.title, " -> ".join(steps))
    print_table(rows)
    typer.echo("\nSteps in brackets are left out unless `thalweg run --with STEP` asks for them.")


@app.command("show", epilog=EXAMPLES)
def show_pipeline(pipeline: PipelineArgument) -> None:
    """Print a pipeline's file: a beginning for one of your own."""
    from thalweg.pipelines.loader import find

    typer.echo(find(pipeline).read_text(encoding="utf-8"), nl=False)


@app.command("validate", epilog=EXAMPLES)
def validate_pipelines(
    files: Annotated[list[Path], typer.Argument(help="Pipeline files.")],
    paths: Annotated[
        list[str] | None,
        typer.Option("--path", help="A path of the delivery, to see what the grammar reads."),
    ] = None,
) -> None:
    """Check pipeline files, and what they read from paths."""
    from thalweg.errors import ThalwegError
    from thalweg.pipelines.loader import load

    faulty = False
    for file in files:
        try:
            pipeline = load(file)
        except ThalwegError as error:
            typer.echo(str(error), err=True)
            faulty = True
            continue
        typer.echo(f"{file}: sound, {len(pipeline.steps)} steps")
        for path in paths or []:
            faulty |= not _reads(pipeline.domain_grammar(), path)
    raise typer.Exit(2 if faulty else 0)


def _reads(grammar: Grammar, path: str) -> bool:
    from thalweg.errors import NamingError

    try:
        coordinates = grammar.read(path)
    except NamingError as error:
        typer.echo(f"{error.code}: {error}", err=True)
        return False
    spoken = ", ".join(f"{name} {value}" for name, value in coordinates.items())
    typer.echo(f"{path}: {coordinates.id} ({spoken})")
    return True


@app.command("schema", epilog=EXAMPLES)
def print_schema() -> None:
    """Print the JSON Schema of pipeline files, for editors."""
    from thalweg.pipelines.schema import Pipeline

    typer.echo(json.dumps(Pipeline.model_json_schema(), indent=2))
