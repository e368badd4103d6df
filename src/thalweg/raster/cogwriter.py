"""Writing a COG from blocks that are already encoded."""

from __future__ import annotations

import errno
import io
import os
import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import tifffile
from rasterio.io import MemoryFile

from thalweg.errors import DiskFull, UnreadableRaster
from thalweg.raster.grid import Grid
from thalweg.raster.layout import Layout
from thalweg.raster.overviews import Resampling
from thalweg.raster.tiff import (
    HEIGHT,
    OF_THE_FILE,
    SUBFILE_TYPE,
    TILE_BYTE_COUNTS,
    TILE_OFFSETS,
    WIDTH,
    Dialect,
    Tag,
    first_directory,
)

Counts = npt.NDArray[np.int64]

RESAMPLING_TAG = "OVERVIEW_RESAMPLING"
_COPY_BYTES = 4 << 20
# A block stands between its size, and its last four bytes once more.
_LEADER = struct.Struct("<I")
LEADER_BYTES = 4
_FRAME_BYTES = 8


@dataclass(frozen=True)
class BandHeader:
    """What a band's metadata says; `unit` as in `rules.unit`."""

    description: str
    unit: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Header:
    """Everything about a file but its pixels."""

    grid: Grid
    dtype: str
    nodata: float
    layout: Layout
    resampling: Resampling
    bands: tuple[BandHeader, ...]
    tags: Mapping[str, str] = field(default_factory=dict)


