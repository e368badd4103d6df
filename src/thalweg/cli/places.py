"""Options that choose which rows of tables by H3 cell are wanted, and in what form."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from thalweg.hexagons.outlines import Outlines


class Form(StrEnum):
    """What a row is."""

    WIDE = "wide"
    LONG = "long"


class Shape(StrEnum):
    """The geometry of a row."""

    POLYGON = "polygon"
    CENTROID = "centroid"


ResolutionOption = Annotated[
    int, typer.Option("--resolution", "-r", min=0, max=15, help="H3 resolution.")
]
CountryOption = Annotated[
    list[str] | None,
    typer.Option("--country", help="ISO 3166-1 alpha-3 code of a country. May be repeated."),
]
BboxOption = Annotated[
    str | None,
    typer.Option("--bbox", help="west,south,east,north in degrees: cells with their centre there."),
]
OutlinesOption = Annotated[
    Path | None,
    typer.Option("--outlines", help="A file of outlines (GeoPackage, GeoJSON, GeoParquet …)."),
]
ColumnOption = Annotated[
    str, typer.Option("--column", help="The column of --outlines that holds the codes.")
]
AreaOption = Annotated[
    str | None,
    typer.Option(
        "--area", help="The code of an area of --outlines: cells with their centre there."
    ),
]
LayersOption = Annotated[
    list[str] | None,
    typer.Option("--layer", help="The id of a layer or a series. May be repeated; else all."),
]
FormOption = Annotated[
    Form,
    typer.Option(help="wide: layers as columns. long: a row for each place and layer."),
]
ShapeOption = Annotated[Shape, typer.Option(help="The outline of each cell, or its centre.")]


def chosen_outlines(path: Path | None, column: str) -> Outlines:
    """The areas of a file, or the countries where none is named."""
    from thalweg.hexagons.outlines import countries, read_outlines

    return countries() if path is None else read_outlines(path, column)


def chosen_place(
    bbox: str | None, outlines: Path | None, column: str, area: str | None
) -> BaseGeometry | None:
    """Where a box and an area of a file meet; None where neither is given. Raises `UsageError`."""
    from thalweg.domain.tiles import BoundingBox
    from thalweg.errors import UsageError
    from thalweg.hexagons.places import box

    if area is not None and outlines is None:
        raise UsageError("--area needs --outlines", hint="name the file and its --column, too")
    chosen = box(BoundingBox.parse(bbox)) if bbox else None
    if area is None:
        return chosen
    outline = chosen_outlines(outlines, column).of(area)
    return outline if chosen is None else outline.intersection(chosen)
