"""Merging the COGs of neighbouring tiles into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from thalweg.domain.pixels import PixelRules
from thalweg.errors import CannotSplice, WrongShape
from thalweg.raster.cogwriter import Header, Spool, levels_of, writing
from thalweg.raster.compatible import finish
from thalweg.raster.layout import Layout
from thalweg.raster.made import BandFacts, Made, joined_checksum
from thalweg.raster.overviews import Resampling
from thalweg.raster.placement import Canvas, PlacedTile, Tile, place
from thalweg.raster.pyramid import Pyramid
from thalweg.raster.reading import environment
from thalweg.raster.splice import splice
from thalweg.raster.statistics import BandStatistics

__all__ = ["Method", "Tile", "mosaic"]

Method = Literal["auto", "splice", "stream"]


def mosaic(
    tiles: Sequence[Tile],
    destination: Path,
    *,
    rules: PixelRules,
    layout: Layout = Layout.CANONICAL,
    method: Method = "auto",
    resampling: Resampling = Resampling.MEAN,
    tags: Mapping[str, str] | None = None,
    threads: int = 1,
) -> Made:
    """Write one COG that covers the tiles' bounding box, nodata where no tile lies.

    `splice` copies compressed blocks, `stream` decodes and encodes them, with the same pixels on
    every level; `auto` splices where that is possible. `rules` are those of the tiles, as
    `PixelRules.made` gives them. Raises `OverlappingTiles`, `WrongGrid`, `WrongCrs`, `WrongDtype`,
    `WrongNodata`, `WrongUnit`, `WrongShape`, `UnreadableRaster` and, where `method` is `splice`,
    `CannotSplice`; nothing is left at `destination` then.
    """
    if not tiles:
        raise WrongShape("no tile was given to merge", where=str(destination))
    with environment(threads), writing(destination):
        grid, placed, bands = place(tiles, rules)
        header = Header(
            grid, rules.dtype, rules.nodata, layout, resampling, bands, dict(tags or {})
        )
        used = _write(placed, destination, header, rules, method)
    return _made(header, placed, rules, used)


def _write(
    placed: Sequence[PlacedTile],
    destination: Path,
    header: Header,
    rules: PixelRules,
    method: Method,
) -> str:
    """Write the mosaic; the method that was used."""
    if method != "stream":
        try:
            splice(placed, destination, header, rules)
            return "splice"
        except CannotSplice:
            if method == "splice":
                raise
    _stream(placed, destination, header, rules)
    return "stream"


def _stream(
    placed: Sequence[PlacedTile], destination: Path, header: Header, rules: PixelRules
) -> None:
    levels = levels_of(header)
    with Spool(destination.parent) as spool, Canvas(placed, header) as canvas:
        pyramid = Pyramid(levels, header, rules, spool)
        for band in range(len(header.bands)):
            for rows in canvas.strips(band):
                pyramid.push(band, rows)
        finish(destination, header, levels, [spool.file])


def _made(header: Header, placed: Sequence[PlacedTile], rules: PixelRules, method: str) -> Made:
    grid = header.grid
    windows = tuple(one.window for one in placed)
    empty = grid.width * grid.height - sum(w.width * w.height for w in windows)
    bands = []
    for index, band in enumerate(header.bands):
        statistics = BandStatistics.of_nodata(empty)
        for one in placed:
            statistics = statistics.merge(one.tile.bands[index].statistics)
        checksum = joined_checksum([window.checksums[index] for window in windows])
        bands.append(BandFacts(band.description, checksum, statistics, tuple(band.tags.items())))
    return Made(
        grid=grid,
        dtype=header.dtype,
        nodata=header.nodata,
        unit=rules.unit,
        layout=header.layout,
        bands=tuple(bands),
        windows=windows,
        method=method,
    )
