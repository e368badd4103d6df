from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from raster_files import NODATA, RULES, WATER, Pixels

from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.errors import UndeclaredValue, WrongDtype
from thalweg.raster.codec import DTYPES
from thalweg.raster.statistics import BandStatistics, Tally

VALUES = st.sampled_from([NODATA, WATER, 0, 0, 0, 1, 5, 63, 64, 65, 700, 9_999, 10_000])
RASTERS = arrays.arrays(
    np.int16, st.tuples(st.integers(1, 40), st.integers(1, 200)), elements=VALUES, fill=VALUES
)


def tallied(pixels: Pixels, rules: PixelRules = RULES) -> BandStatistics:
    tally = Tally(rules)
    tally.add(pixels.copy())
    tally.check("x.tif")
    return tally.statistics()


@given(RASTERS)
@settings(deadline=None)
def test_against_numpy(pixels: Pixels) -> None:
    found = tallied(pixels)
    valid = pixels[(pixels >= 0)].astype(object)
    assert found.count == pixels.size
    assert found.valid == valid.size
    assert found.nodata == (pixels == NODATA).sum()
    assert dict(found.special) == {"permanent_water": (pixels == WATER).sum()}
    assert found.positive == (pixels > 0).sum()
    assert found.total == valid.sum()
    assert found.squares == (valid**2).sum()
    assert (found.minimum, found.maximum) == (
        (valid.min(), valid.max()) if valid.size else (None, None)
    )
    if valid.size:
        assert found.mean == pytest.approx(valid.astype(float).mean())
        assert found.std == pytest.approx(valid.astype(float).std())
        for q in (0, 2, 50, 98, 100):
            exact = np.percentile(valid.astype(int), q, method="inverted_cdf")
            near = found.percentile(q)
            assert near is not None
            assert abs(near - exact) <= (exact / 32 if exact >= 64 else 0)


@given(RASTERS, st.data())
@settings(deadline=None)
def test_parts_merge_to_the_whole(pixels: Pixels, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(pixels)))
    parts = tallied(pixels[:cut]).merge(tallied(pixels[cut:]))
    strips = Tally(RULES)
    strips.add(pixels[:cut].copy())
    strips.add(pixels[cut:].copy())
    assert parts == tallied(pixels) == strips.statistics()


@given(RASTERS)
@settings(deadline=None)
def test_json_round_trip(pixels: Pixels) -> None:
    found = tallied(pixels)
    assert BandStatistics.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_at_its_limits(dtype: str) -> None:
    """Sums of squares of the largest values overflow 64 bits: they must still be exact."""
    if "float" in dtype:
        values = np.array([-1.5, 0, 0.25, 1e20, 7])
    else:
        values = np.array([np.iinfo(dtype).min + 1, np.iinfo(dtype).max, 0, 1, 2])
    low, high = values.min().item(), values.max().item()
    nodata = 3
    rules = PixelRules(dtype, "m", nodata, low, high)
    pixels = np.tile(np.append(values, nodata), (300, 50)).astype(dtype)
    found = tallied(pixels, rules)
    each = 300 * 50
    exact = pixels[0, :5].tolist()
    assert (found.valid, found.nodata) == (5 * each, each)
    assert (found.minimum, found.maximum) == (min(exact), max(exact))
    if "float" in dtype:
        assert found.total == pytest.approx(sum(exact) * each)
        assert found.squares == pytest.approx(sum(v * v for v in exact) * each)
    else:
        assert found.total == sum(exact) * each
        assert found.squares == sum(v * v for v in exact) * each


def test_special_values_meant_as_nodata_are_replaced() -> None:
    rules = PixelRules("int32", "cm", -9999, 0, 5000, (SpecialValue(-999900, "fill", True),))
    pixels = np.array([[-999900, -999900, 0], [12, -9999, -999900]], np.int32)
    tally = Tally(rules)
    tally.add(pixels)
    assert pixels.tolist() == [[-9999, -9999, 0], [12, -9999, -9999]]
    assert tally.statistics().nodata == 4
    assert tally.statistics().special == ()


def test_nan_may_be_nodata() -> None:
    rules = PixelRules("float32", "m", float("nan"), 0, 10)
    found = tallied(np.array([[np.nan, 1.5, np.nan]], np.float32), rules)
    assert (found.nodata, found.valid, found.total) == (2, 1, 1.5)


def test_a_special_value_is_compared_as_the_dtype_stores_it() -> None:
    rules = PixelRules("float32", "m", -9999, 0, 10, (SpecialValue(-1.1, "sea"),))
    assert dict(tallied(np.full((2, 2), -1.1, np.float32), rules).special) == {"sea": 4}


def test_nodata_within_the_valid_range_is_nodata() -> None:
    rules = PixelRules("uint8", "count", 0, 0, 255)
    found = tallied(np.array([[0, 0, 9]], np.uint8), rules)
    assert (found.nodata, found.minimum) == (2, 9)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("int16", -5), ("int16", 10_001), ("float32", float("nan")), ("float32", float("inf"))],
)
def test_an_undeclared_value_is_named_with_place_and_count(dtype: str, value: float) -> None:
    rules = PixelRules(dtype, "cm", NODATA, 0, 10_000)
    pixels = np.zeros((50, 70), dtype)
    pixels[31, 60] = pixels[31, 61] = pixels[49, 0] = value
    pixels[49, 1] = -7
    tally = Tally(rules)
    tally.add(pixels[:20])
    tally.add(pixels[20:])
    with pytest.raises(UndeclaredValue) as caught:
        tally.check("n01e028.tif")
    text = str(caught.value)
    assert f"n01e028.tif: 3 pixels hold {value:g}, first at row 31, column 60" in text
    assert "1 more hold others" in text
    assert "pixels.special" in text


def test_a_dtype_that_is_not_handled_is_named() -> None:
    with pytest.raises(WrongDtype, match="complex64"):
        Tally(PixelRules("complex64", "m", 0, 0, 1))


def test_the_statistics_of_nothing() -> None:
    empty = BandStatistics.of_nodata(9)
    assert (empty.mean, empty.std, empty.percentile(50), empty.valid_percent) == (None,) * 3 + (0,)
