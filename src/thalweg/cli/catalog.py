"""`thalweg catalog`: what is made and described."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from thalweg.catalog.ledger import Catalog, Document

app = typer.Typer(help="List, show, export and validate the catalogue.", no_args_is_help=True)

EXAMPLES = """
Examples:

  thalweg catalog list

  thalweg catalog show fathom-flood-depth rwa-fluvial-defended-2020-s04e028

  thalweg catalog export --format static --out stac

  thalweg catalog validate
"""
CollectionArgument = Annotated[str, typer.Argument(help="The id of a collection.")]


class Format(StrEnum):
    """What the catalogue is exported as."""

    STATIC = "static"
    GEOPARQUET = "geoparquet"


def _open(workspace: Path) -> Catalog:
    from thalweg.pipelines.workspace import Workspace

    return Workspace.existing(workspace).catalog()


@app.command("list", epilog=EXAMPLES)
def list_catalog(
    collection: Annotated[
        str | None, typer.Argument(help="A collection whose items are listed.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """List the collections, or the items of one."""
    from thalweg.cli.report import print_table, table

    with _open(workspace) as catalog:
        found = list(catalog.items(collection)) if collection else catalog.collections()
        counts = {} if collection else {one["id"]: _count(catalog, one["id"]) for one in found}
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    if not found:
        typer.echo("Nothing is catalogued yet.")
        return
    columns = ("item", "holds", "file") if collection else ("collection", "items", "what")
    rows = table(*columns, numbers=("items",))
    for one in found:
        if collection:
            rows.add_row(one["id"], _content(one), one["assets"]["data"]["href"])
        else:
            rows.add_row(one["id"], str(counts[one["id"]]), one.get("title", ""))
    print_table(rows)


def _content(item: Document) -> str:
    """How many bands a raster has, or rows and columns a table."""
    properties = item["properties"]
    if "table:columns" in properties:
        columns = len(properties["table:columns"])
        return f"{properties['table:row_count']} rows, {columns} columns"
    return f"{len(item['assets']['data'].get('bands', ()))} bands"


def _count(catalog: Catalog, collection: str) -> int:
    return sum(1 for _ in catalog.items(collection))


@app.command("show", epilog=EXAMPLES)
def show_catalog(
    collection: CollectionArgument,
    item: Annotated[str | None, typer.Argument(help="The id of an item.")] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Print a collection or an item as STAC JSON."""
    with _open(workspace) as catalog:
        found = catalog.item(collection, item) if item else catalog.collection(collection)
    typer.echo(json.dumps(found, indent=2))


@app.command("export", epilog=EXAMPLES)
def export_catalog(
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    kind: Annotated[
        Format, typer.Option("--format", help="STAC as linked JSON files, or as GeoParquet.")
    ] = Format.STATIC,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Export the whole catalogue, readable without Thalweg."""
    from thalweg.catalog.export import export_geoparquet, export_static

    with _open(workspace) as catalog:
        if kind is Format.STATIC:
            typer.echo(f"{export_static(catalog, out)} items below {out / 'catalog.json'}")
        else:
            for path in export_geoparquet(catalog, out):
                typer.echo(str(path))


@app.command("validate", epilog=EXAMPLES)
def validate_catalog(workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Hold every item and collection against the STAC specification and its extensions."""
    from thalweg.catalog.validate import validate_collection, validate_item
    from thalweg.errors import InvalidItem

    valid, faulty, unchecked = 0, 0, set[str]()
    with _open(workspace) as catalog:
        for document in _documents(catalog):
            check = validate_item if document["type"] == "Feature" else validate_collection
            try:
                unchecked.update(check(document))
                valid += 1
            except InvalidItem as error:
                typer.echo(str(error), err=True)
                faulty += 1
    typer.echo(f"{valid} valid, {faulty} not")
    for schema in sorted(unchecked):
        typer.echo(f"not checked, as no copy of it is here: {schema}")
    raise typer.Exit(1 if faulty else 0)


def _documents(catalog: Catalog) -> Iterator[Document]:
    for collection in catalog.collections():
        yield collection
        yield from catalog.items(collection["id"])