class Level:
    """Where each block of one level lies: arrays of shape (block rows, block columns, bands).

    `source` indexes the files that `write_cog` is given, `position` is where the block's frame
    begins there, `size` is the block's own size: 0 for a block that is absent, all nodata.
    """

    def __init__(self, width: int, height: int, block: int, bands: int) -> None:
        self.width, self.height, self.block = width, height, block
        shape = (-(-height // block), -(-width // block), bands)
        self.source = np.zeros(shape, np.int32)
        self.position = np.zeros(shape, np.int64)
        self.size = np.zeros(shape, np.int64)

    def frame_sizes(self) -> Counts:
        return np.where(self.size > 0, self.size + _FRAME_BYTES, 0)


def levels_of(header: Header) -> list[Level]:
    """The levels of a file without blocks yet, full resolution first."""
    shapes = header.layout.shapes(header.grid.width, header.grid.height)
    return [Level(w, h, header.layout.block, len(header.bands)) for w, h in shapes]


class Spool:
    """Encoded blocks on their way to a file, kept on disk: memory does not grow with them."""

    def __init__(self, folder: Path) -> None:
        self.file: BinaryIO = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._end = 0

    def add(self, block: bytes) -> int:
        """Append a block in its frame; the position of the frame."""
        position = self._end
        self.file.write(_LEADER.pack(len(block)) + block + block[-4:])
        self._end += len(block) + _FRAME_BYTES
        return position

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


def write_cog(
    destination: Path, header: Header, levels: Sequence[Level], files: Sequence[BinaryIO]
) -> None:
    """Write a COG of these levels, full resolution first, copying each block from its file.

    The order of GDAL's COG driver: directories first, the data of the smallest overview first,
    blocks row by row with the band fastest. The same input gives the same bytes.
    """
    for file in files:
        # Blocks are read by position, past Python's buffers.
        file.flush()
    ghost, tags = _template(header)
    # An offset costs 8 bytes at most, a byte count 4: near enough to tell on which side of 4 GB.
    data = sum(int(level.frame_sizes().sum()) + 12 * level.size.size for level in levels)
    dialect = Dialect.for_size(data + (1 << 20))
    first = _even(dialect.header_size + len(ghost))
    starts = _directory_starts(dialect, tags, levels, first)
    offsets = _offsets(levels, starts[-1])
    with destination.open("wb") as out:
        out.write((dialect.header(first) + ghost).ljust(first, b"\0"))
        for index, level in enumerate(levels):
            following = starts[index + 1] if index + 1 < len(levels) else 0
            entries = _entries(tags, level, offsets[index], dialect, overview=index > 0)
            out.write(dialect.directory(entries, position=starts[index], following=following))
        for level in reversed(levels):
            _copy(level, files, out)


@contextmanager
def writing(destination: Path) -> Iterator[None]:
    """Leave no half-written file behind; a full disk becomes `DiskFull`."""
    try:
        yield
    except BaseException as error:
        destination.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                where=str(destination), hint="free some space, then run the same again"
            ) from error
        raise


def _template(header: Header) -> tuple[bytes, list[Tag]]:
    """The ghost area and tags that GDAL's own COG driver gives to such a file.

    So that GeoKeys of any CRS, nodata and metadata are spelt as GDAL spells them.
    """
    with MemoryFile() as memory:
        with memory.open(
            driver="COG",
            width=1,
            height=1,
            count=len(header.bands),
            dtype=header.dtype,
            crs=header.grid.crs,
            transform=header.grid.affine,
            nodata=header.nodata,
            COMPRESS="ZSTD",
            PREDICTOR="YES",
            INTERLEAVE="TILE",
            BLOCKSIZE=header.layout.block,
        ) as dataset:
            dataset.update_tags(**{**header.tags, RESAMPLING_TAG: header.resampling.value})
            for index, band in enumerate(header.bands, start=1):
                dataset.set_band_description(index, band.description)
                dataset.set_band_unit(index, band.unit)
                dataset.update_tags(index, **band.tags)
        content = bytes(memory.getbuffer())
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        ghost = content[8 : file.pages.first.offset].rstrip(b"\0")
        tags = first_directory(file)
    own = {WIDTH, HEIGHT, TILE_OFFSETS, TILE_BYTE_COUNTS}
    return ghost, [tag for tag in tags if tag.code not in own]


def _entries(
    tags: Sequence[Tag],
    level: Level,
    offsets: Counts,
    dialect: Dialect,
    *,
    overview: bool,
) -> list[Tag]:
    """The tags of one level's directory; arrays of blocks are by band there, then by block."""
    shared = [tag for tag in tags if not (overview and tag.code in OF_THE_FILE)]
    return [
        *shared,
        *([Tag.of_integers(SUBFILE_TYPE, [1])] if overview else []),
        Tag.of_integers(WIDTH, [level.width]),
        Tag.of_integers(HEIGHT, [level.height]),
        Tag.of_integers(TILE_OFFSETS, offsets.transpose(2, 0, 1), wide=dialect.big),
        Tag.of_integers(TILE_BYTE_COUNTS, level.size.transpose(2, 0, 1)),
    ]


def _directory_starts(
    dialect: Dialect, tags: Sequence[Tag], levels: Sequence[Level], first: int
) -> list[int]:
    """Where each level's directory begins, and, last, where the data does."""
    starts = [first]
    for index, level in enumerate(levels):
        entries = _entries(tags, level, level.size, dialect, overview=index > 0)
        starts.append(starts[-1] + dialect.directory_size(entries))
    return starts


def _offsets(levels: Sequence[Level], start: int) -> list[Counts]:
    """Where each block will lie, past its leader; 0 for an absent one."""
    found = []
    for level in reversed(levels):
        frames = level.frame_sizes()
        ends = start + np.cumsum(frames).reshape(frames.shape)
        found.append(np.where(level.size > 0, ends - frames + LEADER_BYTES, 0))
        start = int(ends.flat[-1])
    return found[::-1]


def _copy(level: Level, files: Sequence[BinaryIO], out: BinaryIO) -> None:
    """Append a level's frames; those that lie side by side in one file are copied at once."""
    present = level.size.ravel() > 0
    frames = level.frame_sizes().ravel()[present]
    source, position = level.source.ravel()[present], level.position.ravel()[present]
    apart = (source[1:] != source[:-1]) | (position[1:] != position[:-1] + frames[:-1])
    begins = np.flatnonzero(np.concatenate([[True], apart])) if frames.size else np.zeros(0, int)
    lengths = np.add.reduceat(frames, begins) if frames.size else begins
    for index, length in zip(begins.tolist(), lengths.tolist(), strict=True):
        _copy_bytes(files[source[index]], int(position[index]), length, out)


def _copy_bytes(file: BinaryIO, position: int, length: int, out: BinaryIO) -> None:
    while length:
        piece = os.pread(file.fileno(), min(length, _COPY_BYTES), position)
        if not piece:
            raise UnreadableRaster(
                "the file ends before its last block", where=str(getattr(file, "name", ""))
            )
        out.write(piece)
        position += len(piece)
        length -= len(piece)


def _even(number: int) -> int:
    return number + number % 2
