from __future__ import annotations

import pytest

from thalweg.domain.coordinates import NONE, Coordinates
from thalweg.domain.dimensions import Dimension, Dimensions, Value
from thalweg.domain.expectation import Declared, Expectation
from thalweg.domain.matrix import Level, Matrix
from thalweg.errors import PipelineError

DIMENSIONS = Dimensions(
    (
        Dimension("region", pattern="[a-z]{3}", default=NONE),
        Dimension("peril", (Value("coastal"), Value("river"))),
        Dimension("year", (Value("2020"), Value("2050"))),
        Dimension("scenario", (Value(NONE), Value("ssp126"), Value("ssp245")), default=NONE),
        Dimension("rp", tuple(Value(f"1in{n}", number=n) for n in (5, 10, 25))),
        Dimension("tile", kind="tile"),
    )
)
EXPECTATION = Expectation(
    observed=("region", "peril", "tile"),
    combinations=(
        {"year": ("2020",), "scenario": (NONE,)},
        {"year": ("2050",), "scenario": ("ssp126", "ssp245")},
    ),
    values={"rp": ("1in5", "1in10")},
    declared=(
        Declared({"region": ("abc",)}, {"peril": ("river",), "tile": ("n00e000", "n00e001")}),
    ),
)


def file(tile: str, peril: str = "river", region: str = "xyz", rp: str = "1in5") -> Coordinates:
    return DIMENSIONS.coordinates(
        {"region": region, "peril": peril, "year": "2020", "scenario": NONE, "rp": rp, "tile": tile}
    )


def test_what_any_file_has_is_expected_of_all() -> None:
    found = [file("n01e001"), file("n02e001"), file("n01e001", "coastal")]
    expected = EXPECTATION.expected(found, DIMENSIONS, {})
    assert len(expected) == 3 * (1 + 2) * 2
    assert {one["tile"] for one in expected if one["peril"] == "coastal"} == {"n01e001"}


def test_a_declared_place_is_expected_even_where_no_file_of_it_is() -> None:
    found = [file("n00e000", region="abc")]
    expected = EXPECTATION.expected(found, DIMENSIONS, {})
    assert {one["tile"] for one in expected} == {"n00e000", "n00e001"}
    assert not EXPECTATION.expected([], DIMENSIONS, {})
    chosen = EXPECTATION.expected([], DIMENSIONS, {"region": frozenset(["abc"])})
    assert {one["tile"] for one in chosen} == {"n00e000", "n00e001"}


def test_a_region_expects_nothing_of_another() -> None:
    found = [file("n01e001"), file("n00e000", region="abc")]
    expected = EXPECTATION.expected(found, DIMENSIONS, {"region": frozenset(["xyz"])})
    assert {one["region"] for one in expected} == {"xyz"}


def test_a_selection_asks_for_values_beyond_the_default() -> None:
    found = [file("n01e001", rp="1in25")]
    assert {one["rp"] for one in EXPECTATION.expected(found, DIMENSIONS, {})} == {"1in5", "1in10"}
    chosen = EXPECTATION.expected(found, DIMENSIONS, {"rp": frozenset(["1in25"])})
    assert {one["rp"] for one in chosen} == {"1in25"}


def test_a_row_that_is_expected_only_if_found() -> None:
    rule = Expectation(
        ("region", "peril", "tile"),
        ({"year": ("2020",), "scenario": (NONE,)},),
        {"rp": ("1in5", "1in10")},
        if_found=({"year": ("2050",), "scenario": ("ssp126", "ssp245")},),
    )
    assert len(rule.expected([file("n01e001")], DIMENSIONS, {})) == 2
    future = DIMENSIONS.coordinates(
        {**file("n01e001").to_json(), "year": "2050", "scenario": "ssp245"}
    )
    expected = rule.expected([file("n01e001"), future], DIMENSIONS, {})
    assert {one["scenario"] for one in expected} == {NONE, "ssp245"}
    assert len(expected) == 4


def test_each_dimension_must_be_spoken_of_once() -> None:
    with pytest.raises(PipelineError, match="what is expected of 'tile'"):
        Expectation(("region", "peril"), EXPECTATION.combinations, EXPECTATION.values).check(
            DIMENSIONS
        )
    with pytest.raises(PipelineError, match="twice"):
        Expectation(
            ("region", "peril", "tile", "rp"), EXPECTATION.combinations, EXPECTATION.values
        ).check(DIMENSIONS)
    EXPECTATION.check(DIMENSIONS)


def test_the_matrix_names_what_is_missing_and_surplus() -> None:
    present = frozenset([file("n01e001"), file("n02e001"), file("n03e001", rp="1in25")])
    expected = frozenset([file("n01e001"), file("n02e001"), file("n02e001", rp="1in10")])
    level = Level("source", expected, present)
    assert [one.id for one in level.missing] == ["xyz-river-2020-1in10-n02e001"]
    assert [one.id for one in level.surplus] == ["xyz-river-2020-1in25-n03e001"]
    rows = Matrix((level, Level("stack", frozenset(), frozenset(), frozenset()))).rows(["tile"])
    assert sum(len(row.levels[0].present) for _, row in rows) == len(present)
    assert sum(len(row.levels[0].expected) for _, row in rows) == len(expected)
    complete = {part["tile"]: row.complete for part, row in rows}
    assert complete == {"n01e001": True, "n02e001": False, "n03e001": True}


def test_an_artifact_without_an_item_is_not_complete() -> None:
    one = frozenset([file("n01e001")])
    assert not Level("stack", one, one, frozenset()).complete
    assert Level("stack", one, one, one).complete
