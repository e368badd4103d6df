from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import h3.api.numpy_int as h3
import numpy as np
import numpy.typing as npt
import pytest
from hexagon_floods import (
    NODATA,
    RULES,
    SIZE,
    WATER,
    floods,
    grid_of,
    measured,
    same_answers,
    write,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.errors import UndeclaredValue, UnreadableRaster, UsageError, WrongDtype
from thalweg.hexagons.boxes import Window
from thalweg.hexagons.measures import Measures, Rule
from thalweg.hexagons.statistics import CellStatistics, merged
from thalweg.hexagons.zonal import Pass, zonal
from thalweg.raster.grid import Grid
from thalweg.raster.reading import opened, row_reader

type Numbers = npt.NDArray[Any]


def brute_force(pixels: Numbers, grid: Grid, resolution: int) -> dict[int, list[Numbers]]:
    """The valid pixels of each cell, and all of them, by the library and numpy alone."""
    a, _, c, _, e, f = grid.transform
    cells: dict[int, list[tuple[int, int]]] = {}
    for row in range(grid.height):
        for col in range(grid.width):
            lat, lon = f + e * (row + 0.5), c + a * (col + 0.5)
            cells.setdefault(h3.latlng_to_cell(lat, lon, resolution), []).append((row, col))
    return {
        int(cell): [pixels[:, [r for r, _ in places], [c for _, c in places]]]
        for cell, places in cells.items()
    }


def equal(one: CellStatistics, other: CellStatistics) -> bool:
    """To the last bit, whatever order the rows are kept in."""
    mine, its = np.argsort(one.occupied), np.argsort(other.occupied)
    pairs = [
        (one.cells, other.cells),
        (one.samples, other.samples),
        (one.areas_mm2, other.areas_mm2),
        (one.voids, other.voids),
        (one.occupied[mine], other.occupied[its]),
        (one.counts[mine], other.counts[its]),
        (one.areas[mine], other.areas[its]),
        (one.sums[mine], other.sums[its]),
        (one.histogram[mine], other.histogram[its]),
    ]
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("resolution", [5, 7, 8, 9])
def test_every_statistic_is_what_numpy_and_the_library_make_of_it(resolution: int) -> None:
    pixels = floods()
    grid = grid_of(pixels)
    result = measured(pixels, resolution, histogram=True)
    wanted = brute_force(pixels, grid, resolution)
    assert result.cells.tolist() == sorted(wanted)
    depths = (0.15, 0.5, 1.0, 1.5, 2.0)
    percents = (10, 50, 90, 99)
    above = {depth: result.above(depth) for depth in depths}
    shares = {depth: result.share_above(depth) for depth in depths}
    percentiles = {q: result.percentile(q) for q in percents}
    names = ("valid", "nodata", "wet", "total", "mean", "std", "minimum", "maximum", "wet_share")
    has = {name: getattr(result, name) for name in names}
    water = result.special("permanent_water")
    for row, cell in enumerate(result.cells.tolist()):
        (own,) = wanted[cell]
        assert result.pixels[row] == own.shape[1]
        for band in range(3):
            values = own[band][own[band] >= 0].astype(np.int64)
            at = (row, band)
            assert has["valid"][at] == values.size
            assert has["nodata"][at] == (own[band] == NODATA).sum()
            assert water[at] == (own[band] == WATER).sum()
            assert has["wet"][at] == (values > 0).sum()
            assert has["total"][at] == values.sum()
            for depth in depths:
                assert above[depth][at] == (values > depth * 100).sum()
            if not values.size:
                assert np.isnan([has["mean"][at], has["maximum"][at], shares[0.5][at]]).all()
                continue
            assert has["mean"][at] == pytest.approx(values.mean(), rel=1e-12)
            assert has["std"][at] == pytest.approx(values.std(), rel=1e-6, abs=1e-6)
            assert (has["minimum"][at], has["maximum"][at]) == (values.min(), values.max())
            assert shares[0.5][at] == pytest.approx((values > 50).mean())
            assert has["wet_share"][at] == pytest.approx((values > 0).mean())
            for q in percents:
                rank = np.sort(values)[max(0, math.ceil(q / 100 * values.size) - 1)]
                assert percentiles[q][at] == pytest.approx(rank, rel=1 / 64, abs=0.5)


@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize("bands", [1, 3, 9])
def test_resolutions_in_one_pass_are_as_each_alone(rule: Rule, bands: int) -> None:
    # Wide enough for stretches with and without special values.
    pixels = floods(bands, height=40, width=330)
    grid = grid_of(pixels)
    window = Window.of(grid)
    measures = Measures(tuple(map(str, range(bands))), RULES, rule, histogram=True)
    together = Pass(grid, window, [9, 5, 8, 10, 7], measures)
    together.add(window, pixels)
    for resolution, found in together.statistics().items():
        alone = measured(pixels, resolution, rule=rule, histogram=True)
        assert equal(found, replace(alone, measures=measures))


@pytest.mark.parametrize("bands", [1, 2, 3, 8, 9])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_bands_together_are_as_each_alone(bands: int, dtype: str) -> None:
    """Where some are nodata or water and others are not, too."""
    pixels = floods(bands, height=60, width=330).astype(dtype)
    random = np.random.default_rng(bands)
    for band, value in zip(pixels, (NODATA, WATER, 0, 0, NODATA, 300, 0, WATER, 1), strict=False):
        top, left = random.integers(0, [30, 200])
        band[top : top + 25, left : left + 90] = value
        band[random.random(band.shape) < 0.02] = value
    rules = replace(RULES, dtype=dtype)
    together = measured(pixels, 8, rules=rules, histogram=True)
    names = ("valid", "nodata", "wet", "total", "mean", "std", "minimum", "maximum", "wet_share")
    for band in range(bands):
        alone = measured(pixels[band : band + 1], 8, rules=rules, histogram=True)
        for name in names:
            mine = getattr(together, name)[:, band]
            assert np.array_equal(mine, getattr(alone, name)[:, 0], equal_nan=True), name
        assert np.array_equal(
            together.area_above_km2(0.5)[:, band], alone.area_above_km2(0.5)[:, 0]
        )
        assert np.array_equal(
            together.percentile(90)[:, band], alone.percentile(90)[:, 0], equal_nan=True
        )
        water = "permanent_water"
        assert np.array_equal(together.special(water)[:, band], alone.special(water)[:, 0])


def test_narrow_numbers_are_the_same_in_32_bits() -> None:
    wide = measured(floods(), 7)
    narrow = replace(wide, narrow=True)
    for name in ("valid", "nodata", "wet", "mean", "std", "minimum", "wet_share", "wet_area_km2"):
        expected, found = getattr(wide, name), getattr(narrow, name)
        assert found.dtype.itemsize == 4
        assert np.array_equal(found, expected.astype(found.dtype), equal_nan=True)
    assert narrow.total.dtype == np.int64


@pytest.mark.parametrize("rule", list(Rule))
def test_the_sum_over_cells_is_the_rasters(rule: Rule) -> None:
    pixels = floods(height=150, width=170)
    for resolution in (3, 6, 8, 10):
        result = measured(pixels, resolution, rule=rule)
        valid = pixels >= 0
        sums = np.where(valid, pixels, 0).sum(axis=(1, 2), dtype=np.int64)
        assert result.pixels.sum() == pixels[0].size
        assert result.total.sum(axis=0).tolist() == sums.tolist()
        assert result.valid.sum(axis=0).tolist() == valid.sum(axis=(1, 2)).tolist()
        assert result.nodata.sum(axis=0).tolist() == (pixels == NODATA).sum(axis=(1, 2)).tolist()
        assert result.special("permanent_water").sum() == (pixels == WATER).sum()
        assert result.above(1.0).sum() == (pixels > 100).sum()


@given(
    st.integers(0, 2**32), st.integers(1, 59), st.integers(1, 69), st.sampled_from(list(Rule)),
    st.integers(5, 10),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_tiles_merge_to_the_merged_raster(
    seed: int, row: int, col: int, rule: Rule, resolution: int
) -> None:
    pixels = floods(seed=seed)
    whole = measured(pixels, resolution, rule=rule, histogram=True)
    tiles = [
        measured(pixels, resolution, rule=rule, histogram=True, window=Window(rows, cols))
        for rows in (range(row), range(row, 60))
        for cols in (range(col), range(col, 70))
    ]
    orders = [merged(order) for order in list(permutations(tiles))[::7]]
    assert all(equal(orders[0], other) for other in orders[1:])
    assert same_answers(orders[0], whole)
    assert np.array_equal(orders[0].percentile(50), whole.percentile(50), equal_nan=True)


def test_tiles_with_origins_of_their_own_merge_to_the_merged_raster() -> None:
    pixels = floods(height=120, width=120)
    whole = measured(pixels, 7)
    tiles = [
        measured(part, 7, grid=grid_of(part, 29.3 + col * SIZE, -1.2 - row * SIZE))
        for row in (0, 60)
        for col in (0, 60)
        for part in [pixels[:, row : row + 60, col : col + 60]]
    ]
    assert same_answers(merged(tiles), whole)
    assert np.array_equal(merged(tiles).areas_mm2, whole.areas_mm2)


def test_nodata_and_permanent_water_are_in_no_mean_and_in_no_denominator() -> None:
    pixels = np.full((1, 40, 40), 200, np.int16)
    pixels[0, :, :10] = NODATA
    pixels[0, :, 10:20] = WATER
    pixels[0, :20, 20:] = 0
    result = measured(pixels, 4)
    assert len(result.cells) == 1
    assert (result.valid[0, 0], result.nodata[0, 0]) == (800, 400)
    assert result.special("permanent_water")[0, 0] == 400
    assert (result.mean[0, 0], result.wet_mean[0, 0]) == (100, 200)
    assert result.wet_share[0, 0] == result.share_above(1.5)[0, 0] == 0.5


def test_a_raster_of_nodata_has_its_cells_and_no_values() -> None:
    pixels = np.full((2, 30, 30), NODATA, np.int16)
    result = measured(pixels, 8)
    assert result.nodata.sum() == pixels.size
    assert result.valid.sum() == 0
    assert np.isnan(result.mean).all()
    assert np.isnan(result.minimum).all()
    assert np.isnan(result.wet_share).all()


def test_thresholds_are_metres_whatever_the_unit() -> None:
    centimetres = floods(bands=1)
    metres = centimetres.astype(np.float32) / 100
    metres[centimetres < 0] = -9999
    rules = PixelRules("float32", "m", -9999, 0, 100)
    in_cm, in_m = measured(centimetres), measured(metres, rules=rules)
    for depth in (0.15, 0.5, 1.0, 1.5, 2.0):
        assert np.array_equal(in_cm.above(depth), in_m.above(depth))
        assert np.array_equal(in_cm.area_above_km2(depth), in_m.area_above_km2(depth))
    assert in_m.mean * 100 == pytest.approx(in_cm.mean, rel=1e-6, nan_ok=True)


def test_a_value_on_the_threshold_does_not_lie_above_it() -> None:
    pixels = np.full((1, 20, 20), 50, np.int16)
    pixels[0, 0, :3] = 51
    assert measured(pixels, 4).above(0.5)[0, 0] == 3


def test_areas_are_those_of_the_sphere() -> None:
    pixels = np.full((1, 100, 80), 60, np.int16)
    result = measured(pixels, 8, grid=grid_of(pixels, 10.0, 60.0))
    radians = np.radians([10.0, 10.0 + 80 * SIZE, 60.0 - 100 * SIZE, 60.0])
    west, east, south, north = radians
    zone = 6371.007180918475**2 * (east - west) * (np.sin(north) - np.sin(south))
    assert result.area_km2.sum() == pytest.approx(zone, rel=1e-6)
    assert result.wet_area_km2.sum() == pytest.approx(zone, rel=1e-6)
    assert result.area_above_km2(0.5).sum() == pytest.approx(zone, rel=1e-6)
    assert result.area_above_km2(1.0).sum() == 0


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_other_types(dtype: str) -> None:
    pixels = np.abs(floods(bands=1) % 200).astype(dtype)
    rules = PixelRules(dtype, "m", 199, 0, 198)
    result = measured(pixels, rules=rules)
    valid = pixels != 199
    assert result.valid.sum() == valid.sum()
    assert result.total.sum() == pixels[valid].sum(dtype=np.float64)
    assert np.nanmax(result.maximum) == pixels[valid].max()


def test_negative_values_and_elevations() -> None:
    random = np.random.default_rng(3)
    pixels = random.integers(-400, 3000, (1, 50, 50)).astype(np.int16)
    pixels[0, 0, 0] = 0
    rules = PixelRules("int16", "m", NODATA, -500, 9000)
    result = measured(pixels, 6, rules=rules, histogram=True)
    for row, (own,) in enumerate(
        own for _, own in sorted(brute_force(pixels, grid_of(pixels), 6).items())
    ):
        assert (result.minimum[row, 0], result.maximum[row, 0]) == (own.min(), own.max())
        assert result.wet[row, 0] == (own > 0).sum()
        median = np.sort(own[0])[math.ceil(own.size / 2) - 1]
        assert result.percentile(50)[row, 0] == pytest.approx(median, rel=1 / 64, abs=0.5)


def test_nan_as_nodata_and_zero_as_nodata() -> None:
    pixels = floods(bands=1).astype(np.float32)
    pixels[pixels < 0] = np.nan
    rules = PixelRules("float32", "cm", math.nan, 0, 10_000)
    result = measured(pixels, rules=rules)
    assert result.nodata.sum() == np.isnan(pixels).sum()
    assert same_answers(result.merge(measured(pixels, rules=replace(rules))), _twice(result))
    dry = np.nan_to_num(pixels)
    as_nodata = measured(dry, rules=PixelRules("float32", "cm", 0, 0, 10_000))
    assert as_nodata.nodata.sum() == (dry == 0).sum()
    assert as_nodata.valid.sum() == (dry > 0).sum()
    assert np.nanmin(as_nodata.minimum) > 0


def _twice(one: CellStatistics) -> CellStatistics:
    sums = one.sums.copy()
    sums[:, :, :2] *= 2
    return replace(
        one,
        samples=2 * one.samples,
        areas_mm2=2 * one.areas_mm2,
        voids=2 * one.voids,
        counts=2 * one.counts,
        areas=2 * one.areas,
        sums=sums,
    )


@pytest.mark.parametrize(("value", "minimum"), [(-5, 0), (20_000, 0), (0, 1)])
def test_an_undeclared_value_is_named(value: int, minimum: int) -> None:
    pixels = np.full((2, 500, 30), 7, np.int16)
    pixels[1, 470, 11] = value
    rules = PixelRules("int16", "cm", NODATA, minimum, 10_000)
    with pytest.raises(UndeclaredValue, match=f"1in1 holds {value:g} at row 470, column 11"):
        measured(pixels, rules=rules)


def test_special_values_meant_as_nodata_are_nodata() -> None:
    rules = replace(RULES, special=(SpecialValue(WATER, "permanent_water", as_nodata=True),))
    pixels = floods()
    result = measured(pixels, rules=rules)
    assert result.nodata.sum() == (pixels < 0).sum()
    with pytest.raises(UsageError, match="permanent_water"):
        result.special("permanent_water")


def test_a_file_gives_what_its_pixels_give(tmp_path: Path) -> None:
    pixels = floods(height=900, width=500)
    grid = grid_of(pixels)
    tiled: Mapping[str, Any] = {"tiled": True, "blockxsize": 256, "blockysize": 256}
    path = write(tmp_path / "flood.tif", pixels, grid, **tiled)
    results = zonal(path, [5, 8], rules=RULES)
    for resolution, result in results.items():
        assert equal(result, measured(pixels, resolution))
        assert result.measures.bands == ("1in0", "1in1", "1in2")
    window = Window(range(300, 700), range(90, 400))
    (part,) = zonal(path, [8], rules=RULES, window=window).values()
    assert equal(part, measured(pixels, 8, window=window))


@pytest.mark.parametrize("nodata", [NODATA, 0])
def test_blocks_that_a_file_leaves_out_are_what_it_says_of_them(
    tmp_path: Path, nodata: int
) -> None:
    """Nodata, or zeros in a file that calls these so: its rules decide what they are."""
    pixels = floods(2, height=1200, width=160)
    pixels[:, 400:800] = nodata
    pixels[0, 800:] = nodata
    grid = grid_of(pixels)
    options = {"tiled": True, "blockxsize": 160, "blockysize": 400, "interleave": "band"}
    options |= {"compress": "deflate", "sparse_ok": True}
    path = write(tmp_path / "a.tif", pixels, grid, nodata, **options)
    with opened(path, where="a") as dataset, row_reader(dataset, where="a") as reader:
        known = [reader.uniform(range(top, top + 400), range(160)) for top in (0, 400, 800)]
    assert known == [None, nodata, None]
    assert same_answers(zonal(path, [9], rules=RULES)[9], measured(pixels, 9))


def test_a_raster_too_wide_for_one_piece_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = floods(height=200, width=300)
    path = write(tmp_path / "flood.tif", pixels, grid_of(pixels))
    monkeypatch.setattr("thalweg.hexagons.zonal._MOST_SLOTS_A_PIECE", 3000)
    (result,) = zonal(path, [9], rules=RULES).values()
    assert same_answers(result, measured(pixels, 9))


def test_bad_files_are_named(tmp_path: Path) -> None:
    pixels = floods()
    path = write(tmp_path / "flood.tif", pixels, grid_of(pixels), compress="deflate")
    with pytest.raises(WrongDtype, match="int16, not float32"):
        zonal(path, [7], rules=PixelRules("float32", "m", NODATA, 0, 100))
    data = bytearray(Path(path).read_bytes())
    data[-4000:] = bytes(4000)
    Path(path).write_bytes(data)
    with pytest.raises(UnreadableRaster):
        zonal(path, [7], rules=RULES, where="flood.tif")


def test_what_was_not_measured_is_refused() -> None:
    result = measured(floods())
    with pytest.raises(UsageError, match=r"0\.3 m was not measured"):
        result.above(0.3)
    with pytest.raises(UsageError, match="histogram"):
        result.percentile(50)
    with pytest.raises(UsageError, match="do not merge"):
        result.merge(measured(floods(), rule=Rule.AREA))
    with pytest.raises(UsageError, match="do not merge"):
        result.merge(measured(floods(), 7))
    with pytest.raises(UsageError, match="ascending"):
        Measures(("1in5",), RULES, depths_m=(1.0, 0.5))
    with pytest.raises(UsageError, match="more than 100 thresholds"):
        Measures(("1in5",), RULES, depths_m=tuple(range(1, 102)))


def test_measures_go_through_json() -> None:
    measures = Measures(("1in5", "1in100"), RULES, Rule.AREA, (0.5,), histogram=True)
    assert Measures.from_json(measures.to_json()) == measures


def test_coarse_cells_are_not_sums_of_their_children() -> None:
    """Each resolution is indexed by itself: a pixel's cell need not be its fine cell's parent."""
    pixels = floods(height=300, width=300)
    coarse, fine = measured(pixels, 7), measured(pixels, 9)
    rolled: dict[int, int] = {}
    for cell, count in zip(fine.cells.tolist(), fine.pixels.tolist(), strict=True):
        parent = h3.cell_to_parent(cell, 7)
        rolled[parent] = rolled.get(parent, 0) + count
    direct = dict(zip(coarse.cells.tolist(), coarse.pixels.tolist(), strict=True))
    assert rolled != direct
    wanted = brute_force(pixels[:1], grid_of(pixels), 7)
    assert direct == {cell: own.shape[1] for cell, (own,) in wanted.items()}
