from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
from raster_files import NODATA, RULES, SIZE, depths, make_tile, source, write

from thalweg.errors import VerificationFailed
from thalweg.raster.copies import copied_windows
from thalweg.raster.grid import Grid
from thalweg.raster.layout import Layout
from thalweg.raster.made import Made
from thalweg.raster.mosaic import mosaic
from thalweg.raster.stack import stack
from thalweg.raster.verify import verify


@pytest.fixture
def stacked(tmp_path: Path) -> tuple[Path, Made]:
    noise = np.random.default_rng(0).integers(0, 9000, (1250, 900)).astype(np.int16)
    sources = [
        source(write(tmp_path / f"{i}.tif", noise + i), f"1in{i}", return_period=str(i))
        for i in (5, 10)
    ]
    path = tmp_path / "stack.tif"
    return path, stack(sources, path, rules=RULES)


def test_what_was_made_passes(stacked: tuple[Path, Made]) -> None:
    verify(*stacked)


def test_a_grid_spelt_with_fewer_digits_passes(stacked: tuple[Path, Made]) -> None:
    path, made = stacked
    a, b, c, d, e, f = made.grid.transform
    nearly = Grid(made.grid.crs, (a, b, c + 1e-11, d, e, f), made.grid.width, made.grid.height)
    verify(path, replace(made, grid=nearly))


def band(made: Made, **changes: object) -> Made:
    return replace(made, bands=(made.bands[0], replace(made.bands[1], **changes)))


def moved(made: Made) -> Made:
    a, b, c, d, e, f = made.grid.transform
    grid = Grid(made.grid.crs, (a, b, c + SIZE / 2, d, e, f), made.grid.width, made.grid.height)
    return replace(made, grid=grid)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda made: replace(made, dtype="uint16"), "types"),
        (lambda made: replace(made, nodata=-1), "nodata"),
        (lambda made: replace(made, unit="m"), "units"),
        (lambda made: replace(made, bands=made.bands[:1]), "band count"),
        (lambda made: replace(made, bands=made.bands[::-1]), "descriptions"),
        (lambda made: replace(made, layout=Layout.COMPATIBLE), "block size"),
        (lambda made: band(made, tags=(("return_period", "20"),)), "band 2 lacks return_period=20"),
        (lambda made: replace(made, grid=replace(made.grid, crs="EPSG:32735")), "grid"),
        (moved, "grid"),
    ],
)
def test_each_disagreement_is_named(
    stacked: tuple[Path, Made], change: Callable[[Made], Made], message: str
) -> None:
    path, made = stacked
    with pytest.raises(VerificationFailed, match=message) as caught:
        verify(path, change(made))
    assert caught.value.where == str(path)


def test_every_disagreement_is_listed(stacked: tuple[Path, Made]) -> None:
    path, made = stacked
    with pytest.raises(VerificationFailed, match=r"units: .*; its nodata is"):
        verify(path, replace(made, unit="m", nodata=-1))


def test_other_pixels_are_named_by_band_and_window(stacked: tuple[Path, Made]) -> None:
    path, made = stacked
    window = replace(made.windows[0], checksums=(made.windows[0].checksums[0], "0" * 32))
    with pytest.raises(VerificationFailed, match="the pixels of band 2 at row 0, column 0") as e:
        verify(path, replace(made, windows=(window,)))
    assert "band 1" not in str(e.value)


def damage(path: Path, level: int, share: float) -> None:
    """Zero sixteen bytes of the last block of a level, at a share of its length."""
    with tifffile.TiffFile(path) as file:
        page = file.pages[level]
        at = page.dataoffsets[-1] + int(page.databytecounts[-1] * share)
    content = bytearray(path.read_bytes())
    content[at : at + 16] = bytes(16)
    path.write_bytes(content)


def test_changed_pixels_are_found(stacked: tuple[Path, Made]) -> None:
    path, made = stacked
    damage(path, level=0, share=0.5)
    with pytest.raises(VerificationFailed):
        verify(path, made)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_block_that_does_not_decode_is_found(stacked: tuple[Path, Made], level: int) -> None:
    path, made = stacked
    damage(path, level, share=0)
    with pytest.raises(VerificationFailed, match="cannot be read"):
        verify(path, made)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_truncated_file_is_found(stacked: tuple[Path, Made], share: float) -> None:
    path, made = stacked
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(VerificationFailed):
        verify(path, made)


