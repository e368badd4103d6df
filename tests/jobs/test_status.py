from __future__ import annotations

import pytest

from thalweg.jobs.status import State, outcome


@pytest.mark.parametrize(
    ("made", "lost", "state"),
    [(0, 0, "succeeded"), (3, 0, "succeeded"), (3, 1, "partial"), (0, 1, "failed")],
)
def test_outcome(made: int, lost: int, state: State) -> None:
    assert outcome(made, lost) == state
