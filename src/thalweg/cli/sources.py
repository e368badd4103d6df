"""`thalweg sources`: the source catalogue, layers by theme."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from thalweg.catalog.ledger import Catalog
    from thalweg.domain.layers import Layer

app = typer.Typer(
    help="List, show and register layers: where each comes from, its unit, licence and citation.",
    no_args_is_help=True,
)

EXAMPLES = """
Examples:

  thalweg sources list --theme flood_risk

  thalweg sources themes

  thalweg sources show fathom_rwa_fluvial_defended_2050_ssp245_1in100

  thalweg sources add people.yaml
"""
ADD_EXAMPLES = """
Examples:

  thalweg sources add people.yaml

A whole file:

  id: people_2020

  title: People, 2020

  theme: demographics

  unit: person

  license: CC-BY-4.0

  origin: WorldPop (https://www.worldpop.org)

  recommended: {statistics: [sum], resolutions: [6, 7, 8]}
"""


@app.command("list", epilog=EXAMPLES)
def list_sources(
    theme: Annotated[str | None, typer.Option(help="Only the layers of this theme.")] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """List the layers that pipelines declare, and those registered by hand."""
    from thalweg.cli.report import print_table, table

    with _open(workspace) as catalog:
        found = sorted(catalog.layers(theme), key=_by_numbers)
    if as_json:
        typer.echo(json.dumps([layer.to_json() for layer in found], indent=2))
        return
    if not found:
        of_theme = f" of theme {theme}" if theme else ""
        typer.echo(f"No layer{of_theme} is registered yet.")
        return
    rows = table("layer", "theme", "unit", "from", "what")
    for layer in found:
        rows.add_row(layer.id, layer.theme, layer.unit, _maker(layer), layer.title)
    print_table(rows)


@app.command("show", epilog=EXAMPLES)
def show_source(
    layer: Annotated[str, typer.Argument(help="The id of a layer, as `sources list` shows it.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Show all that is known of a layer."""
    from thalweg.cli.report import print_table, table

    with _open(workspace) as catalog:
        found = catalog.layer(layer)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
        return
    rows = table("layer", found.id)
    for name, value in _facts(found).items():
        if value:
            rows.add_row(name, value)
    print_table(rows)


@app.command("themes", epilog=EXAMPLES)
def list_themes(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False
) -> None:
    """List the themes that layers are filed under."""
    from thalweg.cli.report import print_table, table

    with _open(workspace) as catalog:
        found = catalog.themes()
        counts = Counter(layer.theme for layer in catalog.layers())
    if as_json:
        themes = [{**theme.to_json(), "layers": counts[theme.id]} for theme in found]
        typer.echo(json.dumps(themes, indent=2))
        return
    if not found:
        typer.echo("No theme has a layer yet.")
        return
    rows = table("theme", "layers", "what", numbers=("layers",))
    for theme in found:
        what = ": ".join(filter(None, [theme.name, theme.description]))
        rows.add_row(theme.id, str(counts[theme.id]), what)
    print_table(rows)


@app.command("add", epilog=ADD_EXAMPLES)
def add_sources(
    files: Annotated[list[Path], typer.Argument(help="YAML files, a layer each.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Register layers that no pipeline makes, all or none; again with changes to change them."""
    from thalweg.pipelines.layer_files import load_layer
    from thalweg.pipelines.workspace import Workspace

    described = [load_layer(file) for file in files]
    place, _ = Workspace.open(workspace)
    with place.catalog() as catalog:
        catalog.put_layers([layer for layer, _ in described], [theme for _, theme in described])
    for layer, _ in described:
        typer.echo(f"{layer.id}: registered under {layer.theme}")


def _open(workspace: Path) -> Catalog:
    from thalweg.pipelines.workspace import Workspace

    return Workspace.existing(workspace).catalog()


def _by_numbers(layer: Layer) -> list[tuple[int, str]]:
    """Sorts 1in20 before 1in100."""
    parts = re.findall(r"\d+|\D+", layer.id)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _maker(layer: Layer) -> str:
    if layer.pipeline is None:
        return "a file"
    return layer.pipeline if layer.declared else f"{layer.pipeline} (no longer)"


def _facts(layer: Layer) -> dict[str, str]:
    """What `show` tells, in words; what is not known is empty."""
    pixel = "" if layer.pixel is None else f"{layer.pixel:.10g} {layer.crs}".strip()
    return {
        "title": layer.title,
        "description": layer.description,
        "theme": layer.theme,
        "dataset": layer.dataset,
        "coordinates": ", ".join(f"{name} {value}" for name, value in layer.coordinates.items()),
        "unit": layer.unit,
        "nodata": "" if layer.nodata is None else f"{layer.nodata:g}",
        "pixel": pixel,
        "licence": layer.license,
        "origin": layer.origin,
        "citation": layer.citation,
        "recommended": ", ".join(layer.statistics),
        "resolutions": ", ".join(map(str, layer.resolutions)),
        "from": _maker(layer),
    }
