"""Colormaps: rio-tiler's, and our own for depths of floods and for terrain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from rio_tiler.colormap import ColorMaps
from rio_tiler.colormap import cmap as of_rio_tiler

type Colour = tuple[int, int, int, int]

FLOOD_DEPTH, ELEVATION, GREY = "flood_depth", "elevation", "gray"
WATER: Colour = (129, 147, 166, 255)
_STEPS = 256
# Shares of the range and colours between which is gone straight. Light to dark in even steps of
# lightness, and with no red beside green, so that everyone can tell them apart.
_OWN = {
    FLOOD_DEPTH: [
        (0.0, (198, 232, 250)),
        (0.1, (144, 202, 241)),
        (0.25, (74, 152, 219)),
        (0.5, (38, 94, 178)),
        (0.75, (62, 45, 133)),
        (1.0, (58, 8, 74)),
    ],
    ELEVATION: [
        (0.0, (54, 104, 89)),
        (0.15, (122, 158, 104)),
        (0.35, (214, 205, 143)),
        (0.6, (176, 129, 82)),
        (0.8, (134, 101, 88)),
        (1.0, (250, 250, 250)),
    ],
}


@dataclass(frozen=True, eq=False)
class Colormap:
    """`table` has the colour (red, green, blue, alpha) of each of 256 steps of a range.

    Where `floods`, dry ground is left open, whatever the range begins with.
    """

    name: str
    table: NDArray[np.uint8]
    floods: bool = False


def _between(stops: list[tuple[float, tuple[int, int, int]]]) -> dict[int, Colour]:
    shares = np.linspace(0, 1, _STEPS)
    places = [place for place, _ in stops]
    red, green, blue = (
        np.interp(shares, places, [colour[n] for _, colour in stops]).round() for n in range(3)
    )
    return {n: (int(red[n]), int(green[n]), int(blue[n]), 255) for n in range(_STEPS)}


COLORMAPS: ColorMaps = of_rio_tiler.register(
    {name: _between(stops) for name, stops in _OWN.items()}
)


@cache
def colormap(name: str) -> Colormap:
    """The colormap of a name in `COLORMAPS`."""
    held = COLORMAPS.get(name)
    table = np.array([held[step] for step in range(_STEPS)], dtype=np.uint8)
    return Colormap(name, table, floods=name == FLOOD_DEPTH)
