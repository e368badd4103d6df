from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.synth.noise import fractal_noise, gradient_noise, lattice_hash

places = st.floats(-180, 180)
seeds = st.integers(0, 2**31 - 1)


@given(places, places, seeds)
def test_noise_lies_in_its_range(x: float, y: float, seed: int) -> None:
    assert -1 <= gradient_noise(x, y, seed) <= 1


@given(st.integers(-200, 200), st.integers(-200, 200), seeds)
def test_noise_is_zero_on_the_lattice(x: int, y: int, seed: int) -> None:
    assert gradient_noise(float(x), float(y), seed) == 0


@given(places, places, seeds)
def test_noise_is_continuous(x: float, y: float, seed: int) -> None:
    step = 1e-6
    near = gradient_noise(x + step, y - step, seed)
    assert near == pytest.approx(gradient_noise(x, y, seed), abs=20 * step)


def test_noise_has_no_bias_and_depends_on_the_seed() -> None:
    grid = [(0.31 * i, 0.17 * j) for i in range(100) for j in range(100)]
    one = np.array([fractal_noise(x, y, 1, 4, 0.5) for x, y in grid])
    other = np.array([fractal_noise(x, y, 2, 4, 0.5) for x, y in grid])
    assert abs(one.mean()) < 0.03
    assert 0.15 < one.std() < 0.5
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.1


def test_hashes_of_a_lattice_do_not_collide() -> None:
    hashes = {int(lattice_hash(x, y, 7)) for x in range(-100, 100) for y in range(-100, 100)}
    assert len(hashes) == 200 * 200
