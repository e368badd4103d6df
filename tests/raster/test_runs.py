from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.raster.runs import run_end, uniform


@given(st.integers(0, 300), st.integers(1, 300), st.integers(0, 300))
@settings(deadline=None)
def test_a_run_ends_where_the_value_changes(before: int, length: int, after: int) -> None:
    bits = np.repeat(np.array([1, 2, 3], np.uint16), [before, length, after])
    assert run_end(bits, before) == before + length


@pytest.mark.parametrize("place", [0, 31, 63])
def test_uniform_sees_one_other_value_anywhere(place: int) -> None:
    bits = np.full(64, 7, np.uint16)
    assert uniform(bits, bits[0])
    bits[place] = 8
    assert not uniform(bits, np.uint16(7))
