from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.errors import InvalidPlan
from thalweg.jobs.tasks import Missing, RunRequest, StagePlan, Task

words = st.text(max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
payloads = st.dictionaries(words, json_values, max_size=3)
tasks = st.builds(
    Task,
    key=words,
    label=words,
    call=words,
    payload=payloads,
    memory=st.integers(min_value=0),
    timeout=st.floats(min_value=0, allow_infinity=False),
    size=st.integers(min_value=0),
)
plans = st.builds(
    StagePlan,
    st.lists(tasks, unique_by=lambda task: task.key, max_size=4).map(tuple),
    st.integers(min_value=0),
    st.lists(st.builds(Missing, words, words, words), max_size=3).map(tuple),
)
requests = st.builds(
    RunRequest, words, words, payloads, st.lists(words, max_size=3).map(tuple), words
)


@given(plans)
def test_a_plan_survives_json(plan: StagePlan) -> None:
    assert StagePlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@given(requests)
def test_a_request_survives_json(request: RunRequest) -> None:
    assert RunRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_a_plan_refuses_two_tasks_of_one_key() -> None:
    task = Task("same", "", "m:f", {}, 1, 1.0)
    with pytest.raises(InvalidPlan, match="same"):
        StagePlan((task, task))


@pytest.mark.parametrize(
    "document", [{}, {"tasks": 3, "already": 0, "missing": []}, {"tasks": [{}]}, None]
)
def test_what_is_no_plan_is_named(document: dict[str, object]) -> None:
    with pytest.raises(InvalidPlan, match="did not return a plan"):
        StagePlan.from_json(document)
