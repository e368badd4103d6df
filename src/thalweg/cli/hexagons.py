"""`thalweg hexagons`: statistics by H3 cell, to take away or to look at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from thalweg.cli.places import (
    ANYWHERE,
    Form,
    FormOption,
    LayersOption,
    Place,
    ResolutionOption,
    Shape,
    ShapeOption,
    takes_place,
)

app = typer.Typer(help="Export and draw statistics by hexagon (H3 cell).", no_args_is_help=True)

EXAMPLES = """
Examples:

  thalweg hexagons list

  thalweg hexagons export rwanda.parquet --resolution 7 --country RWA

\b
  thalweg hexagons export gasabo.gpkg -r 8 \\
      --outlines districts.geojson --column name --area Gasabo

\b
  thalweg hexagons plot map.png fathom_fluvial_defended_2050_ssp245_1in100 \\
      -r 7 --country RWA

  thalweg hexagons faults
"""


@app.command("list", epilog=EXAMPLES)
def list_layers(workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """List the series of layers, their resolutions, and the statistics of each dataset."""
    from thalweg.cli.report import print_table, table
    from thalweg.hexagons.tables import describe

    resolutions: dict[str, set[int]] = {}
    described = {}
    statistics: dict[str, dict[str, None]] = {}
    for one in map(describe, _tables(workspace)):
        described[one.series.id] = one
        resolutions.setdefault(one.series.id, set()).add(one.resolution)
        statistics.setdefault(one.series.dataset, {}).update(dict.fromkeys(one.statistics))
    rows = table("series", "unit", "resolutions", "layers")
    for series, one in described.items():
        told = ", ".join(map(str, sorted(resolutions[series])))
        rows.add_row(series, one.series.unit, told, ", ".join(filter(None, one.series.labels)))
    print_table(rows)
    for dataset, names in statistics.items():
        typer.echo(f"\nStatistics of {dataset}: {', '.join(names)}")


@app.command("faults", epilog=EXAMPLES)
def list_faults(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False
) -> None:
    """List the rows of vector files that were left out of tables, and why."""
    from thalweg.cli.report import print_table, table
    from thalweg.pipelines.tables import reported_rows
    from thalweg.pipelines.workspace import Workspace

    reports = reported_rows(Workspace.existing(workspace))
    if as_json:
        typer.echo(json.dumps(reports, indent=2))
        return
    counts = ("rows", "rows left out", "numbers left out")
    summary = table("table", *counts, numbers=counts)
    named = table("table", "file", "row", "why", "what stands there", numbers=("row",))
    for name, report in reports.items():
        summary.add_row(name, *(str(report[one.replace(" ", "_")]) for one in counts))
        for one in report["named"]:
            named.add_row(name, one["where"], str(one["row"]), one["reason"], one["text"])
    print_table(summary)
    if named.row_count:
        typer.echo()
        print_table(named)
    for name, report in reports.items():
        more = sum(report["reasons"].values()) - len(report["named"])
        if more:
            typer.echo(f"… and {more} more of {name}")


@app.command("export", epilog=EXAMPLES)
@takes_place
def export_hexagons(
    out: Annotated[
        Path,
        typer.Argument(help="The file to write: .parquet, .geojson, .fgb, .gpkg or .csv."),
    ],
    resolution: ResolutionOption,
    layer: LayersOption = None,
    place: Place = ANYWHERE,
    form: FormOption = Form.WIDE,
    shape: ShapeOption = Shape.POLYGON,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Write the statistics of a place to a file for other tools."""
    from thalweg.hexagons.export import export

    selection = place.cells(resolution, layer)
    rows = export(_tables(workspace), out.absolute(), selection, form=form.value, shape=shape.value)
    typer.echo(f"{rows} rows in {out}")


@app.command("plot", epilog=EXAMPLES)
@takes_place
def plot_hexagons(
    out: Annotated[Path, typer.Argument(help="The picture to write: .png.")],
    layer: Annotated[
        str, typer.Argument(help="The id of a layer, as `hexagons list` builds them.")
    ],
    resolution: ResolutionOption,
    statistic: Annotated[str, typer.Option(help="The statistic to draw.")] = "mean",
    title: Annotated[str, typer.Option(help="A title other than the layer's id.")] = "",
    place: Place = ANYWHERE,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Draw one layer as a map (PNG), with the borders of countries or of --outlines."""
    from thalweg.hexagons.plot import plot

    plot(
        _tables(workspace),
        out.absolute(),
        layer,
        place.cells(resolution),
        statistic=statistic,
        borders=place.borders(),
        title=title,
    )
    typer.echo(str(out))


def _tables(workspace: Path) -> Sequence[Path]:
    from thalweg.pipelines.tables import hexagon_tables
    from thalweg.pipelines.workspace import Workspace

    return hexagon_tables(Workspace.existing(workspace))
