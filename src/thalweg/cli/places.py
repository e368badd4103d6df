"""Options that choose which rows of tables by H3 cell are wanted, and in what form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from thalweg.hexagons.outlines import Outlines
    from thalweg.hexagons.selection import Selection


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
LayersOption = Annotated[
    list[str] | None,
    typer.Option("--layer", help="The id of a layer or a series. May be repeated; else all."),
]
FormOption = Annotated[
    Form,
    typer.Option(help="wide: layers as columns. long: a row for each place and layer."),
]
ShapeOption = Annotated[Shape, typer.Option(help="The outline of each cell, or its centre.")]


@dataclass(frozen=True)
class Place:
    """Which cells are wanted, as it is typed: each field is an option."""

    country: Annotated[
        list[str] | None,
        typer.Option("--country", help="ISO 3166-1 alpha-3 code of a country. May be repeated."),
    ] = None
    bbox: Annotated[
        str | None,
        typer.Option(
            "--bbox", help="west,south,east,north in degrees: cells with their centre there."
        ),
    ] = None
    outlines: Annotated[
        Path | None,
        typer.Option("--outlines", help="A file of outlines (GeoPackage, GeoJSON, GeoParquet …)."),
    ] = None
    column: Annotated[
        str, typer.Option("--column", help="The column of --outlines that holds the codes.")
    ] = ""
    area: Annotated[
        str | None,
        typer.Option(
            "--area", help="The code of an area of --outlines: cells with their centre there."
        ),
    ] = None

    def borders(self) -> Outlines:
        """The areas of --outlines, or the countries where no file is named."""
        from thalweg.hexagons.outlines import countries, read_outlines

        return countries() if self.outlines is None else read_outlines(self.outlines, self.column)

    def cells(self, resolution: int, layers: Sequence[str] | None = None) -> Selection:
        """The cells of that resolution in the place. Raises `UsageError`."""
        from thalweg.hexagons.selection import Selection

        return Selection(
            resolution, tuple(layers or ()), tuple(self.country or ()), self._geometry()
        )

    def _geometry(self) -> BaseGeometry | None:
        """Where the box and the area meet; None where neither is given."""
        from thalweg.domain.tiles import BoundingBox
        from thalweg.errors import UsageError
        from thalweg.hexagons.places import box

        if self.area is not None and self.outlines is None:
            raise UsageError("--area needs --outlines", hint="name the file and its --column, too")
        chosen = box(BoundingBox.parse(self.bbox)) if self.bbox else None
        if self.area is None:
            return chosen
        outline = self.borders().of(self.area)
        return outline if chosen is None else outline.intersection(chosen)


ANYWHERE = Place()


def takes_place(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of a `Place` instead of its argument `place`."""
    options = get_type_hints(Place, include_extras=True)

    @wraps(command)
    def called(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in options}
        command(**given, place=Place(**chosen))

    parameters = []
    for name, one in signature(command, eval_str=True).parameters.items():
        if name == "place":
            parameters += [
                Parameter(
                    option, Parameter.KEYWORD_ONLY, default=getattr(Place, option), annotation=kind
                )
                for option, kind in options.items()
            ]
        else:
            parameters.append(one.replace(kind=Parameter.KEYWORD_ONLY))
    called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    return called
