from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from thalweg.raster.grid import Grid
from thalweg.raster.made import Window, gaps_between

EDGES = st.lists(st.integers(0, 20), min_size=3, max_size=5, unique=True).map(sorted)


@given(EDGES, EDGES, st.data())
def test_windows_and_gaps_cover_each_pixel_exactly_once(
    rows: list[int], cols: list[int], data: st.DataObject
) -> None:
    grid = Grid("EPSG:4326", (1, 0, 0, 0, -1, 0), cols[-1] + 2, rows[-1] + 1)
    places = [
        Window(top, left, bottom - top, right - left, ())
        for top, bottom in pairwise(rows)
        for left, right in pairwise(cols)
    ]
    windows = data.draw(st.lists(st.sampled_from(places), unique=True))
    times = np.zeros(grid.shape, int)
    for part in [*(window.rectangle for window in windows), *gaps_between(windows, grid)]:
        times[part.row : part.row + part.height, part.col : part.col + part.width] += 1
    assert (times == 1).all()
