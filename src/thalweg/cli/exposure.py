"""`thalweg exposure`: how many buildings stand in the water, to take away or to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli.options import DEFAULT_WORKSPACE, WorkspaceOption
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

app = typer.Typer(
    name="exposure",
    help="Export, draw and report how many buildings stand in the water.",
    no_args_is_help=True,
)

EXAMPLES = """
Examples:

  thalweg exposure list

  thalweg exposure export rwanda.gpkg --resolution 7 --country RWA

  thalweg exposure export districts.csv --areas districts --form long

\b
  thalweg exposure plot map.png fathom_exposure_rwa_fluvial_defended_2020_1in100 \\
      -r 7 --threshold 1 --country RWA

  thalweg exposure report RWA --out rwanda.html --threshold 1 --return-period 500
"""

ThresholdOption = Annotated[
    float, typer.Option("--threshold", help="The depth in metres, one of the step's.")
]


@app.command("list", epilog=EXAMPLES)
def list_series(workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """List the series of layers, what they were added up by, and the statistics of each dataset."""
    from thalweg.cli.report import print_table, table
    from thalweg.exposure.areas import kinds_of_areas
    from thalweg.hexagons.tables import describe

    cells, areas = _tables(workspace)
    described = [describe(path) for path in cells]
    series = {one.series.id: one.series for one in described}
    datasets = {one.series.dataset: one for one in described}
    rows = table("series", "resolutions", "areas", "layers")
    for name, one in series.items():
        resolutions = sorted({held.resolution for held in described if held.series.id == name})
        by_area = [path for path in areas if describe(path).series.id == name]
        kinds = [kind for path in by_area for kind in kinds_of_areas(path)]
        told = (", ".join(map(str, resolutions)), ", ".join(kinds), ", ".join(one.labels))
        rows.add_row(name, *told)
    print_table(rows)
    for dataset, first in datasets.items():
        typer.echo(f"\nOf each place in {dataset}: {', '.join(first.per_cell)}")
        typer.echo(f"Of each layer: {', '.join(first.statistics)}")
        typer.echo(f"Of each scenario: {', '.join(first.expected)}")


@app.command("export", epilog=EXAMPLES)
@takes_place
def export_exposure(
    out: Annotated[
        Path,
        typer.Argument(
            help="The file to write: .parquet, .geojson, .fgb, .gpkg or .csv; of areas .csv or "
            ".parquet."
        ),
    ],
    resolution: Annotated[
        int | None, typer.Option("--resolution", "-r", min=0, max=15, help="By H3 cell of this.")
    ] = None,
    areas: Annotated[
        str, typer.Option(help="By area instead: countries, or what the step calls its areas.")
    ] = "",
    code: Annotated[
        list[str] | None,
        typer.Option(help="With --areas, the code of an area. May be repeated; else all."),
    ] = None,
    layer: LayersOption = None,
    place: Place = ANYWHERE,
    form: FormOption = Form.WIDE,
    shape: ShapeOption = Shape.POLYGON,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Write what of the buildings of a place stands in the water, by H3 cell or by area."""
    from thalweg.errors import UsageError
    from thalweg.exposure.areas import export_areas
    from thalweg.hexagons.export import export

    if (resolution is None) != bool(areas):
        raise UsageError("exposure is by H3 cell or by area", hint="give --resolution or --areas")
    if (areas and place != ANYWHERE) or (code and not areas):
        raise UsageError("--code chooses areas, the other options H3 cells")
    cells, by_area = _tables(workspace)
    if resolution is None:
        rows = export_areas(
            by_area,
            out.absolute(),
            areas,
            codes=code or (),
            layers=layer or (),
            form=form.value,
        )
    else:
        selection = place.cells(resolution, layer)
        rows = export(cells, out.absolute(), selection, form=form.value, shape=shape.value)
    typer.echo(f"{rows} rows in {out}")


@app.command("plot", epilog=EXAMPLES)
@takes_place
def plot_exposure(
    out: Annotated[Path, typer.Argument(help="The picture to write: .png.")],
    layer: Annotated[
        str, typer.Argument(help="The id of a layer: a series of `exposure list` and its layer.")
    ],
    resolution: ResolutionOption,
    threshold: ThresholdOption = 0.5,
    title: Annotated[str, typer.Option(help="A title of your own.")] = "",
    place: Place = ANYWHERE,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Draw a map (PNG) of the buildings in the water, with borders of countries or --outlines."""
    from thalweg.exposure.report import EXPOSED
    from thalweg.hexagons.layers import above
    from thalweg.hexagons.plot import plot

    cells, _ = _tables(workspace)
    plot(
        cells,
        out.absolute(),
        layer,
        place.cells(resolution),
        statistic=f"exposed_{above(threshold)}",
        borders=place.borders(),
        title=title or f"Buildings in more than {threshold:g} m of water\n{layer}",
        legend=EXPOSED,
    )
    typer.echo(str(out))


@app.command(epilog=EXAMPLES)
def report(
    country: Annotated[str, typer.Argument(help="ISO 3166-1 alpha-3 code of the country.")],
    out: Annotated[Path, typer.Option(help="The page to write: .html.")],
    name: Annotated[str, typer.Option(help="The country's name, for the title.")] = "",
    dataset: Annotated[
        str, typer.Option(help="The dataset of the tables, where there are several.")
    ] = "",
    threshold: ThresholdOption = 0.5,
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

    cells, areas = _tables(workspace)
    borders = countries() if outlines_file("10m").exists() else None
    choices = Choices(country, dataset, threshold, return_period, series, resolution)
    write_report(cells, areas, out.absolute(), choices, name=name, borders=borders)
    typer.echo(str(out))


def _tables(workspace: Path) -> tuple[list[Path], list[Path]]:
    from thalweg.pipelines.tables import exposure_tables
    from thalweg.pipelines.workspace import Workspace

    return exposure_tables(Workspace.existing(workspace))
