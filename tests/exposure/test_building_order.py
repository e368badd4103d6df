from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.domain.tiles import Tile
from thalweg.exposure.order import BLOCK_DEGREES, blocks_of, keys, tile_name, tiles_of


def key(longitude: float, latitude: float) -> int:
    return int(keys(np.array([longitude]), np.array([latitude]))[0])


@settings(deadline=None)
@given(st.floats(-180, 180), st.floats(-90, 90))
def test_a_key_tells_the_tile(longitude: float, latitude: float) -> None:
    name = tile_name(int(tiles_of(np.array([key(longitude, latitude)], np.uint64))[0]))
    tile = Tile.parse(name)
    turned = -180.0 if longitude == 180 else longitude
    assert tile.south <= latitude
    assert latitude < tile.south + 1 or latitude == 90
    assert tile.west <= turned < tile.west + 1


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ((-180, -90), "s90w180"),
        ((180, 90), "n89w180"),
        ((179.999, 89.999), "n89e179"),
        ((0, 0), "n00e000"),
        ((30.5, -1.0), "s01e030"),
        ((30.5, -1.0000001), "s02e030"),
    ],
)
def test_the_sides_of_tiles(place, name: str) -> None:
    assert tile_name(key(*place) >> 48) == name


def test_neighbours_on_the_curve_are_neighbours_in_the_tile() -> None:
    steps = (np.arange(64) + 0.5) / 64
    x, y = (axis.ravel() for axis in np.meshgrid(steps, steps))
    order = np.argsort(keys(30 + x, y - 2))
    apart = np.abs(np.diff(x[order])) + np.abs(np.diff(y[order]))
    assert apart == pytest.approx(1 / 64)


def test_a_block_is_a_square() -> None:
    places = np.random.default_rng(0).uniform((30, -2), (31, -1), (20_000, 2))
    found = blocks_of(keys(*places.T))
    squares = np.floor(places / BLOCK_DEGREES).astype(int)
    by_block = {}
    for block, square in zip(found.tolist(), map(tuple, squares.tolist()), strict=True):
        assert by_block.setdefault(block, square) == square
    assert len(by_block) == len(set(map(tuple, squares.tolist()))) == 256
