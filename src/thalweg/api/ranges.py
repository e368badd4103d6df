"""The part of a file that a request asks for (RFC 9110, 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from thalweg.errors import RangeNotSatisfiable

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)


@dataclass(frozen=True)
class ByteRange:
    """Bytes `first` to `last`, both of them included, of `size`."""

    first: int
    last: int
    size: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1

    @property
    def header(self) -> str:
        return f"bytes {self.first}-{self.last}/{self.size}"


def byte_range(header: str, size: int) -> ByteRange | None:
    """The range of a header; None stands for the whole file.

    As the RFC allows, what is no range of bytes is passed over, and so are several at once. Raises
    `RangeNotSatisfiable` for one that begins beyond the end.
    """
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        first_byte, last_byte = size - length, size - 1
    else:
        first_byte, last_byte = int(first), min(int(last or size), size - 1)
        if last and int(last) < int(first):
            return None
    if first_byte > last_byte:
        raise RangeNotSatisfiable(
            f"the file has {size} bytes", hint="ask for a range that begins before its end"
        )
    return ByteRange(first_byte, last_byte, size)
