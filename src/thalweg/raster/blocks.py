"""A TIFF's blocks, found by its own directory: to copy as they are, or to decode into place.

GDAL decodes all that the world calls TIFF, through a cache of blocks. What floods mostly come in,
DEFLATE or ZSTD, is decoded here in about half its time; the rest is left to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import tifffile
from imagecodecs import (
    DeflateError,
    ZstdError,
    deflate_decode,
    floatpred_decode,
    zstd_decode,
)

from thalweg.errors import UnreadableRaster
from thalweg.raster.codec import DTYPES, Pixels, predictor_of

type Counts = npt.NDArray[np.int64]

_DECODERS: dict[int, Callable[..., Any]] = {
    tifffile.COMPRESSION.ADOBE_DEFLATE: deflate_decode,
    tifffile.COMPRESSION.DEFLATE: deflate_decode,
    tifffile.COMPRESSION.ZSTD: zstd_decode,
}
_NO_PREDICTOR = 1
_MOST_BYTES = 64 << 20
# Only blocks that say little can be of one value.
_TERSE = 512


class BlockMap:
    """Where the compressed blocks of a file's full resolution lie, as its own index has them."""

    def __init__(self, path: Path, kept: ExitStack) -> None:
        file = kept.enter_context(path.open("rb"))
        self.page = kept.enter_context(tifffile.TiffFile(file)).pages.first
        page = self.page
        self.height = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
        self.width = page.tilewidth if page.is_tiled else page.imagewidth
        shape = (-1, -(-page.imagelength // self.height), -(-page.imagewidth // self.width))
        self._offsets: Counts = np.array(page.dataoffsets, np.int64).reshape(shape)
        self.sizes: Counts = np.array(page.databytecounts, np.int64).reshape(shape)
        self._descriptor = file.fileno()

    @property
    def shape(self) -> tuple[int, ...]:
        """(bands, block rows, block columns)"""
        return self.sizes.shape

    def read(self, band: int, row: int, col: int) -> bytes:
        """A block as it stands in the file; empty where it is absent."""
        place = band, row, col
        return os.pread(self._descriptor, int(self.sizes[place]), int(self._offsets[place]))


class BlockReader:
    """Rows of the bands of a file whose blocks are plain: see `plain_blocks`."""

    def __init__(self, blocks: BlockMap, nodata: float | None, where: str) -> None:
        page = blocks.page
        dtype = np.dtype(page.dtype)
        self._blocks = blocks
        self._where = where
        self._decode = _DECODERS[page.compression]
        self._predicted = page.predictor != _NO_PREDICTOR
        self._floating = dtype.kind == "f"
        self._dtype = dtype
        self._bits = np.dtype(f"u{dtype.itemsize}")
        self._block = np.empty((blocks.height, blocks.width), dtype)
        self._rows = page.imagelength
        self._tiled = page.is_tiled
        self._absent = np.array(0 if nodata is None else nodata).astype(dtype)[()]
        self._terse: dict[bytes, Any] = {}

    def read(self, band: int, first: int, rows: Pixels, col: int = 0) -> None:
        """Fill `rows` (rows, columns) from row `first` and column `col` of a band counted from 1.

        Raises `UnreadableRaster`, naming the block that cannot be decoded.
        """
        high, wide = self._blocks.height, self._blocks.width
        bottom, right = first + rows.shape[0], col + rows.shape[1]
        for block_row in range(first // high, -(-bottom // high)):
            top, end = max(first, block_row * high), min(bottom, (block_row + 1) * high)
            for block_col in range(col // wide, -(-right // wide)):
                left, stop = max(col, block_col * wide), min(right, (block_col + 1) * wide)
                self._fill(
                    (band - 1, block_row, block_col),
                    (top - block_row * high, left - block_col * wide),
                    rows,
                    (slice(top - first, end - first), slice(left - col, stop - col)),
                )

    def uniform(self, rows: range, cols: range) -> Any:
        """The value of all pixels of a window in all bands, where no block of it is there; else
        None."""
        high, wide = self._blocks.height, self._blocks.width
        down = slice(rows.start // high, -(-rows.stop // high))
        across = slice(cols.start // wide, -(-cols.stop // wide))
        return None if self._blocks.sizes[:, down, across].any() else self._absent

    def _fill(
        self,
        place: tuple[int, int, int],
        corner: tuple[int, int],
        rows: Pixels,
        part: tuple[slice, slice],
    ) -> None:
        """Fill a part of `rows` with the pixels of a block from its `corner` (row, column) on."""
        data = self._blocks.read(*place)
        if not data:
            rows[part] = self._absent
            return
        value = self._terse.get(data)
        if value is not None:
            rows[part] = value
            return
        block = self._decoded(data, place)
        if self._floating and self._predicted:
            block = floatpred_decode(block, axis=-1)
        summed = self._predicted and not self._floating
        down, across = part
        _place(
            block.view(self._bits),
            *corner,
            rows.view(self._bits),
            (down.start, down.stop, across.start, across.stop),
            summed,
        )
        out = rows[part]
        if len(data) <= _TERSE and out.shape == block.shape:
            bits = out.view(self._bits)
            if (bits == bits[0, 0]).all():
                self._terse[data] = out[0, 0]

    def _decoded(self, data: bytes, place: tuple[int, int, int]) -> Pixels:
        """The block as it was before it was compressed; a last strip may be shorter."""
        height = self._block.shape[0]
        if not self._tiled:
            height = min(height, self._rows - place[1] * height)
        block = self._block[:height]
        try:
            size = len(self._decode(data, out=block.view(np.uint8).reshape(-1)))
        except (DeflateError, ZstdError) as error:
            raise self._unreadable(place, str(error)) from error
        if size != block.nbytes:
            raise self._unreadable(place, f"{size} bytes instead of {block.nbytes}")
        return block

    def _unreadable(self, place: tuple[int, int, int], why: str) -> UnreadableRaster:
        band, row, col = place
        return UnreadableRaster(
            f"the file cannot be read: band {band + 1}, block row {row}, column {col}: {why}",
            where=self._where,
            hint="it may be cut short or damaged: fetch it again, or leave it out",
        )


def plain_blocks(
    path: Path,
    dtype: str,
    shape: tuple[int, int],
    nodata: float | None,
    where: str,
    kept: ExitStack,
) -> BlockReader | None:
    """A reader of the file's full resolution, open as long as `kept`; None where GDAL must decode.

    Blocks are plain where the file is local, little-endian and of bands one after another, of a
    `dtype` that rasters are made in, and its blocks are DEFLATE or ZSTD, with the usual predictor
    or none, and of no absurd size. `shape` (rows, columns) is what GDAL says.
    """
    if not path.is_file():
        return None
    try:
        blocks = BlockMap(path, kept)
    except (tifffile.TiffFileError, TypeError, ValueError, ArithmeticError, LookupError):
        # GDAL has opened it: what another reader cannot make out is left to GDAL.
        return None
    return BlockReader(blocks, nodata, where) if _plain(blocks, dtype, shape) else None


def _plain(blocks: BlockMap, dtype: str, shape: tuple[int, int]) -> bool:
    page = blocks.page
    own = np.dtype(page.dtype) if page.dtype else None
    size = blocks.height * blocks.width * np.dtype(dtype).itemsize
    return (
        page.parent.byteorder == "<"
        and page.compression in _DECODERS
        and dtype in DTYPES
        and own == np.dtype(dtype)
        and page.bitspersample == 8 * np.dtype(dtype).itemsize
        and page.predictor in (_NO_PREDICTOR, predictor_of(np.dtype(dtype)))
        and page.photometric == tifffile.PHOTOMETRIC.MINISBLACK
        and page.fillorder == tifffile.FILLORDER.MSB2LSB
        and (page.samplesperpixel == 1 or page.planarconfig == tifffile.PLANARCONFIG.SEPARATE)
        and (page.imagelength, page.imagewidth) == shape
        and blocks.shape[0] == page.samplesperpixel
        and size <= _MOST_BYTES
        and bool((blocks.sizes >= 0).all() and (blocks.sizes <= size + _MOST_BYTES).all())
    )


@numba.njit(nogil=True, cache=True)
def _place(block: Any, top: int, left: int, rows: Any, part: Any, summed: bool) -> None:
    """Copy a block from (top, left) on to a part of `rows`: (first, end, first, end).

    Each row of the block may hold differences from the pixel before, to be summed up. The part is
    no slice of its own, of which numba would not know that its pixels lie side by side.
    """
    first, end, start, stop = part
    for row in range(first, end):
        line, target = block[top + row - first], rows[row, start:stop]
        here = line[left : left + target.size]
        if summed:
            value = line[0] - line[0]
            for col in range(left):
                value += line[col]
            for col in range(target.size):
                value += here[col]
                target[col] = value
        else:
            target[:] = here
