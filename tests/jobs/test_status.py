from __future__ import annotations

import pytest

from thalweg.jobs.status import State, Tally, outcome, outcome_of_run


@pytest.mark.parametrize(
    ("made", "lost", "state"),
    [(0, 0, "succeeded"), (3, 0, "succeeded"), (3, 1, "partial"), (0, 1, "failed")],
)
def test_outcome(made: int, lost: int, state: State) -> None:
    assert outcome(made, lost) == state


@pytest.mark.parametrize(
    ("looked", "stacked", "merged", "state"),
    [
        ((9, 0), (3, 0), (1, 0), "succeeded"),
        ((9, 0), (2, 1), (0, 1), "partial"),
        ((8, 1), (3, 0), (1, 0), "partial"),
        ((9, 0), (0, 3), (0, 1), "failed"),
        ((8, 1), (0, 3), (0, 1), "failed"),
        ((8, 1), (0, 0), (0, 0), "partial"),
        ((0, 1), (0, 0), (0, 0), "failed"),
    ],
)
def test_a_run_that_only_looked_at_files_has_failed(
    looked: tuple[int, int], stacked: tuple[int, int], merged: tuple[int, int], state: State
) -> None:
    stages = {"inventory": Tally(*looked), "stack": Tally(*stacked), "mosaic": Tally(*merged)}
    assert outcome_of_run(stages, ["inventory"]) == state
