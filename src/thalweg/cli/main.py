"""The command `thalweg`: one file a command group, imported when it is called."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from thalweg import __version__
from thalweg.cli import (
    buildings,
    catalog,
    doctor,
    exposure,
    hexagons,
    keys,
    matrix,
    pipelines,
    run,
    runs,
    serve,
    sources,
    synth,
)
from thalweg.cli.texts import printable
from thalweg.errors import ThalwegError

EXIT_CODES = """
Exit codes: 0 all is done, 1 failed, 2 wrongly called or a wrong file or setting, 3 something is
missing or failed and the rest is done, 130 stopped by Ctrl-C (the same command goes on).
"""

app = typer.Typer(
    help="Earth data from raw files in a bucket to a service people query, publish and trust.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run", epilog=run.EXAMPLES, short_help="Bring what a pipeline makes up to date.")(
    run.run
)
app.command("matrix", epilog=matrix.EXAMPLES, short_help="Show what is expected, made, missing.")(
    matrix.matrix
)
app.command("serve", epilog=serve.EXAMPLES, short_help="Serve a workspace over HTTP.")(serve.serve)
app.add_typer(keys.app, name="keys")
app.add_typer(runs.app, name="runs")
app.add_typer(catalog.app, name="catalog")
app.add_typer(hexagons.app, name="hexagons")
app.add_typer(buildings.app, name="buildings")
app.add_typer(exposure.app, name="exposure")
app.add_typer(sources.app, name="sources")
app.add_typer(pipelines.app, name="pipelines")
app.add_typer(synth.app, name="synth")
app.command("doctor", epilog=doctor.EXAMPLES, short_help="Say what is wrong, and how to mend it.")(
    doctor.doctor
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"thalweg {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command; an error that a person can act on is printed without a traceback."""
    try:
        app()
    except ThalwegError as error:
        print_error(error)
        sys.exit(error.exit_code)


def print_error(error: ThalwegError) -> None:
    """What is wrong, where, and what to do."""
    where = f"{error.where}: " if error.where else ""
    print(printable(f"{error.code}: {where}{error.message}"), file=sys.stderr)
    if error.hint:
        print(printable(f"  {error.hint}"), file=sys.stderr)


if __name__ == "__main__":
    main()
