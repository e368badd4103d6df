from __future__ import annotations

import numpy as np
import psutil
import pytest

from thalweg.hexagons.zeros import Zeros


@pytest.mark.parametrize("shape", [(20_000, 3, 8), (5, 2), (0, 4), (7, 0)])
def test_rows_that_are_taken_are_what_was_written_and_leave_the_others_alone(
    shape: tuple[int, ...],
) -> None:
    zeros = Zeros(shape, np.int32)
    assert zeros.array.shape == shape
    assert not zeros.array.any()
    zeros.array[:] = np.arange(zeros.array.size).reshape(shape)
    written, rows = zeros.array.copy(), slice(shape[0] // 4, shape[0] // 2)
    np.testing.assert_array_equal(zeros.taken(rows), written[rows])
    np.testing.assert_array_equal(zeros.array[: rows.start], written[: rows.start])
    np.testing.assert_array_equal(zeros.array[rows.stop :], written[rows.stop :])


def test_memory_is_held_for_what_is_written_until_it_is_taken() -> None:
    def held_mb() -> float:
        return float(psutil.Process().memory_info().rss) / 1e6

    before = held_mb()
    zeros = Zeros((400_000, 125), np.int64)
    assert held_mb() < before + 20
    zeros.array[:200_000] = 1
    assert held_mb() > before + 180
    zeros.taken(slice(0, 200_000))
    assert held_mb() < before + 20
