from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.web.curve import HEIGHT, WIDTH, Depth, charted

PERIODS = st.lists(st.floats(1, 10_000), min_size=1, max_size=10, unique=True).map(sorted)


@given(PERIODS, st.data())
def test_everything_is_on_the_chart(periods: list[float], data: st.DataObject) -> None:
    depth = st.none() | st.floats(0, 60)
    depths = [Depth(one, data.draw(depth)) for one in periods]

    chart = charted(depths)

    assert len(chart.points) == sum(one.metres is not None for one in depths)
    for mark in (*chart.points, *chart.periods, *chart.lines):
        assert 0 <= mark.x <= WIDTH
        assert -1e-9 <= mark.y <= HEIGHT


def test_deeper_is_higher_and_rarer_is_further_right() -> None:
    chart = charted([Depth(5, 0.1), Depth(50, 0.4), Depth(500, 2.2)])

    assert [one.text for one in chart.lines] == ["0", "0.5", "1", "1.5", "2", "2.5"]
    steps = [one.x for one in chart.points]
    assert steps[1] - steps[0] == pytest.approx(steps[2] - steps[1])
    assert [one.y for one in chart.points] == sorted((one.y for one in chart.points), reverse=True)


def test_what_is_not_measured_is_told_and_not_drawn() -> None:
    depths = [Depth(5, None, "permanent water"), Depth(50, None), Depth(100, 0.0)]

    assert [one.told for one in depths] == ["permanent water", "no data", "dry"]
    assert len(charted(depths).points) == 1
