"""`thalweg exposure`: how many buildings stand in the water."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli.options import DEFAULT_WORKSPACE, WorkspaceOption

app = typer.Typer(
    name="exposure", help="Report how many buildings stand in the water.", no_args_is_help=True
)

EXAMPLES = """
Examples:

  thalweg exposure report RWA --out rwanda.html

  thalweg exposure report RWA --out rwanda.html --threshold 1 --return-period 500

`thalweg hexagons list`, `export` and `plot` take the tables of a step `exposure`, too.
"""


@app.callback()
def _group() -> None:
    """Report how many buildings stand in the water."""


@app.command(epilog=EXAMPLES)
def report(
    country: Annotated[str, typer.Argument(help="ISO 3166-1 alpha-3 code of the country.")],
    out: Annotated[Path, typer.Option(help="The page to write: .html.")],
    name: Annotated[str, typer.Option(help="The country's name, for the title.")] = "",
    dataset: Annotated[
        str, typer.Option(help="The dataset of the tables, where there are several.")
    ] = "",
    threshold: Annotated[float, typer.Option(help="The depth in metres.")] = 0.5,
    return_period: Annotated[
        float, typer.Option(help="The return period of the map and of the places, in years.")
    ] = 100.0,
    series: Annotated[
        str, typer.Option(help="The series of the map and of the places; the first if not.")
    ] = "",
    resolution: Annotated[
        int | None, typer.Option("--resolution", "-r", min=0, max=15, help="H3 resolution.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Write one page about a country: map, chart, tables, method and what is not known."""
    from thalweg.exposure.report import Choices, write_report
    from thalweg.hexagons.outlines import countries, outlines_file
    from thalweg.pipelines.tables import exposure_tables
    from thalweg.pipelines.workspace import Workspace

    cells, areas = exposure_tables(Workspace.existing(workspace))
    borders = countries() if outlines_file("10m").exists() else None
    choices = Choices(country, dataset, threshold, return_period, series, resolution)
    write_report(cells, areas, out.absolute(), choices, name=name, borders=borders)
    typer.echo(str(out))
