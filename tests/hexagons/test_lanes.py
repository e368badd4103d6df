"""Each operation on lanes against numpy's on arrays."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.hexagons import lanes as of
from thalweg.hexagons.lanes import lane_count, load, padded, spread, store

LANES = (1, 2, 4, 8)
SECOND = {"plus": np.add, "times": np.multiply, "lesser": np.minimum, "greater": np.maximum}
COUNTED = {"above": np.greater, "differs": np.not_equal}


def compiled(operation: Any) -> Any:
    @numba.njit
    def run(one: Any, other: Any, found: Any, zero: Any, lanes: Any) -> None:
        like = spread(zero, lanes)
        store(found, 0, operation(load(one, 0, like), load(other, 0, like)))

    return run


RUN = {name: compiled(getattr(of, name)) for name in (*SECOND, *COUNTED, "where_zero")}


@st.composite
def two(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two arrays as long as some lanes: pixels of small types, with equal numbers and zeros."""
    dtype = draw(st.sampled_from(["int16", "uint8", "uint16", "float32", "float64", "int64"]))
    count = draw(st.sampled_from(LANES))
    least = 0 if dtype.startswith("u") else -5
    one, other = (
        draw(st.lists(st.sampled_from([least, -0, 3, 200]), min_size=count, max_size=count))
        for _ in range(2)
    )
    return np.array(one, dtype), np.array(other, dtype)


@pytest.mark.parametrize("name", RUN)
@settings(max_examples=60, deadline=None)
@given(arrays=two())
def test_an_operation_is_numpys_on_each_lane(name: str, arrays: tuple[Any, Any]) -> None:
    one, other = arrays
    sums = np.dtype("float64" if one.dtype.kind == "f" else "int64").type
    found = np.zeros(len(one), np.int64 if name in COUNTED else sums)
    RUN[name](one, other, found, sums(0), (np.int64(0),) * len(one))
    if name == "where_zero":
        wanted = np.where(one == 0, other, one)
    else:
        wanted = (SECOND | COUNTED)[name](one.astype(sums), other.astype(sums))
    assert found.tolist() == wanted.tolist()


@pytest.mark.parametrize("count", LANES)
def test_lanes_are_read_and_written_from_a_place_on_and_nowhere_else(count: int) -> None:
    @numba.njit
    def copy(source: Any, target: Any, first: int, lanes: Any) -> None:
        store(target, first, load(source, first, spread(np.int64(0), lanes)))

    source, target = np.arange(-20, 20, dtype=np.int16), np.full(40, 7, np.int32)
    copy(source, target, 19, (np.int64(0),) * count)
    assert target[19 : 19 + count].tolist() == source[19 : 19 + count].tolist()
    assert (np.delete(target, np.s_[19 : 19 + count]) == 7).all()


def test_bands_get_lanes_of_a_power_of_two_and_as_many_as_are_needed() -> None:
    assert [lane_count(bands) for bands in (1, 2, 3, 5, 8, 9, 40)] == [1, 2, 4, 8, 8, 8, 8]
    assert [padded(bands) for bands in (1, 2, 3, 5, 8, 9, 17)] == [1, 2, 4, 8, 8, 16, 24]
