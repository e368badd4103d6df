from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raster_files import NODATA, RULES, SIZE, Pixels, depths, make_tile, read_levels, source, write
from rio_cogeo.cogeo import cog_validate

from memory import run_measured
from thalweg.domain.pixels import PixelRules
from thalweg.errors import (
    CannotSplice,
    OverlappingTiles,
    UnreadableRaster,
    WrongDtype,
    WrongGrid,
    WrongNodata,
    WrongShape,
    WrongUnit,
)
from thalweg.raster.layout import Layout
from thalweg.raster.made import Made
from thalweg.raster.mosaic import Tile, mosaic
from thalweg.raster.overviews import Resampling
from thalweg.raster.stack import stack
from thalweg.raster.verify import verify

MADE_RULES = RULES.made()


def grid_of_tiles(
    folder: Path, size: int, places: list[tuple[int, int]], bands: int = 2, **options
) -> tuple[list[Tile], Pixels]:
    """Tiles at (row, column) places, and the pixels that their mosaic must have."""
    tiles = []
    height = (max(row for row, _ in places) + 1) * size
    width = (max(col for _, col in places) + 1) * size
    whole = np.full((bands, height, width), NODATA, np.int16)
    for row, col in places:
        pixels = [depths(size, size, seed=row * 97 + col * 7 + band) for band in range(bands)]
        at = {"row": row * size, "col": col * size}
        tiles.append(make_tile(folder, f"r{row}c{col}", pixels, **at, **options))
        whole[:, row * size : (row + 1) * size, col * size : (col + 1) * size] = pixels
    return tiles, trimmed(whole, places, size)


def trimmed(whole: Pixels, places: list[tuple[int, int]], size: int) -> Pixels:
    top, left = min(row for row, _ in places), min(col for _, col in places)
    return whole[:, top * size :, left * size :]


def square(rows: int, columns: int) -> list[tuple[int, int]]:
    return list(itertools.product(range(rows), range(columns)))


@pytest.mark.parametrize(
    ("size", "places", "method"),
    [
        (400, square(2, 3), "splice"),
        (1200, square(2, 2), "splice"),
        (1200, [(0, 1), (1, 0)], "splice"),
        (400, [(5, 7)], "splice"),
        (120, square(3, 4), "stream"),
        (1000, square(2, 2), "stream"),
        (1203, [(0, 0)], "splice"),
        (401, square(1, 2), "stream"),
    ],
    ids=str,
)
def test_auto_splices_where_it_can(
    tmp_path: Path, size: int, places: list[tuple[int, int]], method: str
) -> None:
    tiles, whole = grid_of_tiles(tmp_path, size, places)
    path = tmp_path / "mosaic.tif"
    made = mosaic(tiles, path, rules=MADE_RULES)
    assert made.method == method
    with rasterio.open(path) as dataset:
        assert (dataset.read() == whole).all()
        top, left = min(r for r, _ in places) * size, min(c for _, c in places) * size
        assert dataset.transform.c == pytest.approx(29 + left * SIZE, abs=1e-10)
        assert dataset.transform.f == pytest.approx(-1 - top * SIZE, abs=1e-10)
        assert dataset.tags(1) == {"return_period": "5"}
    assert cog_validate(str(path), strict=True, quiet=True) == (True, [], [])
    verify(path, made)


