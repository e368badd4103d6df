"""Merging by copying compressed blocks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tifffile

from thalweg.domain.pixels import PixelRules
from thalweg.errors import CannotSplice, UnreadableRaster
from thalweg.raster.codec import checked_dtype, predictor_of
from thalweg.raster.cogwriter import (
    LEADER_BYTES,
    Counts,
    Header,
    Level,
    Spool,
    levels_of,
    write_cog,
)
from thalweg.raster.layout import Layout
from thalweg.raster.placement import Canvas, PlacedTile
from thalweg.raster.pyramid import Pyramid

_FRAMED = b"BLOCK_LEADER=SIZE_AS_UINT4\nBLOCK_TRAILER=LAST_4_BYTES_REPEATED\n"


def splice(
    placed: Sequence[PlacedTile], destination: Path, header: Header, rules: PixelRules
) -> None:
    """Write a mosaic from the blocks of its tiles; the levels that do not align are made anew.

    A level aligns where each tile's block is a block of the mosaic: its offset there is a multiple
    of the block, and so are its sides, unless they end at the mosaic's edge. Raises `CannotSplice`,
    saying why, where the full resolution does not, or where a tile is encoded in another way.
    """
    if header.layout is not Layout.CANONICAL:
        raise CannotSplice(f"the layout {header.layout} has no blocks that align")
    levels = levels_of(header)
    with ExitStack() as opened, Spool(destination.parent) as spool:
        files = [opened.enter_context(_local(one).open("rb")) for one in placed]
        tiles = [_levels(one, file, header) for one, file in zip(placed, files, strict=True)]
        copied = _copy_levels(placed, tiles, levels, header)
        if copied < len(levels):
            pyramid = Pyramid(levels, header, rules, spool, encoded=copied, source=len(files))
            with Canvas(placed, header, copied - 1) as canvas:
                for band in range(len(header.bands)):
                    for rows in canvas.strips(band):
                        pyramid.push(band, rows)
        write_cog(destination, header, levels, [*files, spool.file])


@dataclass(frozen=True)
class _TileLevel:
    """One level of a tile: offsets and sizes of its blocks, (block rows, block columns, bands)."""

    width: int
    height: int
    offsets: Counts
    sizes: Counts


def _local(placed: PlacedTile) -> Path:
    path = Path(placed.tile.path)
    if not path.is_file():
        raise CannotSplice("the tile is not a local file", where=placed.tile.where)
    return path


def _levels(placed: PlacedTile, file: BinaryIO, header: Header) -> list[_TileLevel]:
    """The levels of a tile, once it is known to be encoded as the mosaic will be."""
    where = placed.tile.where
    try:
        with tifffile.TiffFile(file) as tiff:
            _check_encoding(tiff, file, header, placed)
            return [_level(page.aspage(), header) for page in tiff.pages]
    except tifffile.TiffFileError as error:
        raise UnreadableRaster(f"the file cannot be read: {error}", where=where) from error


def _level(page: tifffile.TiffPage, header: Header) -> _TileLevel:
    block, bands = header.layout.block, len(header.bands)
    shape = (bands, -(-page.imagelength // block), -(-page.imagewidth // block))
    offsets, sizes = (
        np.array(values, np.int64).reshape(shape).transpose(1, 2, 0)
        for values in (page.dataoffsets, page.databytecounts)
    )
    return _TileLevel(page.imagewidth, page.imagelength, offsets, sizes)


def _check_encoding(
    tiff: tifffile.TiffFile, file: BinaryIO, header: Header, placed: PlacedTile
) -> None:
    page = tiff.pages.first
    block = header.layout.block
    differences = {
        "codec": (int(page.compression), int(tifffile.COMPRESSION.ZSTD)),
        "predictor": (int(page.predictor), predictor_of(checked_dtype(header.dtype))),
        "block size": ((page.tilewidth, page.tilelength), (block, block)),
        "interleaving": (int(page.planarconfig), int(tifffile.PLANARCONFIG.SEPARATE)),
        "overview resampling": (placed.resampling, header.resampling.value),
    }
    for what, (found, wanted) in differences.items():
        if found != wanted:
            raise CannotSplice(f"its {what} is {found}, not {wanted}", where=placed.tile.where)
    file.seek(0)
    if tiff.byteorder != "<" or _FRAMED not in file.read(page.offset):
        raise CannotSplice("its blocks do not stand in frames", where=placed.tile.where)


def _copy_levels(
    placed: Sequence[PlacedTile],
    tiles: Sequence[list[_TileLevel]],
    levels: Sequence[Level],
    header: Header,
) -> int:
    """Point the levels at the tiles' blocks, as many levels as align; their number."""
    for index, level in enumerate(levels):
        reasons = [
            _misaligned(one, own, index, level, header)
            for one, own in zip(placed, tiles, strict=True)
        ]
        if any(reasons):
            if index == 0:
                at, why = next((i, reason) for i, reason in enumerate(reasons) if reason)
                raise CannotSplice(why, where=placed[at].tile.where)
            return index
        for source, (one, own) in enumerate(zip(placed, tiles, strict=True)):
            _point(level, one, own[index], source, header.layout.factor**index)
    return len(levels)


def _misaligned(
    placed: PlacedTile, own: list[_TileLevel], index: int, level: Level, header: Header
) -> str:
    """Why the tile's blocks of a level are no blocks of the mosaic's; empty where they are."""
    block, scale = header.layout.block, header.layout.factor**index
    if index >= len(own):
        return f"it has no overview of factor {scale}"
    window, tile = placed.window, own[index]
    for offset, side, whole, what in (
        (window.row, tile.height, level.height, "rows"),
        (window.col, tile.width, level.width, "columns"),
    ):
        if offset % (block * scale):
            return f"it begins {offset} {what} into the mosaic, no multiple of {block * scale}"
        if side % block and offset // scale + side != whole:
            return f"it has {side} {what}, no multiple of the {block}-pixel blocks"
    return ""


def _point(level: Level, placed: PlacedTile, tile: _TileLevel, source: int, scale: int) -> None:
    top = placed.window.row // scale // level.block
    left = placed.window.col // scale // level.block
    rows, cols, _ = tile.sizes.shape
    place = (slice(top, top + rows), slice(left, left + cols))
    level.source[place] = source
    level.position[place] = tile.offsets - LEADER_BYTES
    level.size[place] = tile.sizes
