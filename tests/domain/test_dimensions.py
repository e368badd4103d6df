from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from thalweg.domain.coordinates import NONE, Coordinates
from thalweg.domain.dimensions import Dimension, Dimensions, Value
from thalweg.errors import PipelineError, UnknownValue

ids = st.text("abcde01_", min_size=1, max_size=3).filter(lambda text: text != NONE)


@st.composite
def enumerated(draw: st.DrawFn, name: str) -> Dimension:
    values = draw(st.lists(ids, min_size=1, max_size=4, unique=True))
    optional = draw(st.booleans())
    return Dimension(
        name,
        tuple(Value(value) for value in ([NONE] if optional else []) + values),
        default=NONE if optional else None,
    )


@given(st.data())
def test_ids_never_collide(data: st.DataObject) -> None:
    names = ["a", "b", "c"]
    try:
        dimensions = Dimensions(tuple(data.draw(enumerated(name)) for name in names))
    except PipelineError:
        assume(False)
    everything = [
        dimensions.coordinates(dict(zip(names, values, strict=True)))
        for values in itertools.product(*(dimensions[name].ids for name in names))
    ]
    assert len({one.id for one in everything}) == len(everything)


def test_a_value_shared_with_a_later_dimension_is_refused_where_ids_could_collide() -> None:
    scenario = Dimension("scenario", (Value(NONE), Value("high")), default=NONE)
    level = Dimension("level", (Value("high"), Value("low")))
    with pytest.raises(PipelineError, match="share the value 'high'"):
        Dimensions((scenario, level))
    Dimensions((level, scenario))


def test_two_open_dimensions_are_refused_where_the_first_may_be_absent() -> None:
    region = Dimension("region", pattern="[a-z]{3}", default=NONE)
    with pytest.raises(PipelineError, match="both open"):
        Dimensions((region, Dimension("model", pattern="[a-z]+")))
    with pytest.raises(PipelineError, match="share the value"):
        Dimensions((Dimension("any", pattern=r"\w+", default=NONE), Dimension("t", kind="tile")))
    Dimensions((region, Dimension("t", kind="tile")))


def test_aliases_are_read_in_any_case() -> None:
    scenario = Dimension("scenario", (Value("ssp126", ("SSP1_2.6", "SSP1-2.6")),))
    assert scenario.read("SSP1_2.6") == scenario.read("ssp1-2.6") == scenario.read("SSP126")


def test_an_unknown_value_is_named_with_the_known_ones() -> None:
    scenario = Dimension("scenario", (Value("ssp126", ("SSP1_2.6",)), Value("ssp245")))
    with pytest.raises(
        UnknownValue, match=r"unknown scenario 'SSP9_9\.9'; known are ssp126, ssp245"
    ):
        scenario.read("SSP9_9.9")


def test_one_spelling_for_two_values_is_refused() -> None:
    with pytest.raises(PipelineError, match="both"):
        Dimension("x", (Value("a", ("same",)), Value("b", ("SAME",))))


@pytest.mark.parametrize("bad", ["SSP1", "a-b", "a.b", "", "a/b"])
def test_an_id_holds_no_hyphen(bad: str) -> None:
    with pytest.raises(PipelineError, match="is not an id"):
        Dimension("x", (Value(bad),))


def test_an_open_dimension_takes_what_its_pattern_takes() -> None:
    region = Dimension("region", pattern="[a-z]{3}", default=NONE)
    assert region.read("JAM") == "jam"
    for bad in ("jama", "j-m", "../"):
        with pytest.raises(UnknownValue):
            region.read(bad)


def test_values_sort_in_the_order_of_the_dimension() -> None:
    periods = Dimension("rp", tuple(Value(f"1in{n}", number=n) for n in (5, 10, 100, 1000)))
    assert sorted(["1in1000", "1in5", "1in100"], key=periods.rank) == ["1in5", "1in100", "1in1000"]


def test_coordinates() -> None:
    one = Coordinates((("region", NONE), ("peril", "fluvial"), ("tile", "s01e030")))
    assert one.id == "fluvial-s01e030"
    assert one.without("tile").id == "fluvial"
    assert one.replaced("tile", "cell", "s04e028").id == "fluvial-s04e028"
    assert one.within({"peril": frozenset(["fluvial"]), "year": frozenset(["2020"])})
    assert not one.within({"peril": frozenset(["pluvial"])})
    assert one == Coordinates(one.items())
    assert hash(one) == hash(Coordinates(one.items()))
