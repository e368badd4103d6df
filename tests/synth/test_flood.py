from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from thalweg.synth.flood import (
    NODATA,
    PERMANENT_WATER,
    SMALLEST_DEPTH,
    Region,
    build_region,
    depth_layer,
    effective_return_period,
    fill_depth,
    hazard_heights,
    peril_heights,
    stage,
    tile_ground,
    tile_origin,
)
from thalweg.synth.presets import DEFAULT_SEED, PERILS, WARMING, Hazard, Selection, find_preset

SIZE = 256
RETURN_PERIODS = find_preset("rwanda").return_periods
YEARS = (2030, 2050, 2080)

scenarios = st.sampled_from(list(WARMING))
return_periods = st.integers(2, 1000)


def heights_of(region: Region, hazard: Hazard, tile: str, size: int = SIZE) -> np.ndarray:
    ground = tile_ground(region.terrain, tile, size)
    return hazard_heights(region, hazard, ground, peril_heights(region, hazard.peril, ground))


def depths_of(region: Region, hazard: Hazard, heights, rp=100, year=2020, scenario=None):
    out = np.empty_like(heights)
    depth_layer(heights, hazard, stage(region, hazard, rp, year, scenario), out)
    return out


def hazard_named(region: Region, name: str) -> Hazard:
    return next(hazard for hazard in region.preset.hazards if hazard.name == name)


@given(return_periods, return_periods, st.sampled_from(YEARS), scenarios)
def test_rarer_floods_stay_rarer(one: int, other: int, year: int, scenario: str) -> None:
    low, high = sorted((one, other))
    assert effective_return_period(low, year, scenario) <= effective_return_period(
        high, year, scenario
    )


@given(return_periods, scenarios)
def test_a_flood_is_rarer_today_than_in_any_future(return_period: int, scenario: str) -> None:
    today = effective_return_period(return_period, 2020, None)
    future = [effective_return_period(return_period, year, scenario) for year in YEARS]
    assert today == return_period
    assert all(a < b for a, b in pairwise([today, *future]))


@pytest.mark.parametrize("name", ["FLUVIAL_DEFENDED", "FLUVIAL_UNDEFENDED", "PLUVIAL_DEFENDED"])
def test_water_is_never_shallower(rwanda: Region, name: str) -> None:
    """...with a longer return period, a later year or a higher scenario."""
    hazard = hazard_named(rwanda, name)
    heights = heights_of(rwanda, hazard, "s03e028")

    def depths(rp, year=2020, scenario=None):
        return depths_of(rwanda, hazard, heights, rp, year, scenario)

    chains = [
        [depths(rp) for rp in RETURN_PERIODS],
        *([depths(100), *(depths(100, year, s) for year in YEARS)] for s in WARMING),
        *([depths(100, year, s) for s in WARMING] for year in YEARS),
    ]
    for chain in chains:
        assert all((shallow <= deep).all() for shallow, deep in pairwise(chain))
        assert (chain[0] < chain[-1]).any()


def test_defences_never_deepen_the_water(rwanda: Region) -> None:
    defended = hazard_named(rwanda, "FLUVIAL_DEFENDED")
    undefended = hazard_named(rwanda, "FLUVIAL_UNDEFENDED")
    with_them = depths_of(rwanda, defended, heights_of(rwanda, defended, "s03e029"))
    without = depths_of(rwanda, undefended, heights_of(rwanda, undefended, "s03e029"))
    assert (with_them <= without).all()
    assert 0 < (with_them > 0).sum() < (without > 0).sum()


@pytest.mark.parametrize(
    ("name", "share", "depth"),
    [("FLUVIAL_UNDEFENDED", 0.021, 149), ("PLUVIAL_DEFENDED", 0.167, 50)],
)
def test_a_hundred_year_flood_is_as_wide_and_deep_as_the_real_one(
    rwanda: Region, name: str, share: float, depth: float
) -> None:
    hazard = hazard_named(rwanda, name)
    heights = [heights_of(rwanda, hazard, tile) for tile in rwanda.preset.tiles]
    depths = np.stack([depths_of(rwanda, hazard, tile) for tile in heights])
    valid, wet = depths >= 0, depths > 0
    assert wet.sum() / valid.sum() == pytest.approx(share, rel=0.1)
    assert depths[wet].mean() == pytest.approx(depth, rel=0.1)


