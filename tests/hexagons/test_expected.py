from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.errors import UsageError
from thalweg.hexagons.expected import Integration, expected_annual, weights

PERIODS = [5, 10, 20, 50, 100, 200, 500, 1000]
rising = st.lists(st.floats(1.01, 10_000), min_size=1, max_size=9, unique=True).map(sorted)


class TestClosedForms:
    def test_a_value_that_is_linear_in_the_logarithm_is_integrated_exactly(self) -> None:
        """v = a + b ln T from 5 to 1000 years has the integral [-p (a + b - b ln p)]."""
        a, b = 3.0, 7.0
        values = a + b * np.log(PERIODS)

        def antiderivative(p: float) -> float:
            return p * (a + b - b * math.log(p))

        between = antiderivative(1 / 5) - antiderivative(1 / 1000)
        assert expected_annual(values, PERIODS, Integration(rare="none")) == pytest.approx(between)
        tail = values[-1] / 1000
        assert expected_annual(values, PERIODS) == pytest.approx(between + tail)

    def test_the_whole_of_ln_t_is_one(self) -> None:
        """The integral of -ln p from 0 to 1 is 1; the tail beyond a million years is 1.5e-5."""
        periods = np.geomspace(1.0001, 1e6, 30)
        integration = Integration(zero_at=1)
        assert expected_annual(np.log(periods), periods, integration) == pytest.approx(1, abs=2e-6)

    def test_linear_is_the_trapezoid_rule_of_numpy(self) -> None:
        values = np.array([0, 4, 9, 30, 31, 70, 80, 120.0])
        probability = 1 / np.array(PERIODS)
        expected = -np.trapezoid(values, probability)
        integration = Integration(curve="linear", rare="none")
        assert expected_annual(values, PERIODS, integration) == pytest.approx(expected)

    def test_a_segment_agrees_with_numerical_integration(self) -> None:
        p = np.linspace(0.01, 0.2, 100_001)
        values = 2 + 8 * np.log(0.2 / p) / np.log(0.2 / 0.01)
        found = expected_annual([2, 10], [5, 100], Integration(rare="none"))
        assert found == pytest.approx(np.trapezoid(values, p))

    def test_a_curve_worked_by_hand(self) -> None:
        """Linear: 0.1 x (0 + 10)/2 + 0.08 x (10 + 50)/2 + 0.01 x (50 + 80)/2 + 0.01 x 80."""
        found = expected_annual([0, 10, 50, 80], [5, 10, 50, 100], Integration(curve="linear"))
        assert found == pytest.approx(0.5 + 2.4 + 0.65 + 0.8)


class TestTails:
    def test_a_single_return_period_counts_by_its_rare_tail_alone(self) -> None:
        assert expected_annual([30], [100]) == pytest.approx(0.3)
        assert expected_annual([30], [100], Integration(rare="none")) == 0

    def test_frequent_events_count_from_where_the_value_is_zero(self) -> None:
        without = expected_annual([10, 20], [5, 10])
        linear = Integration(curve="linear", zero_at=2)
        assert expected_annual([10, 20], [5, 10], linear) == pytest.approx(
            expected_annual([10, 20], [5, 10], Integration(curve="linear")) + 10 * 0.3 / 2
        )
        assert expected_annual([10, 20], [5, 10], Integration(zero_at=2)) > without

    @pytest.mark.parametrize("periods", [[10, 5], [5, 5], [0, 5], [-1, 5]])
    def test_periods_that_do_not_rise_are_refused(self, periods: list[float]) -> None:
        with pytest.raises(UsageError, match="do not rise"):
            weights(periods, Integration())

    def test_a_zero_beyond_the_first_period_is_refused(self) -> None:
        with pytest.raises(UsageError, match="10, 5, 20 do not rise"):
            weights([5, 20], Integration(zero_at=10))


class TestLaws:
    @given(rising, st.sampled_from(["log", "linear"]))
    def test_weights_are_positive_and_add_up_to_the_probability_of_the_shortest(
        self, periods: list[float], curve: str
    ) -> None:
        found = weights(periods, Integration(curve=curve))  # type: ignore[arg-type]
        assert (found >= -1e-12).all()
        assert found.sum() == pytest.approx(1 / periods[0], rel=1e-9)

    @given(st.floats(0, 1e4), st.floats(0, 1e4))
    def test_log_linear_never_exceeds_the_trapezoid_of_a_rising_value(
        self, low: float, step: float
    ) -> None:
        values = [low, low + step]
        log = expected_annual(values, [10, 100])
        assert log <= expected_annual(values, [10, 100], Integration(curve="linear")) + 1e-9

    def test_every_cell_has_its_own_and_an_unknown_value_stays_unknown(self) -> None:
        values = np.array([[1.0, 2.0], [np.nan, 2.0], [0.0, 0.0]])
        found = expected_annual(values, [10, 100])
        assert found.shape == (3,)
        assert np.isnan(found).tolist() == [False, True, False]
        assert found[2] == 0
