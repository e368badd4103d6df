from __future__ import annotations

import pytest

from thalweg.domain.coordinates import Coordinates
from thalweg.errors import NamingError
from thalweg.hexagons.layers import Series, column_name


def series(**values: str) -> Series:
    return Series("flood_risk", "flood", "cm", Coordinates(tuple(values.items())), ("1in100",))


def test_ids_join_dataset_values_and_label() -> None:
    one = series(peril="fluvial", defence="defended", year="2050", scenario="ssp245")
    assert one.id == "flood_fluvial_defended_2050_ssp245"
    assert one.layer_id("1in100") == "flood_fluvial_defended_2050_ssp245_1in100"
    assert column_name("mean", "1in100") == "mean_1in100"


def test_a_dimension_that_does_not_apply_is_left_out() -> None:
    assert series(peril="pluvial", year="2020", scenario="none").id == "flood_pluvial_2020"


def test_a_layer_without_label_has_the_id_of_its_series() -> None:
    one = Series("terrain", "slope", "degree", Coordinates(()))
    assert one.layer_id("") == one.id == "slope"
    assert column_name("mean", "") == "mean"


def test_other_marks_become_underscores() -> None:
    assert series(model="MIROC-ESM-CHEM", warming="dT1.25").id == "flood_miroc_esm_chem_dt1_25"


@pytest.mark.parametrize("value", ["a'b", "a/b", "x--y", "é"])
def test_what_cannot_stand_in_an_id_is_refused(value: str) -> None:
    with pytest.raises(NamingError, match="layer's id"):
        _ = series(peril=value).id


def test_return_periods_must_match_the_layers() -> None:
    with pytest.raises(NamingError, match="1 layers, but 2 return periods"):
        Series("flood_risk", "a", "m", Coordinates(()), ("1in5",), (5, 10))


def test_json_gives_it_back_in_the_same_order() -> None:
    one = series(peril="fluvial", defence="defended", year="2050")
    assert Series.from_json(one.to_json()) == one
    assert list(Series.from_json(one.to_json()).coordinates) == ["peril", "defence", "year"]
