from __future__ import annotations

import numpy as np
import pytest
from imagecodecs import delta_decode, floatpred_decode, zstd_decode

from thalweg.errors import WrongDtype
from thalweg.raster.codec import DTYPES, BlockEncoder, checked_dtype


def decoded(block: bytes, dtype: np.dtype, side: int) -> np.ndarray:
    raw = np.frombuffer(zstd_decode(block), dtype).reshape(side, side)
    if dtype.kind == "f":
        return floatpred_decode(raw.copy(), axis=-1)
    return delta_decode(raw.copy(), axis=-1)


@pytest.mark.parametrize("name", DTYPES)
def test_blocks_decode_to_their_pixels_and_repeat_the_edge(name: str) -> None:
    dtype, side = np.dtype(name), 16
    pixels = np.random.default_rng(1).integers(0, 120, (21, 19)).astype(dtype)
    encoder = BlockEncoder(dtype, side, nodata=121)
    whole = np.pad(pixels, ((0, 11), (0, 13)), mode="edge")
    for top in (0, 16):
        for left in (0, 16):
            found = decoded(encoder.encode(pixels, top, left), dtype, side)
            assert (found == whole[top : top + side, left : left + side]).all()


def test_a_block_of_nodata_is_absent_and_a_dry_one_is_not() -> None:
    encoder = BlockEncoder(np.dtype("int16"), 16, nodata=-32768)
    pixels = np.zeros((16, 32), np.int16)
    pixels[:, 16:] = -32768
    assert encoder.encode(pixels, 0, 16) == b""
    dry = encoder.encode(pixels, 0, 0)
    assert 0 < len(dry) < 40
    assert encoder.encode(pixels, 0, 0) is dry


def test_a_dtype_that_is_not_handled_is_named() -> None:
    with pytest.raises(WrongDtype, match=r"x\.tif: .*int64.*convert"):
        checked_dtype("int64", where="x.tif")
