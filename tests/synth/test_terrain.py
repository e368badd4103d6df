from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from thalweg.synth import terrain as module
from thalweg.synth.flood import Region
from thalweg.synth.presets import DEFAULT_SEED, find_preset
from thalweg.synth.terrain import bank_distance, bilinear, build_terrain, tile_window

grounds = arrays.arrays(
    np.float32,
    st.tuples(st.integers(3, 14), st.integers(3, 14)),
    elements=st.floats(0, 500, width=32),
)


@settings(deadline=None, max_examples=25)
@given(
    size=st.sampled_from([16, 48, 64, 112]),
    right=st.integers(-40, 40),
    down=st.integers(-40, 40),
)
def test_tiles_that_overlap_agree(tiny: Region, size: int, right: int, down: int) -> None:
    """The same place is the same terrain, from whichever tile it is looked at."""
    assume(max(abs(right), abs(down)) < size)
    landscape = tiny.terrain
    west, north = 28.4, -2.1
    here = tile_window(landscape, west, north, size)
    there = tile_window(landscape, west + right / size, north - down / size, size)
    a = np.s_[max(down, 0) : size + min(down, 0), max(right, 0) : size + min(right, 0)]
    b = np.s_[max(-down, 0) : size + min(-down, 0), max(-right, 0) : size + min(-right, 0)]
    for one, other in (
        (here.row, there.row),
        (bilinear(landscape.shore, here), bilinear(landscape.shore, there)),
        (bank_distance(landscape.rivers, here), bank_distance(landscape.rivers, there)),
        (bank_distance(landscape.streams, here), bank_distance(landscape.streams, there)),
    ):
        np.testing.assert_allclose(one[a], other[b], atol=2e-3)


def test_no_channel_is_missed(tiny: Region) -> None:
    """Drawing around each link gives the distance to the nearest of all links."""
    window = tile_window(tiny.terrain, 29.0, -2.0, 32)
    links = tiny.terrain.rivers.links.T
    start, step = links[:, :2], links[:, 2:4] - links[:, :2]
    place = np.stack([window.row, window.col], -1).reshape(-1, 1, 2)
    along = ((place - start) * step).sum(-1) / (step**2).sum(-1)
    gap = place - start - np.clip(along, 0, 1)[..., None] * step
    nearest = (np.hypot(gap[..., 0], gap[..., 1]) - links[:, 4]).min(1).reshape(32, 32)
    expected = np.minimum(nearest, module.REACH)
    np.testing.assert_allclose(bank_distance(tiny.terrain.rivers, window), expected, atol=1e-3)
    assert (expected < module.REACH).any()


def test_the_same_seed_makes_the_same_terrain_and_another_another(tiny: Region) -> None:
    again = build_terrain(find_preset("tiny"), DEFAULT_SEED)
    np.testing.assert_array_equal(again.lake, tiny.terrain.lake)
    np.testing.assert_array_equal(again.rivers.links, tiny.terrain.rivers.links)
    other = build_terrain(find_preset("tiny"), DEFAULT_SEED + 1)
    assert not np.array_equal(other.lake, tiny.terrain.lake)


@settings(deadline=None)
@given(grounds)
def test_water_always_runs_down_to_an_outlet(ground: np.ndarray) -> None:
    shore = np.ones_like(ground)
    level, order, drains_to = module._priority_flood(ground, shore, 1)
    assert (level >= ground).all()
    assert sorted(order) == list(range(ground.size))
    flat = level.ravel()
    for node, receiver in enumerate(drains_to):
        if receiver >= 0:
            assert flat[receiver] <= flat[node]
    outlets = drains_to < 0
    edge = np.ones(ground.shape, bool)
    edge[1:-1, 1:-1] = False
    np.testing.assert_array_equal(outlets, edge.ravel())


@settings(deadline=None)
@given(grounds)
def test_every_node_drains_through_one_outlet(ground: np.ndarray) -> None:
    _, order, drains_to = module._priority_flood(ground, np.ones_like(ground), 1)
    area = module._catchment_area(order, drains_to)
    assert area[drains_to < 0].sum() == ground.size
    assert area.min() == 1


@settings(deadline=None)
@given(grounds)
def test_land_stands_above_its_drainage(ground: np.ndarray) -> None:
    level, order, drains_to = module._priority_flood(ground, np.ones_like(ground), 1)
    channel = module._catchment_area(order, drains_to) >= 4
    hand = module._height_above_drainage(level.ravel(), order, drains_to, channel)
    assert hand.min() >= 0
    assert (hand[channel] == 0).all()


@settings(deadline=None)
@given(arrays.arrays(bool, (9, 12)))
def test_distances_are_nearly_euclidean(inside: np.ndarray) -> None:
    measured = module._chamfer(inside)
    outside = np.argwhere(~inside)
    if not len(outside):
        assert (measured >= 1e6).all()
        return
    for place in np.ndindex(inside.shape):
        true = np.hypot(*(outside - place).T).min()
        assert measured[place] == pytest.approx(true, rel=0.09)


def test_rivers_and_lakes_are_a_small_part_of_the_land(tiny: Region) -> None:
    landscape = tiny.terrain
    land = landscape.shore > 0
    lake = (landscape.lake > landscape.lake_level) & land
    assert lake.sum() / land.sum() == pytest.approx(module.LAKE_SHARE, abs=1e-3)
    assert landscape.rivers.links.shape[1] < landscape.streams.links.shape[1] < land.size