def test_the_sea_floods_a_small_share_of_the_coast() -> None:
    coast = Selection(hazards=("COASTAL_UNDEFENDED",)).of(find_preset("civ"))
    civ = build_region(coast, DEFAULT_SEED)
    hazard = coast.hazards[0]
    heights = [heights_of(civ, hazard, tile) for tile in hazard.tiles]
    depths = np.stack([depths_of(civ, hazard, tile) for tile in heights])
    assert (depths > 0).sum() / (depths >= 0).sum() == pytest.approx(0.0004, rel=0.5)
    assert depths[depths > 0].mean() == pytest.approx(34, rel=0.4)
    assert all((tile == NODATA).any() and (tile > PERMANENT_WATER).any() for tile in heights)


@pytest.mark.parametrize("name", ["FLUVIAL_DEFENDED", "FLUVIAL_UNDEFENDED", "PLUVIAL_DEFENDED"])
def test_land_water_and_nodata_lie_where_they_lie_in_every_hazard(
    rwanda: Region, name: str
) -> None:
    ground = tile_ground(rwanda.terrain, "s03e028", SIZE)
    depths = depths_of(
        rwanda,
        hazard_named(rwanda, name),
        heights_of(rwanda, hazard_named(rwanda, name), "s03e028"),
    )
    np.testing.assert_array_equal(depths == NODATA, ~ground.land)
    np.testing.assert_array_equal(depths == PERMANENT_WATER, ground.water)
    assert 0 < ground.water.sum() < ground.land.sum() < ground.land.size
    assert set(np.unique(depths[depths < SMALLEST_DEPTH])) == {NODATA, PERMANENT_WATER, 0}


def test_the_wet_share_does_not_depend_on_the_tile_size(rwanda: Region) -> None:
    hazard = hazard_named(rwanda, "FLUVIAL_UNDEFENDED")
    fine = heights_of(rwanda, hazard, "s03e029", 512)
    coarse = heights_of(rwanda, hazard, "s03e029", 128)
    shares = [
        (depths_of(rwanda, hazard, heights) > 0).sum() / (heights > PERMANENT_WATER).sum()
        for heights in (fine, coarse)
    ]
    assert shares[0] == pytest.approx(shares[1], rel=0.15)


def test_a_tile_begins_half_a_pixel_to_the_north_west() -> None:
    assert tile_origin("s01e030", 3600) == pytest.approx((30 - 1 / 7200, 0 + 1 / 7200))
    assert tile_origin("n04w006", 16) == pytest.approx((-6 - 1 / 32, 5 + 1 / 32))


@settings(deadline=None)
@given(
    arrays.arrays(np.int16, (5, 7), elements=st.integers(-32768, 32767)),
    st.integers(-2000, 32000),
    st.sampled_from([1000, 32000]),
)
def test_layers_follow_their_definition(heights: np.ndarray, level: int, cap: int) -> None:
    out = np.empty_like(heights)
    wet, total, deepest = fill_depth(heights, level, cap, out)
    depth = np.minimum(level - heights.astype(np.int64), cap)
    expected = np.where(depth >= SMALLEST_DEPTH, depth, 0)
    expected = np.where(heights <= PERMANENT_WATER, heights, expected)
    np.testing.assert_array_equal(out, expected)
    assert wet == (expected > 0).sum()
    assert total == expected[expected > 0].sum()
    assert deepest == max(expected.max(), 0)


def test_rain_is_capped_at_ten_metres(rwanda: Region) -> None:
    hazard = hazard_named(rwanda, "PLUVIAL_DEFENDED")
    heights = np.array([[-5000, 0, 100]], np.int16)
    out = np.empty_like(heights)
    depth_layer(heights, hazard, 100, out)
    assert out.tolist() == [[1000, 100, 0]]
    assert PERILS["fluvial"].cap > 5000
