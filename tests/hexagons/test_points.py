from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.hexagons.parts import cells_at
from thalweg.hexagons.points import cells_of_places


@pytest.mark.parametrize("resolution", [0, 5, 8, 11, 15])
@pytest.mark.parametrize(("lon", "lat"), [(30.0, -2.0), (179.99, 66.0), (-0.01, 89.99), (10, -90)])
def test_the_cells_are_those_of_the_library(lon: float, lat: float, resolution: int) -> None:
    random = np.random.default_rng(3)
    points = random.uniform((lon, lat), (min(lon + 1, 180), min(lat + 1, 90)), (20_000, 2))
    assert np.array_equal(cells_of_places(*points.T, resolution), cells_at(points, resolution))


@given(st.integers(0, 2**32 - 1), st.integers(0, 10), st.floats(0, 9), st.integers(0, 900))
def test_wherever_and_however_many(seed: int, resolution: int, spread: float, count: int) -> None:
    random = np.random.default_rng(seed)
    centre = random.uniform((-180, -90), (180, 90))
    points = np.clip(centre + random.uniform(0, spread, (count, 2)), (-180, -90), (180, 90))
    assert np.array_equal(cells_of_places(*points.T, resolution), cells_at(points, resolution))
