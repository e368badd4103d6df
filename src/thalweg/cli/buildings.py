"""`thalweg buildings`: fetch footprints from their publishers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli.options import DEFAULT_WORKSPACE, WorkspaceOption
from thalweg.errors import UsageError

app = typer.Typer(name="buildings", help="Fetch footprints of buildings.", no_args_is_help=True)

EXAMPLES = """
Examples:

  thalweg buildings fetch partitions --region Rwanda --out workspace/bronze/ms-buildings

  thalweg buildings fetch links --bbox 28.8,-2.9,30.95,-1.0 --out workspace/bronze/ms-lines

  thalweg buildings fetch tiles --tile 19d --out workspace/bronze/open-buildings

The same command again fetches what is missing. A step `buildings` makes a table of it.
"""


class Publication(StrEnum):
    """How files of footprints are published."""

    PARTITIONS = "partitions"
    LINKS = "links"
    TILES = "tiles"


@app.callback()
def _group() -> None:
    """Fetch footprints of buildings."""


@app.command(epilog=EXAMPLES)
def fetch(
    publication: Annotated[
        Publication,
        typer.Argument(
            help="partitions: Parquet by quadkey, found by STAC; links: lines of GeoJSON by "
            "quadkey, from a table of links; tiles: CSV by S2 tile."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to: one of the bronze zone, say.")],
    region: Annotated[str, typer.Option(help="Only this region, as the publisher spells it.")] = "",
    quadkey: Annotated[
        list[str] | None, typer.Option(help="Only this quadkey of 9 digits. May be repeated.")
    ] = None,
    bbox: Annotated[
        str, typer.Option(help="Only what touches west,south,east,north in degrees.")
    ] = "",
    tile: Annotated[
        list[str] | None, typer.Option(help="The token of an S2 tile. May be repeated.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Fetch files of footprints as their publishers lay them out."""
    from thalweg.domain.tiles import BoundingBox
    from thalweg.exposure.publishers.fetching import Fetched, fetch
    from thalweg.exposure.publishers.links import linked_files
    from thalweg.exposure.publishers.partitions import find_partitions, partition_files
    from thalweg.exposure.publishers.quadkeys import restored
    from thalweg.exposure.publishers.s2_tiles import tile_files
    from thalweg.settings import load_settings

    by_tile = publication is Publication.TILES
    if by_tile != bool(tile) or (by_tile and (region or quadkey or bbox)):
        raise UsageError("--tile belongs to `tiles`, and nothing else does")
    if not by_tile and not (region or quadkey or bbox):
        raise UsageError("the whole world is too much", hint="give --region, --quadkey or --bbox")
    settings = load_settings(workspace.absolute()).buildings
    keys = frozenset(restored(one) for one in quadkey or ())
    bounds = BoundingBox.parse(bbox) if bbox else None
    match publication:
        case Publication.PARTITIONS:
            found = find_partitions(settings, region=region, quadkeys=keys, bounds=bounds)
            files = list(partition_files(settings, found))
        case Publication.LINKS:
            files = linked_files(settings, region=region, quadkeys=keys, bounds=bounds)
        case Publication.TILES:
            files = tile_files(settings, tile or ())

    def tell(one: Fetched) -> None:
        typer.echo(
            f"{one.key}  {one.size:,} bytes{' (here already)' if one.again else ''}", err=True
        )

    done = fetch(files, out, tell)
    new = [one for one in done if not one.again]
    typer.echo(
        f"{len(new):,} files with {sum(one.size for one in new):,} bytes fetched to {out}, "
        f"{len(done) - len(new):,} here already."
    )
