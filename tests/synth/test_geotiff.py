from __future__ import annotations

import io

import numpy as np
import pytest
import rasterio
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.io import MemoryFile

from thalweg.synth.flood import NODATA, PERMANENT_WATER
from thalweg.synth.geotiff import encode_tile


def depths(size: int, wet: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    out = random.integers(5, 400, (size, size)).astype(np.int16)
    out[random.random((size, size)) >= wet] = 0
    out[: size // 4, : size // 8] = NODATA
    out[size // 2, :] = PERMANENT_WATER
    return out


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 40), st.floats(0, 1), st.integers(0, 99))
def test_gdal_reads_the_pixels_back(sixteenths: int, wet: float, seed: int) -> None:
    depth = depths(16 * sixteenths, wet, seed)
    with MemoryFile(encode_tile(depth, 30.0, 0.0)) as memory, memory.open() as dataset:
        np.testing.assert_array_equal(dataset.read(1), depth)


@pytest.mark.parametrize("size", [16, 256, 400])
def test_the_file_is_laid_out_as_the_vendor_does(size: int) -> None:
    west, north = 30 - 0.5 / size, 0.5 / size
    content = encode_tile(depths(size, 0.1, 0), west, north)
    with MemoryFile(content) as memory, memory.open() as dataset:
        assert dataset.driver == "GTiff"
        assert dataset.shape == (size, size)
        assert dataset.dtypes == ("int16",)
        assert dataset.crs.to_epsg() == 4326
        assert dataset.nodata == NODATA
        assert dataset.block_shapes == [(min(size, 256),) * 2]
        assert dataset.compression == rasterio.enums.Compression.deflate
        assert dataset.transform == rasterio.Affine(1 / size, 0, west, 0, -1 / size, north)
        assert dataset.tags()["AREA_OR_POINT"] == "Area"
        assert dataset.units == (None,)
        assert dataset.overviews(1) == []


def test_dry_blocks_are_written() -> None:
    content = encode_tile(np.zeros((512, 512), np.int16), 0.0, 1.0)
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        assert min(file.pages[0].databytecounts) > 0


def test_the_same_pixels_make_the_same_bytes() -> None:
    depth = depths(272, 0.3, 1)
    assert encode_tile(depth, 1.0, 2.0) == encode_tile(depth.copy(), 1.0, 2.0)
