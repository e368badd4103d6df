"""The byte order that makes a TIFF cloud optimised, as the canonical layout promises it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import tifffile

from thalweg.raster.cogwriter import LEADER_BYTES, Counts

_GHOST_HEAD = b"GDAL_STRUCTURAL_METADATA_SIZE="
_GHOST_HEAD_BYTES = 43


def structure_faults(path: Path) -> Iterator[str]:
    """What a file's structure does not keep of what its ghost area promises.

    The directories come first, one after another; then the blocks, of the smallest overview first,
    row by row with the band fastest, each between its size and its last four bytes once more.
    """
    with tifffile.TiffFile(path) as tiff, path.open("rb") as file:
        pages = [page.aspage() for page in tiff.pages]
        head_size = 16 if tiff.is_bigtiff else 8
        ghost = os.pread(file.fileno(), _GHOST_HEAD_BYTES, head_size)
        if not ghost.startswith(_GHOST_HEAD):
            yield "it has no ghost area"
            return
        end = head_size + _GHOST_HEAD_BYTES + int(ghost[len(_GHOST_HEAD) :].split()[0])
        if pages[0].offset != end + end % 2:
            yield f"its first directory lies at {pages[0].offset}, not right after the ghost area"
        if sorted(page.offset for page in pages) != [page.offset for page in pages]:
            yield "its directories are not in order"
        for index, page in enumerate(pages):
            yield from _page_faults(page, f"level {index}", file.fileno())
        yield from _order_faults(pages)


def _blocks(page: tifffile.TiffPage) -> tuple[Counts, Counts]:
    """Offsets and sizes of a page's blocks that are present, in the order they should lie in."""
    bands = page.samplesperpixel
    offsets, sizes = (
        np.array(values, np.int64).reshape(bands, -1).T.ravel()
        for values in (page.dataoffsets, page.databytecounts)
    )
    return offsets[sizes > 0], sizes[sizes > 0]


def _page_faults(page: tifffile.TiffPage, name: str, descriptor: int) -> Iterator[str]:
    offsets, sizes = _blocks(page)
    if (np.diff(offsets) <= 0).any():
        yield f"{name}: its blocks do not lie row by row with the band fastest"
    for offset, size in zip(offsets.tolist(), sizes.tolist(), strict=True):
        leader = os.pread(descriptor, LEADER_BYTES, offset - LEADER_BYTES)
        end = os.pread(descriptor, 8, offset + size - 4)
        if int.from_bytes(leader, "little") != size or end[:4] != end[4:]:
            yield f"{name}: the block at {offset} does not stand in its frame"
            return


def _order_faults(pages: list[tifffile.TiffPage]) -> Iterator[str]:
    extents = []
    for page in pages:
        offsets, sizes = _blocks(page)
        if offsets.size:
            extents.append((int(offsets.min()), int((offsets + sizes).max())))
    for (first, _), (_, last) in pairwise(extents):
        if last > first:
            yield "the data of an overview lies behind that of a finer level"
