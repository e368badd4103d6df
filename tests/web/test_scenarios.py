"""What is chosen is always a scenario that there is, whatever was wished for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from thalweg.web.scenarios import Titles, choose

NO_TITLES = Titles({}, {}, {})
VALUES = st.sampled_from(["a", "b", "c", "none"])
SCENARIOS = st.lists(
    st.fixed_dictionaries({"x": VALUES, "y": VALUES, "z": VALUES}), min_size=1, max_size=12
)
WISHES = st.dictionaries(st.sampled_from(["x", "y", "z", "other"]), st.text(max_size=4) | VALUES)


@given(SCENARIOS, WISHES)
def test_the_choice_is_one_of_the_scenarios(
    scenarios: list[dict[str, str]], wished: dict[str, str]
) -> None:
    choice = choose(scenarios, wished, NO_TITLES)

    assert choice.scenario in scenarios
    for dimension in choice.dimensions:
        (chosen,) = [one.value for one in dimension.options if one.chosen]
        assert chosen == choice.scenario[dimension.name]
        assert all(one.there for one in dimension.options if one.chosen)


@given(SCENARIOS, st.data())
def test_a_scenario_that_there_is_is_given(
    scenarios: list[dict[str, str]], data: st.DataObject
) -> None:
    wished = data.draw(st.sampled_from(scenarios))

    choice = choose(scenarios, wished, NO_TITLES)

    assert choice.scenario == wished
    assert choice.kept


def test_values_stand_in_the_order_of_the_pipeline() -> None:
    titles = Titles({"x": "An x"}, {("x", "b"): "Bee"}, {("x", "b"): 0, ("x", "a"): 1})

    (dimension,) = choose([{"x": "a"}, {"x": "b"}], {}, titles).dimensions

    assert dimension.title == "An x"
    assert [one.title for one in dimension.options] == ["Bee", "a"]
