from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.raster.layout import Layout


def test_every_level_of_a_one_degree_tile_is_whole_blocks() -> None:
    shapes = Layout.CANONICAL.shapes(3600, 3600)
    assert shapes == [(3600, 3600), (1200, 1200), (400, 400)]
    assert all(side % Layout.CANONICAL.block == 0 for shape in shapes for side in shape)


@pytest.mark.parametrize("layout", Layout)
@given(width=st.integers(1, 200_000), height=st.integers(1, 200_000))
def test_levels_shrink_until_one_fits_a_block(layout: Layout, width: int, height: int) -> None:
    shapes = layout.shapes(width, height)
    assert shapes[0] == (width, height)
    assert max(shapes[-1]) <= layout.block
    assert all(max(shape) > layout.block for shape in shapes[:-1])
    for (w, h), (smaller_w, smaller_h) in pairwise(shapes):
        assert (smaller_w - 1) * layout.factor < w <= smaller_w * layout.factor
        assert (smaller_h - 1) * layout.factor < h <= smaller_h * layout.factor