def test_a_file_that_is_no_tiff_is_found(stacked: tuple[Path, Made]) -> None:
    path, made = stacked
    path.write_bytes(b"not a raster at all")
    with pytest.raises(VerificationFailed):
        verify(path, made)


def test_a_missing_file_is_found(stacked: tuple[Path, Made]) -> None:
    path, made = stacked
    path.unlink()
    with pytest.raises(VerificationFailed):
        verify(path, made)


def test_overviews_added_in_place_are_no_cog(stacked: tuple[Path, Made]) -> None:
    path, made = stacked
    with rasterio.open(path) as dataset:
        profile, pixels = dataset.profile, dataset.read()
        described = dataset.descriptions
    profile.update(driver="GTiff", interleave="band", predictor=2)
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(pixels)
        for index, (text, one) in enumerate(zip(described, made.bands, strict=True), start=1):
            dataset.set_band_description(index, text)
            dataset.set_band_unit(index, "cm")
            dataset.update_tags(index, **dict(one.tags))
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([3, 9])
    with pytest.raises(VerificationFailed, match="ghost area"):
        verify(path, made)


def test_a_broken_frame_is_found(stacked: tuple[Path, Made]) -> None:
    path, made = stacked
    with tifffile.TiffFile(path) as file:
        leader = file.pages[1].dataoffsets[0] - 4
    content = bytearray(path.read_bytes())
    content[leader] ^= 1
    path.write_bytes(content)
    with pytest.raises(VerificationFailed, match=r"level 1: the block at .* frame"):
        verify(path, made)


def test_pixels_where_no_tile_lies_are_found(tmp_path: Path) -> None:
    tiles = [
        make_tile(tmp_path, "a", [depths(400, 400)]),
        make_tile(tmp_path, "b", [depths(400, 400)], row=400, col=400),
    ]
    path = tmp_path / "m.tif"
    made = mosaic(tiles, path, rules=RULES.made())
    verify(path, made)
    with rasterio.open(path) as dataset:
        pixels = dataset.read(1)
    assert pixels[0, 799] == NODATA
    pixels[0, 799] = 5
    filled = source(write(tmp_path / "filled.tif", pixels), "1in5", return_period="5")
    stack([filled], path, rules=RULES)
    with pytest.raises(VerificationFailed, match="band 1 holds pixels where no tile lies"):
        verify(path, made)


@pytest.fixture
def spliced(tmp_path: Path) -> tuple[Path, Made, list[Path]]:
    tiles = [
        make_tile(tmp_path, str(col), [depths(400, 400, seed) for seed in (col, col + 1)], col=col)
        for col in (0, 400, 800)
    ]
    path = tmp_path / "mosaic.tif"
    made = mosaic(tiles, path, rules=RULES.made(), method="splice")
    return path, made, [Path(tile.path) for tile in tiles]


def test_copied_blocks_pass_by_their_bytes(spliced: tuple[Path, Made, list[Path]]) -> None:
    path, made, tiles = spliced
    verify(path, made, tiles=tiles)
    assert copied_windows(path, made.windows, tuple(tiles)) == {0, 1, 2}


def test_blocks_of_another_tile_are_no_copies_and_are_found_by_decoding(
    spliced: tuple[Path, Made, list[Path]],
) -> None:
    path, made, tiles = spliced
    assert copied_windows(path, made.windows, tuple(reversed(tiles))) == {1}
    checksums = [window.checksums for window in made.windows]
    swapped = replace(
        made,
        windows=tuple(
            replace(window, checksums=wrong)
            for window, wrong in zip(made.windows, reversed(checksums), strict=True)
        ),
    )
    with pytest.raises(VerificationFailed, match="not those that were written"):
        verify(path, swapped, tiles=tuple(reversed(tiles)))


def test_a_damaged_block_is_no_copy(spliced: tuple[Path, Made, list[Path]]) -> None:
    path, made, tiles = spliced
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        sizes = page.databytecounts
        largest = sizes.index(max(sizes))
        offset = page.dataoffsets[largest]
    whole = bytearray(path.read_bytes())
    whole[offset : offset + 4] = bytes(4)
    path.write_bytes(whole)
    assert len(copied_windows(path, made.windows, tuple(tiles))) == 2
    with pytest.raises(VerificationFailed):
        verify(path, made, tiles=tiles)