@given(
    size=st.sampled_from([400, 800, 1200]),
    places=st.sets(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=4),
)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_splice_and_stream_give_the_same_bytes(size: int, places: set[tuple[int, int]]) -> None:
    """The same pixels on every level, and even the same file."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        tiles, whole = grid_of_tiles(folder, size, sorted(places), bands=1)
        made = {
            method: mosaic(tiles, folder / f"{method}.tif", rules=MADE_RULES, method=method)
            for method in ("splice", "stream")
        }
        spliced, streamed = (folder / f"{method}.tif" for method in ("splice", "stream"))
        levels = read_levels(spliced)
        assert (levels[0] == whole).all()
        for one, other in zip(levels, read_levels(streamed), strict=True):
            assert (one == other).all()
        assert spliced.read_bytes() == streamed.read_bytes()
        assert made["splice"] == replace(made["stream"], method="splice")


def test_a_level_of_a_tile_is_that_level_of_the_mosaic(tmp_path: Path) -> None:
    tiles, _ = grid_of_tiles(tmp_path, 3600, [(0, 0), (0, 1)], bands=1)
    mosaic(tiles, tmp_path / "mosaic.tif", rules=MADE_RULES)
    whole = read_levels(tmp_path / "mosaic.tif")
    for level, size in enumerate((3600, 1200, 400)):
        for column, tile in enumerate(tiles):
            part = whole[level][:, :, column * size : (column + 1) * size]
            assert (part == read_levels(Path(tile.path))[level]).all()
    assert whole[3].shape[1:] == (134, 267)


def test_statistics_are_those_of_the_whole_mosaic(tmp_path: Path) -> None:
    tiles, whole = grid_of_tiles(tmp_path, 400, [(0, 0), (1, 1)])
    made = mosaic(tiles, tmp_path / "mosaic.tif", rules=MADE_RULES)
    file = write(tmp_path / "whole.tif", np.ascontiguousarray(whole[1]))
    at_once = stack([source(file)], tmp_path / "at-once.tif", rules=RULES)
    assert made.bands[1].statistics == at_once.bands[0].statistics
    assert Made.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_the_order_of_the_tiles_does_not_matter(tmp_path: Path) -> None:
    tiles, _ = grid_of_tiles(tmp_path, 400, square(2, 2))
    one = mosaic(tiles, tmp_path / "one.tif", rules=MADE_RULES)
    other = mosaic(tiles[::-1], tmp_path / "other.tif", rules=MADE_RULES)
    assert one == other
    assert (tmp_path / "one.tif").read_bytes() == (tmp_path / "other.tif").read_bytes()


def test_dry_blocks_are_written_and_absent_tiles_are_not(tmp_path: Path) -> None:
    dry = np.zeros((400, 400), np.int16)
    tiles = [
        make_tile(tmp_path, "a", [dry]),
        make_tile(tmp_path, "b", [dry], row=400, col=400),
    ]
    mosaic(tiles, tmp_path / "mosaic.tif", rules=MADE_RULES)
    with rasterio.open(tmp_path / "mosaic.tif") as dataset:
        sizes = [
            dataset.get_tag_item(f"BLOCK_SIZE_{col}_{row}", "TIFF", bidx=1)
            for row, col in square(2, 2)
        ]
        assert sizes[1] is sizes[2] is None
        assert 0 < int(sizes[0]) < 40
        assert dataset.read(1)[0, 400] == NODATA


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_other_dtypes_splice(tmp_path: Path, dtype: str) -> None:
    rules = PixelRules(dtype, "m", 255, 0, 200)
    tiles = [
        make_tile(
            tmp_path,
            f"t{col}",
            [np.random.default_rng(col).integers(0, 200, (400, 400)).astype(dtype)],
            col=400 * col,
            rules=rules,
        )
        for col in range(2)
    ]
    for method in ("splice", "stream"):
        made = mosaic(tiles, tmp_path / f"{method}.tif", rules=rules, method=method)
        verify(tmp_path / f"{method}.tif", made)
    assert (tmp_path / "splice.tif").read_bytes() == (tmp_path / "stream.tif").read_bytes()


def test_tiles_in_the_compatible_layout_are_streamed(tmp_path: Path) -> None:
    tiles, whole = grid_of_tiles(tmp_path, 600, square(1, 2), layout=Layout.COMPATIBLE)
    for layout in Layout:
        path = tmp_path / f"{layout}.tif"
        made = mosaic(tiles, path, rules=MADE_RULES, layout=layout)
        assert made.method == "stream"
        verify(path, made)
        assert (read_levels(path)[0] == whole).all()


def refused(tiles: list[Tile], tmp_path: Path, **options) -> CannotSplice:
    with pytest.raises(CannotSplice) as caught:
        mosaic(tiles, tmp_path / "m.tif", rules=MADE_RULES, method="splice", **options)
    assert not (tmp_path / "m.tif").exists()
    return caught.value


def test_splicing_says_why_it_cannot(tmp_path: Path) -> None:
    small, _ = grid_of_tiles(tmp_path, 120, square(1, 2))
    error = refused(small, tmp_path)
    assert error.where in ("r0c0", "r0c1")
    assert "no multiple of" in error.message
    whole, _ = grid_of_tiles(tmp_path, 400, square(1, 2))
    assert "layout compatible" in refused(whole, tmp_path, layout=Layout.COMPATIBLE).message
    assert "resampling" in refused(whole, tmp_path, resampling=Resampling.MAX).message
    zlib, _ = grid_of_tiles(tmp_path, 400, square(1, 2), layout=Layout.COMPATIBLE)
    assert "codec" in refused(zlib, tmp_path).message


def test_tiles_that_promise_no_frames_are_not_spliced(tmp_path: Path) -> None:
    tile = make_tile(tmp_path, "a", [depths(400, 400)])
    path = Path(tile.path)
    path.write_bytes(path.read_bytes().replace(b"BLOCK_LEADER", b"BLOCK_HEADER"))
    assert "frames" in refused([tile], tmp_path).message
    assert mosaic([tile], tmp_path / "m.tif", rules=MADE_RULES).method == "stream"


def test_overlapping_tiles_are_named(tmp_path: Path) -> None:
    tiles = [
        make_tile(tmp_path, "a", [depths(400, 400)]),
        make_tile(tmp_path, "b", [depths(400, 400)], row=399, col=399),
    ]
    with pytest.raises(OverlappingTiles, match="b: it overlaps a"):
        mosaic(tiles, tmp_path / "m.tif", rules=MADE_RULES)


def test_a_tile_off_the_common_grid_is_named(tmp_path: Path) -> None:
    tiles = [make_tile(tmp_path, "a", [depths(400, 400)])]
    file = write(tmp_path / "b-0.tif", depths(400, 400), origin=(29 + 400.5 * SIZE, -1))
    described = source(file, "1in5", return_period="5")
    made = stack([described], tmp_path / "b.tif", rules=RULES)
    tiles.append(Tile(str(tmp_path / "b.tif"), "b", made.bands))
    with pytest.raises(WrongGrid, match=r"b: it lies 400\.5000 pixels away"):
        mosaic(tiles, tmp_path / "m.tif", rules=MADE_RULES)


@pytest.mark.parametrize(
    ("rules", "error"),
    [
        (replace(RULES, dtype="int32"), WrongDtype),
        (replace(RULES, nodata=-9999), WrongNodata),
        (replace(RULES, unit="m"), WrongUnit),
    ],
)
def test_tiles_that_break_the_rules_are_named(
    tmp_path: Path, rules: PixelRules, error: type
) -> None:
    tile = make_tile(tmp_path, "a", [depths(100, 100)])
    with pytest.raises(error) as caught:
        mosaic([tile], tmp_path / "m.tif", rules=rules)
    assert caught.value.where == "a"


def test_tiles_of_other_bands_are_named(tmp_path: Path) -> None:
    one = make_tile(tmp_path, "a", [depths(100, 100)])
    two = make_tile(tmp_path, "b", [depths(100, 100)] * 2, col=100)
    with pytest.raises(WrongShape, match=r"b: its bands are 1in5, 1in6"):
        mosaic([one, two], tmp_path / "m.tif", rules=MADE_RULES)


@pytest.mark.parametrize("method", ["splice", "stream"])
def test_a_truncated_tile_is_named(tmp_path: Path, method: str) -> None:
    noise = np.random.default_rng(0).integers(0, 9000, (800, 800)).astype(np.int16)
    tile = make_tile(tmp_path, "a", [noise])
    path = Path(tile.path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(UnreadableRaster, match="a"):
        mosaic([tile], tmp_path / "m.tif", rules=MADE_RULES, method=method)
    assert not (tmp_path / "m.tif").exists()


def test_no_tile_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WrongShape, match="no tile"):
        mosaic([], tmp_path / "m.tif", rules=MADE_RULES)


MEMORY_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from raster_files import RULES
from thalweg.raster.made import BandFacts
from thalweg.raster.mosaic import Tile, mosaic
from thalweg.raster.statistics import BandStatistics
facts = (BandFacts("1in5", "", BandStatistics.of_nodata(0), (("return_period", "5"),)),)
tiles = [Tile(path, path, facts) for path in sys.argv[4:]]
mosaic(tiles, Path(sys.argv[3]), rules=RULES, method=sys.argv[2])
print(peak_mb())
"""


@pytest.mark.parametrize("method", [pytest.param("splice", marks=pytest.mark.slow), "stream"])
def test_memory_does_not_grow_with_the_height(tmp_path: Path, method: str) -> None:
    """Sixteen tiles above one another, 184 MB of pixels, cost little more than four."""
    tile = make_tile(tmp_path, "t", [depths(2400, 2400)])
    paths = []
    for row in range(16):
        path = tmp_path / f"row{row}.tif"
        path.write_bytes(Path(tile.path).read_bytes())
        with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
            dataset.transform = rasterio.Affine(SIZE, 0, 29, 0, -SIZE, -1 - row * 2400 * SIZE)
        paths.append(str(path))
    used = []
    for count in (4, 16):
        given = Path(__file__).parent, method, tmp_path / "m.tif", *paths[:count]
        used.append(int(run_measured(MEMORY_PROGRAM, *given)))
    assert used[1] < used[0] + 80
