"""TIFF directories as bytes, little-endian, classic or BigTIFF; nothing about pixels."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import tifffile

SUBFILE_TYPE, WIDTH, HEIGHT = 254, 256, 257
TILE_OFFSETS, TILE_BYTE_COUNTS = 324, 325
# Geotransform, GeoKeys, band metadata: they describe the file, and stand in its first directory.
OF_THE_FILE = frozenset({33550, 33922, 34264, 34735, 34736, 34737, 42112})

_LONG, _LONG8 = 4, 16
_CLASSIC_LIMIT = (1 << 32) - 1


@dataclass(frozen=True)
class Tag:
    """A tag: its code, TIFF type, number of values, and the values as they stand in the file."""

    code: int
    kind: int
    count: int
    data: bytes

    @classmethod
    def of_integers(cls, code: int, values: npt.ArrayLike, *, wide: bool = False) -> Self:
        """A tag of unsigned integers, of 32 bits, or 64 if `wide`."""
        array = np.asarray(values, "<u8" if wide else "<u4").ravel()
        return cls(code, _LONG8 if wide else _LONG, array.size, array.tobytes())


@dataclass(frozen=True)
class Dialect:
    """Classic TIFF, or BigTIFF for files beyond 4 GB."""

    big: bool

    @classmethod
    def for_size(cls, size: int) -> Self:
        return cls(size > _CLASSIC_LIMIT)

    @property
    def header_size(self) -> int:
        return 16 if self.big else 8

    def header(self, first_directory: int) -> bytes:
        if self.big:
            return struct.pack("<2sHHHQ", b"II", 43, 8, 0, first_directory)
        return struct.pack("<2sHI", b"II", 42, first_directory)

    def directory_size(self, tags: Sequence[Tag]) -> int:
        """Bytes of a directory and of the values that do not fit in it."""
        return len(self.directory(tags, position=0, following=0))

    def directory(self, tags: Iterable[Tag], *, position: int, following: int) -> bytes:
        """A directory to stand at `position`, then its long values; `following` is the next one.

        The size does not depend on the two positions, and is a multiple of 8.
        """
        ordered = sorted(tags, key=lambda tag: tag.code)
        pointer, entry, number = ("<Q", "<HHQ", "<Q") if self.big else ("<I", "<HHI", "<H")
        room = struct.calcsize(pointer)
        size = struct.calcsize(number) + len(ordered) * (struct.calcsize(entry) + room) + room
        entries, values = bytearray(), bytearray()
        for tag in ordered:
            entries += struct.pack(entry, tag.code, tag.kind, tag.count)
            if len(tag.data) <= room:
                entries += tag.data.ljust(room, b"\0")
            else:
                values += b"\0" * (-(size + len(values)) % 8)
                entries += struct.pack(pointer, position + size + len(values))
                values += tag.data
        head = struct.pack(number, len(ordered)) + bytes(entries) + struct.pack(pointer, following)
        whole = head + bytes(values)
        return whole + b"\0" * (-len(whole) % 8)


def first_directory(file: tifffile.TiffFile) -> list[Tag]:
    """The tags of a file's first directory, as they stand there."""
    handle = file.filehandle
    tags = []
    for tag in file.pages.first.tags.values():
        handle.seek(tag.valueoffset)
        tags.append(Tag(tag.code, int(tag.dtype), tag.count, handle.read(tag.valuebytecount)))
    return tags
