"""The query parameters of titiler's paths, as far as they are safe here.

There is no `url`, no `expression`, no algorithm and no other `nodata`: a file is what the catalogue
says that it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Query
from rio_tiler.mosaic.methods.base import MosaicMethodBase
from rio_tiler.mosaic.methods.defaults import FirstMethod
from rio_tiler.types import RIOResampling, WarpResampling
from titiler.core.dependencies import DefaultDependency

from thalweg.api.raster.colormaps import COLORMAPS, Colormap, colormap
from thalweg.errors import InvalidRequest

type ColormapName = Literal[tuple(COLORMAPS.list())]  # type: ignore[valid-type]  # as titiler has it


@dataclass
class Bands(DefaultDependency):  # type: ignore[misc]
    """Which bands."""

    indexes: Annotated[
        list[int] | None,
        Query(alias="bidx", description="Bands by number, from 1.", examples=[[1]]),
    ] = None
    return_periods: Annotated[
        list[float] | None,
        Query(
            alias="return_period",
            description="Bands by the return period in years that they stand for.",
            examples=[[100]],
        ),
    ] = None


@dataclass
class Resampling(DefaultDependency):  # type: ignore[misc]
    """How pixels become others; rasters with special values take `nearest` and `mode` only."""

    resampling_method: Annotated[
        RIOResampling | None,
        Query(alias="resampling", description="To another size. Default: nearest."),
    ] = None
    reproject_method: Annotated[
        WarpResampling | None,
        Query(alias="reproject", description="To another CRS. Default: nearest."),
    ] = None


@dataclass
class Rendering(DefaultDependency):  # type: ignore[misc]
    """How values are drawn."""

    rescale: Annotated[
        list[str] | None,
        Query(
            description="The lowest and highest value drawn, as low,high; once, or for each band.",
            examples=[["0,500"]],
        ),
    ] = None
    add_mask: Annotated[
        bool | None,
        Query(alias="return_mask", description="Whether what has no data is left open."),
    ] = None

    def __post_init__(self) -> None:
        if self.rescale is not None:
            self.rescale = [_range(text) for text in self.rescale]  # type: ignore[misc]


def colormap_of(
    colormap_name: Annotated[
        ColormapName | None,  # type: ignore[valid-type]
        Query(description="A colormap by name. Default: that of what is measured."),
    ] = None,
) -> Colormap | None:
    """The colormap that is asked for."""
    return colormap(colormap_name) if colormap_name else None


def no_process() -> None:
    """No algorithms: they would make figures that nobody measured."""


def first() -> MosaicMethodBase:
    """The first raster with data counts; others would mix special values with depths."""
    return FirstMethod


def _range(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.strip("[]").split(","))
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InvalidRequest(f"rescale {text[:64]!r} is no range", hint="give low,high")
    return low, high
