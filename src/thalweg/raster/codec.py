"""Blocks of pixels to bytes: predictor, then ZSTD."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from imagecodecs import floatpred_encode, zstd_encode

from thalweg.errors import WrongDtype
from thalweg.raster.runs import uniform

ZSTD_LEVEL = 3
DTYPES = ("uint8", "int8", "uint16", "int16", "int32", "float32", "float64")

Pixels = npt.NDArray[Any]


def checked_dtype(name: str, *, where: str = "") -> np.dtype[Any]:
    """The numpy dtype of that name; `WrongDtype` where rasters of it are not made."""
    if name not in DTYPES:
        raise WrongDtype(
            f"rasters of type {name} are not handled",
            where=where,
            hint=f"convert the file to one of {', '.join(DTYPES)}",
        )
    return np.dtype(name)


def stored(value: float, dtype: np.dtype[Any]) -> float:
    """A number as pixels of that type hold it: -1.1 is another one in float32."""
    return float(np.array(value).astype(dtype)) if dtype.kind == "f" else float(value)


def predictor_of(dtype: np.dtype[Any]) -> int:
    """The TIFF predictor: 2, horizontal differences, for integers; 3 for floating point."""
    return 3 if dtype.kind == "f" else 2


class BlockEncoder:
    """Encodes square blocks of one dtype, the same pixels always to the same bytes.

    A block that reaches past the pixels is filled by repeating the last column and row, which
    costs next to nothing once predicted. Blocks of one value are encoded once and remembered.
    """

    def __init__(self, dtype: np.dtype[Any], block: int, nodata: float) -> None:
        self._bits = np.dtype(f"u{dtype.itemsize}")
        self._floating = dtype.kind == "f"
        self._dtype = dtype
        self._block = np.empty((block, block), self._bits)
        self._constants: dict[int, bytes] = {}
        self._nodata = int(np.array(nodata, dtype).view(self._bits)[()])

    def encode(self, pixels: Pixels, row: int, col: int) -> bytes:
        """The block whose upper left pixel is (row, col); empty bytes where all is nodata."""
        bits = pixels.view(self._bits)
        first = int(bits[row, col])
        if not _pack(bits, row, col, self._block, not self._floating):
            return self._compress()
        if first == self._nodata:
            return b""
        if first not in self._constants:
            self._constants[first] = self._compress()
        return self._constants[first]

    def _compress(self) -> bytes:
        if self._floating:
            block = floatpred_encode(self._block.view(self._dtype), axis=-1)
            return bytes(zstd_encode(block, ZSTD_LEVEL))
        return bytes(zstd_encode(self._block, ZSTD_LEVEL))


@numba.njit(nogil=True, cache=True)
def _pack(bits: Any, top: int, left: int, out: Any, difference: bool) -> bool:
    """Copy a block, as differences from the pixel to the left if so asked; is it of one value?"""
    side = out.shape[0]
    height = min(side, bits.shape[0] - top)
    width = min(side, bits.shape[1] - left)
    first = bits[top, left]
    constant = True
    for row in range(height):
        source = bits[top + row, left : left + width]
        target = out[row]
        constant = constant and uniform(source, first)
        if difference:
            target[0] = source[0]
            for col in range(1, width):
                target[col] = source[col] - source[col - 1]
        else:
            for col in range(width):
                target[col] = source[col]
        for col in range(width, side):
            target[col] = 0 if difference else source[width - 1]
    for row in range(height, side):
        for col in range(side):
            out[row, col] = out[height - 1, col]
    return constant
