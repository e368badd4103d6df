from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from raster_files import NODATA, Pixels, depths, write

from thalweg.errors import UnreadableRaster
from thalweg.raster.blocks import BlockReader, plain_blocks
from thalweg.raster.reading import GdalReader, opened, row_reader

DTYPES = ["uint8", "int8", "uint16", "int16", "int32", "float32", "float64"]
LAYOUTS = {
    "strips": {},
    "strips that do not divide the height": {"blockysize": 7},
    "tiles": {"tiled": True, "blockxsize": 32, "blockysize": 16},
    "bands apart": {
        "tiled": True,
        "blockxsize": 16,
        "blockysize": 16,
        "interleave": "band",
        "photometric": "minisblack",
    },
}


def first_page(path: Path) -> tifffile.TiffPage:
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        assert page.dataoffsets
        assert page.databytecounts
    return page


def bands_of(dtype: str, count: int = 3) -> Pixels:
    """Bands of depths, each another, one of them all alike."""
    bands = np.stack([depths(83, 71, seed) for seed in range(count)])
    bands[-1] = 7
    if np.dtype(dtype).kind == "u":
        bands[bands < 0] = 0
    return bands.astype(dtype) if np.dtype(dtype).itemsize > 1 else (bands % 100).astype(dtype)


def written(folder: Path, dtype: str, compress: str, predictor: int, layout: str) -> Path:
    options = LAYOUTS[layout]
    bands = bands_of(dtype) if "interleave" in options else bands_of(dtype)[0]
    return write(
        folder / "raster.tif", bands, nodata=0, compress=compress, predictor=predictor, **options
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("compress", ["deflate", "zstd"])
def test_plain_blocks_hold_the_pixels_that_gdal_finds(
    tmp_path: Path, compress: str, dtype: str, layout: str
) -> None:
    for predictor in (1, 3 if dtype.startswith("float") else 2):
        path = written(tmp_path, dtype, compress, predictor, layout)
        with opened(str(path), where="x") as dataset, row_reader(dataset, where="x") as reader:
            assert isinstance(reader, BlockReader)
            for band in dataset.indexes:
                rows = np.empty(dataset.shape, dtype)
                reader.read(band, 0, rows)
                assert np.array_equal(rows, dataset.read(band))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_window_is_that_of_gdal(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = written(
        tmp_path_factory.mktemp("window"),
        data.draw(st.sampled_from(["int16", "float32"])),
        "deflate",
        data.draw(st.sampled_from([1, 2])),
        data.draw(st.sampled_from(sorted(LAYOUTS))),
    )
    with opened(str(path), where="x") as dataset, row_reader(dataset, where="x") as reader:
        first = data.draw(st.integers(0, dataset.height - 1))
        col = data.draw(st.integers(0, dataset.width - 1))
        height = data.draw(st.integers(1, dataset.height - first))
        width = data.draw(st.integers(1, dataset.width - col))
        found, wanted = np.empty((2, height, width), dataset.dtypes[0])
        reader.read(1, first, found, col)
        GdalReader(dataset, "x").read(1, first, wanted, col)
        assert np.array_equal(found, wanted)


def test_a_block_that_is_absent_is_nodata(tmp_path: Path) -> None:
    pixels = np.full((64, 64), NODATA, np.int16)
    pixels[:16, :16] = 5
    path = write(
        tmp_path / "x.tif", pixels, tiled=True, blockxsize=16, blockysize=16, sparse_ok=True
    )
    assert 0 in first_page(path).databytecounts
    with opened(str(path), where="x") as dataset, row_reader(dataset, where="x") as reader:
        rows = np.empty((64, 64), np.int16)
        reader.read(1, 0, rows)
    assert np.array_equal(rows, pixels)


@pytest.mark.parametrize(
    "options",
    [
        {"compress": "lzw"},
        {"compress": "none"},
        {"photometric": "miniswhite"},
        {"bigtiff": "yes", "endianness": "big"},
        {"interleave": "pixel", "bands": 3},
        {"nbits": 12, "dtype": "uint16"},
        {"dtype": "complex64"},
    ],
    ids=str,
)
def test_what_is_not_plain_is_left_to_gdal(tmp_path: Path, options: dict[str, object]) -> None:
    options = dict(options)
    dtype, bands = str(options.pop("dtype", "int16")), int(str(options.pop("bands", 1)))
    pixels = np.abs(np.stack([depths(40, 30, seed) for seed in range(bands)])).astype(dtype)
    path = write(
        tmp_path / "x.tif", pixels % 4096 if "nbits" in options else pixels, nodata=None, **options
    )
    with opened(str(path), where="x") as dataset, row_reader(dataset, where="x") as reader:
        assert isinstance(reader, GdalReader)
        rows = np.empty((40, 30), dtype)
        reader.read(bands, 0, rows)
        assert np.array_equal(rows, dataset.read(bands))


@pytest.mark.parametrize("compress", ["deflate", "zstd"])
def test_a_damaged_block_is_named(tmp_path: Path, compress: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 999, (64, 64)).astype(np.int16)
    path = write(
        tmp_path / "x.tif", pixels, compress=compress, tiled=True, blockxsize=32, blockysize=32
    )
    page = first_page(path)
    with path.open("r+b") as file:
        file.seek(page.dataoffsets[2] + page.databytecounts[2] // 2)
        file.write(b"\0" * 40)
    with opened(str(path), where="x.tif") as dataset, row_reader(dataset, where="x.tif") as reader:
        rows = np.empty((32, 64), np.int16)
        reader.read(1, 0, rows)
        assert np.array_equal(rows, pixels[:32])
        with pytest.raises(UnreadableRaster, match=r"x\.tif: .*band 1, block row 1, column 0"):
            reader.read(1, 32, rows)


def test_a_window_without_blocks_is_known_undecoded(tmp_path: Path) -> None:
    pixels = np.full((96, 96), -9, np.int16)
    pixels[40, 70] = 5
    path = write(
        tmp_path / "x.tif", pixels, nodata=-9, tiled=True, blockxsize=32, blockysize=32,
        compress="zstd", sparse_ok=True,
    )  # fmt: skip
    with opened(str(path), where="x") as dataset, row_reader(dataset, where="x") as reader:
        assert isinstance(reader, BlockReader)
        assert reader.uniform(range(96), range(64)) == -9
        assert reader.uniform(range(10, 20), range(90, 96)) == -9
        for rows, cols in (((0, 96), (0, 96)), ((33, 34), (64, 65)), ((63, 90), (60, 70))):
            assert reader.uniform(range(*rows), range(*cols)) is None
        assert GdalReader(dataset, "x").uniform(range(96), range(64)) is None


def test_a_file_that_was_cut_short_is_named(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 999, (64, 64)).astype(np.int16)
    path = write(tmp_path / "x.tif", pixels, tiled=True, blockxsize=32, blockysize=32)
    page = first_page(path)
    with path.open("r+b") as file:
        file.truncate(page.dataoffsets[3] + 20)
    with opened(str(path), where="x.tif") as dataset, row_reader(dataset, where="x.tif") as reader:
        assert isinstance(reader, BlockReader)
        with pytest.raises(UnreadableRaster, match="block row 1, column 1"):
            reader.read(1, 0, np.empty((64, 64), np.int16))


def test_a_block_that_decodes_to_too_little_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tif", depths(64, 64), tiled=True, blockxsize=32, blockysize=32)
    other = write(tmp_path / "y.tif", depths(16, 16)[:16], tiled=True, blockxsize=16, blockysize=16)
    page, small = (first_page(one) for one in (path, other))
    assert small.databytecounts[0] <= page.databytecounts[0]
    block = other.read_bytes()[small.dataoffsets[0] :][: small.databytecounts[0]]
    with path.open("r+b") as file:
        file.seek(page.dataoffsets[0])
        file.write(block)
    with (
        opened(str(path), where="x.tif") as dataset,
        row_reader(dataset, where="x.tif") as reader,
        pytest.raises(UnreadableRaster, match="512 bytes instead of 2048"),
    ):
        reader.read(1, 0, np.empty((64, 64), np.int16))


@pytest.mark.shared
def test_hostile_files_are_left_to_gdal_or_refused(shared: Path) -> None:
    files = sorted((shared / "raster/fuzzed_tiff").glob("*/*"))
    assert len(files) > 50
    for path in files:
        with ExitStack() as kept:
            reader = plain_blocks(path, "uint8", (8, 8), None, path.name, kept)
            if reader:
                with pytest.raises(UnreadableRaster):
                    reader.read(1, 0, np.empty((8, 8), np.uint8))


def test_a_raster_in_memory_is_left_to_gdal(tmp_path: Path) -> None:
    content = write(tmp_path / "x.tif", depths(20, 20)).read_bytes()
    with (
        rasterio.MemoryFile(content) as memory,
        memory.open() as dataset,
        row_reader(dataset, where="x") as reader,
    ):
        assert isinstance(reader, GdalReader)
