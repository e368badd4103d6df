from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from raster_files import NODATA, WATER, Pixels

from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.raster.codec import DTYPES
from thalweg.raster.overviews import Reducer, Resampling

CLIFF = -32766
RULES = PixelRules(
    "int16",
    "cm",
    NODATA,
    -100,
    10_000,
    (SpecialValue(WATER, "permanent_water"), SpecialValue(CLIFF, "cliff")),
)
VALUES = st.sampled_from([NODATA, NODATA, WATER, CLIFF, 0, 0, 1, 2, 7, 9_000, -3, -100])
RASTERS = arrays.arrays(
    np.int16, st.tuples(st.integers(1, 30), st.integers(1, 120)), elements=VALUES, fill=VALUES
)


def reduced(pixels: Pixels, factor: int, how: Resampling, rules: PixelRules = RULES) -> Pixels:
    out = np.empty([-(-side // factor) for side in pixels.shape], pixels.dtype)
    Reducer(rules, factor, how).reduce(pixels, out)
    return out


def cell_by_definition(cell: Pixels, how: Resampling) -> int:
    if how is Resampling.NEAREST:
        return int(cell[(cell.shape[0] - 1) // 2, (cell.shape[1] - 1) // 2])
    special = Counter(v for v in cell.ravel().tolist() if v in (WATER, CLIFF))
    valid = [v for v in cell.ravel().tolist() if v not in (NODATA, WATER, CLIFF)]
    if valid and how is Resampling.MAX:
        return max(valid)
    if valid:
        return (Fraction(sum(valid), len(valid)) + Fraction(1, 2)).__floor__()
    if special:
        return max((WATER, CLIFF), key=lambda value: special[value])
    return NODATA


@pytest.mark.parametrize("how", Resampling)
@pytest.mark.parametrize("factor", [2, 3])
@given(pixels=RASTERS)
@settings(deadline=None, max_examples=60)
def test_every_cell_is_as_defined(how: Resampling, factor: int, pixels: Pixels) -> None:
    found = reduced(pixels, factor, how)
    for (row, col), value in np.ndenumerate(found):
        top, left = row * factor, col * factor
        assert value == cell_by_definition(pixels[top : top + factor, left : left + factor], how)


@given(pixels=RASTERS)
@settings(deadline=None)
def test_what_is_no_measurement_never_enters_a_mean(pixels: Pixels) -> None:
    """Replacing special values and nodata by each other leaves every mean as it was."""
    other = pixels.copy()
    other[pixels == WATER] = NODATA
    one, two = reduced(pixels, 3, Resampling.MEAN), reduced(other, 3, Resampling.MEAN)
    measured = (two != NODATA) & (two != CLIFF)
    assert (one[measured] == two[measured]).all()
    measurements = pixels[(pixels != NODATA) & (pixels != WATER) & (pixels != CLIFF)]
    if measured.any():
        assert measurements.min() <= two[measured].min()
        assert two[measured].max() <= measurements.max()


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype: str) -> None:
    rules = PixelRules(dtype, "m", 9, 0, 100)
    pixels = np.array([[1, 2, 9, 9], [2, 2, 9, 9], [9, 9, 7, 9]], dtype)
    found = reduced(pixels, 2, Resampling.MEAN, rules)
    mean = 1.75 if "float" in dtype else 2
    assert found.tolist() == [[mean, 9], [9, 7]]


def test_nan_as_nodata() -> None:
    rules = PixelRules("float32", "m", float("nan"), 0, 100)
    pixels = np.array([[np.nan, 3, np.nan, np.nan], [np.nan, 4, np.nan, np.nan]], np.float32)
    found = reduced(pixels, 2, Resampling.MEAN, rules)
    assert found[0, 0] == 3.5
    assert np.isnan(found[0, 1])
