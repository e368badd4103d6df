from __future__ import annotations

import numpy as np
import pytest
from hexagon_floods import floods, grid_of
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.hexagons.boxes import Window
from thalweg.hexagons.index import CellIndex
from thalweg.hexagons.runs import packed, unpack
from thalweg.hexagons.walking import find_runs


def runs_of(slots: np.ndarray) -> tuple[np.ndarray, np.ndarray, Window]:
    stops, found = np.empty((2, slots.size), np.int32)
    count = find_runs(slots, stops, found)
    return stops[:count], found[:count], Window(*map(range, slots.shape))


def spread(stops: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.repeat(values, np.diff(stops, prepend=0))


@given(st.integers(1, 6), st.integers(1, 900), st.integers(1, 400), st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_packed_runs_are_the_same_pixels(height: int, width: int, mean: int, seed: int) -> None:
    """Whatever their lengths, with split pixels in any place, and rows that begin with one."""
    random = np.random.default_rng(seed)
    changes = random.random((height, width)) < 1 / mean
    slots = random.integers(0, 30_000, changes.sum() + 1, np.int32)[
        np.cumsum(changes).reshape(height, width)
    ]
    split = random.random(slots.shape) < random.choice([0, 0.01, 0.5, 1])
    slots[split] = -1 - np.arange(split.sum())
    stops, found, part = runs_of(slots)
    np.testing.assert_array_equal(spread(stops, found), slots.reshape(-1))

    runs = packed(stops, found, part)
    assert runs is not None
    labels = random.permutation(30_000).astype(np.int32)
    new_stops, cells = np.empty((2, slots.size), np.int32)
    count = unpack(*runs, width, labels, new_stops, cells)
    assert new_stops[count - 1] == slots.size
    expected = np.where(slots < 0, slots, labels[slots])
    np.testing.assert_array_equal(spread(new_stops[:count], cells[:count]), expected.reshape(-1))


@pytest.mark.parametrize(("step", "fits"), [(32_767, True), (-32_767, True), (32_768, False)])
def test_too_far_a_step_is_not_packed(step: int, fits: bool) -> None:
    slots = np.array([[40_000, 40_000, 40_000 + step]], np.int32)
    assert (packed(*runs_of(slots)) is not None) is fits


@pytest.mark.parametrize("per_pixel", [1, 16])
def test_runs_that_find_no_room_are_found_again(
    monkeypatch: pytest.MonkeyPatch, per_pixel: int
) -> None:
    pixels = floods(1, height=50, width=80)
    grid, whole = grid_of(pixels), Window(range(50), range(80))
    found = []
    for room in (1 << 20, 0):
        monkeypatch.setattr("thalweg.hexagons.index.RUNS_KEPT_BYTES", room)
        index = CellIndex(grid, 9, whole, per_pixel)
        for _ in range(2):
            stops, cells = np.empty((2, 4000), np.int32)
            count, split = index.fill_runs(whole, stops, cells)
            found.append((spread(stops[:count], cells[:count]), *split))
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, same)
