"""Fingerprints, pixel rules and units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.domain.fingerprints import fingerprint, immutable_key
from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.domain.units import METRES, convert
from thalweg.errors import PipelineError


def test_anything_that_determines_an_artifact_changes_its_fingerprint() -> None:
    base = fingerprint("stack", 1, {"layout": "canonical"}, [("a", "1"), ("b", "2")])
    others = [
        fingerprint("mosaic", 1, {"layout": "canonical"}, [("a", "1"), ("b", "2")]),
        fingerprint("stack", 2, {"layout": "canonical"}, [("a", "1"), ("b", "2")]),
        fingerprint("stack", 1, {"layout": "compatible"}, [("a", "1"), ("b", "2")]),
        fingerprint("stack", 1, {"layout": "canonical"}, [("a", "1"), ("b", "3")]),
        fingerprint("stack", 1, {"layout": "canonical"}, [("b", "2"), ("a", "1")]),
        fingerprint("stack", 1, {"layout": "canonical"}, [("a", "1")]),
    ]
    assert len({base, *others}) == 7
    assert fingerprint("stack", 1, {"layout": "canonical"}, [("a", "1"), ("b", "2")]) == base


def test_the_order_of_parameters_does_not_count() -> None:
    one = fingerprint("s", 1, {"a": 1, "b": 2}, [])
    assert one == fingerprint("s", 1, {"b": 2, "a": 1}, [])


def test_a_key_ends_in_eight_digits_of_the_fingerprint() -> None:
    assert immutable_key("x/y", "3fa9c1d2ffff", "tif") == "x/y.3fa9c1d2.tif"


def test_what_is_made_holds_no_value_that_became_nodata() -> None:
    rules = PixelRules(
        "int32", "cm", -9999, 0, 10000, (SpecialValue(-1, "lake"), SpecialValue(-2, "sea", True))
    )
    assert rules.made().special == (SpecialValue(-1, "lake"),)
    assert list(rules.meanings()) == [(-9999, "nodata"), (-1, "lake"), (-2, "sea")]


@given(st.floats(-1e6, 1e6), st.sampled_from(sorted(METRES)), st.sampled_from(sorted(METRES)))
def test_units_round_trip(value: float, unit: str, to: str) -> None:
    assert convert(convert(value, unit, to), to, unit) == pytest.approx(value, rel=1e-12)


def test_half_a_metre_is_fifty_centimetres() -> None:
    assert convert(0.5, "m", "cm") == 50.0
    with pytest.raises(PipelineError, match="furlong"):
        convert(1, "furlong", "m")
