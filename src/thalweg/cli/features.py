"""`thalweg features`: tables of features for maps and queries."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from thalweg.features.reading import VectorFile
    from thalweg.features.tables import FeatureStore
    from thalweg.hexagons.records import Source

app = typer.Typer(help="Add, list and remove tables of features.", no_args_is_help=True)

EXAMPLES = """
Examples:

  thalweg features add rivers.gpkg --name rivers --title "Rivers of Rwanda"

  thalweg features add countries

  thalweg features list

  thalweg features remove rivers
"""
COUNTRIES = "countries"


@app.command("add", epilog=EXAMPLES)
def add(
    file: Annotated[
        str,
        typer.Argument(
            help="A vector file: GeoPackage, GeoJSON, FlatGeobuf, Shapefile, GeoParquet, CSV and "
            "what else GDAL reads; or `countries`, which come with Thalweg."
        ),
    ],
    name: Annotated[
        str, typer.Option(help="Its name, the id of its collection. Default: that of the file.")
    ] = "",
    layer: Annotated[str, typer.Option(help="The layer, of a file with several.")] = "",
    title: Annotated[str, typer.Option(help="What people see. Default: its name.")] = "",
    description: Annotated[str, typer.Option(help="What it is, in a sentence.")] = "",
    columns: Annotated[
        str, typer.Option(help="The columns to take, by commas. Default: all.")
    ] = "",
    longitude: Annotated[str, typer.Option(help="The column of longitude, of a CSV.")] = "",
    latitude: Annotated[str, typer.Option(help="The column of latitude, of a CSV.")] = "",
    crs: Annotated[
        str | None, typer.Option(help="The reference system of a file that names none.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of a table of that name.")
    ] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Add a vector file as a table of features; `thalweg serve` shows it at once."""
    from thalweg.errors import FeatureTableExists
    from thalweg.features.reading import VectorFile

    source = _source(file, layer, longitude, latitude, crs)
    store = _store(workspace)
    read = VectorFile(
        source,
        name or Path(source.where).stem.lower(),
        title=title or ("Countries" if file == COUNTRIES else ""),
        description=description,
        columns=[one.strip() for one in columns.split(",") if one.strip()],
    )
    if not replace and any(one.name == read.table.name for one in store.tables()):
        raise FeatureTableExists(
            f"there is a table {read.table.name!r} already",
            hint="choose another --name, or put it in its place by --replace",
        )
    added = store.put(read.table, read.rows())
    typer.echo(f"{added.name}: {added.count} features, {len(added.columns)} columns")
    _tell_faults(read)


def _source(file: str, layer: str, longitude: str, latitude: str, crs: str | None) -> Source:
    from thalweg.errors import UsageError
    from thalweg.hexagons.outlines import countries, outlines_file
    from thalweg.hexagons.records import Source

    path, where = Path(file), file
    if file == COUNTRIES and not path.exists():
        countries()  # raises what is missing, and how to make it
        path, where = outlines_file("10m"), f"{COUNTRIES}.parquet"
    elif not path.exists():
        raise UsageError("there is no such file", where=file)
    return Source(str(path), where, layer, longitude, latitude, crs)


def _tell_faults(read: VectorFile) -> None:
    """What was left out, and why."""
    faults = read.faults
    if not faults.rows_left_out:
        return
    typer.echo(f"{faults.rows_left_out} of {faults.rows} rows were left out:", err=True)
    for reason, count in faults.reasons.most_common():
        first = next(one for one in faults.named if one.reason == reason)
        told = f": {first.text}" if first.text else ""
        typer.echo(f"  {count} with {reason}, such as row {first.row}{told}", err=True)


@app.command("list", epilog=EXAMPLES)
def list_features(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False
) -> None:
    """List the tables of features."""
    from thalweg.cli.report import print_table, table

    found = _store(workspace).tables()
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    if not found:
        typer.echo("There are no features yet: thalweg features add FILE --name NAME")
        return
    rows = table("name", "features", "columns", "title", numbers=("features",))
    for one in found:
        columns = ", ".join(column.name for column in one.columns)
        rows.add_row(one.name, str(one.count), columns, one.title)
    print_table(rows)


@app.command("remove", epilog=EXAMPLES)
def remove(
    name: Annotated[str, typer.Argument(help="The name of a table.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Remove a table of features."""
    _store(workspace).remove(name)
    typer.echo(f"{name} is removed.")


def _store(workspace: Path) -> FeatureStore:
    from thalweg.features.stores import store_of
    from thalweg.pipelines.workspace import Workspace

    place, settings = Workspace.at(workspace)
    return store_of(place.folder, settings.database_url)
