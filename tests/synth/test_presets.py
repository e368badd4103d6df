from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.errors import UnknownPreset, UsageError
from thalweg.synth.layers import expected_answers
from thalweg.synth.presets import PRESETS, WARMING, Selection, corner, find_preset


def test_rwanda_has_its_known_answers() -> None:
    assert expected_answers(find_preset("rwanda")) == {
        "tiles": 6,
        "scenarios": 39,
        "sources": 1872,
        "stacked": 234,
        "merged": {"4": 39, "5": 78},
    }


def test_civ_has_its_known_answers() -> None:
    answers = expected_answers(find_preset("civ"))
    assert answers["tiles"] == 44
    assert answers["scenarios"] == 65
    assert answers["sources"] == 15_392
    assert answers["stacked"] == 1_924
    assert answers["merged"]["4"] == 312


def test_civ_has_eight_coastal_tiles_among_its_forty_four() -> None:
    civ = find_preset("civ")
    by_peril = {hazard.peril: hazard.tiles for hazard in civ.hazards}
    assert len(by_peril["coastal"]) == 8
    assert set(by_peril["coastal"]) < set(by_peril["fluvial"])
    assert by_peril["fluvial"] == by_peril["pluvial"]


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_no_tile_is_named_twice(preset) -> None:
    for hazard in preset.hazards:
        assert len(set(hazard.tiles)) == len(hazard.tiles)


@pytest.mark.parametrize(
    ("name", "lon", "lat"),
    [("n04w006", -6, 4), ("s01e030", 30, -1), ("s03e028", 28, -3), ("n00e000", 0, 0)],
)
def test_a_tile_is_named_by_its_south_west_corner(name: str, lon: int, lat: int) -> None:
    assert corner(name) == (lon, lat)


@given(st.integers(-90, 89), st.integers(-180, 179))
def test_every_corner_of_the_world_is_understood(lat: int, lon: int) -> None:
    name = f"{'s' if lat < 0 else 'n'}{abs(lat):02}{'w' if lon < 0 else 'e'}{abs(lon):03}"
    assert corner(name) == (lon, lat)


@pytest.mark.parametrize("name", ["", "s1e030", "s01e030x", "x01e030", "s01e30"])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no tile name"):
        corner(name)


def test_an_unknown_preset_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownPreset, match=r"'uganda'.*rwanda, civ, tiny"):
        find_preset("uganda")


def test_it_gets_warmer_with_the_year_and_the_scenario() -> None:
    rows = [list(by_year.values()) for by_year in WARMING.values()]
    assert list(WARMING) == sorted(WARMING)
    assert all(0 < a < b for row in rows for a, b in pairwise(row))
    assert all(a < b for row, warmer in pairwise(rows) for a, b in zip(row, warmer, strict=True))


def test_a_selection_cuts_every_dimension() -> None:
    part = Selection(
        tiles=("s02e029",),
        hazards=("PLUVIAL_DEFENDED", "FLUVIAL_DEFENDED"),
        years=(2020, 2050),
        scenarios=("SSP2_4.5",),
        return_periods=(100, 10),
    ).of(find_preset("rwanda"))
    assert part.tiles == ("s02e029",)
    assert [hazard.name for hazard in part.hazards] == ["FLUVIAL_DEFENDED", "PLUVIAL_DEFENDED"]
    assert part.epochs == ((2020, None), (2050, "SSP2_4.5"))
    assert part.return_periods == (10, 100)
    assert expected_answers(part)["sources"] == 1 * 2 * 2 * 2


@pytest.mark.parametrize(
    "selection",
    [
        Selection(tiles=("n99e001",)),
        Selection(hazards=("COASTAL_DEFENDED",)),
        Selection(years=(2025,)),
        Selection(scenarios=("SSP4_6.0",)),
        Selection(return_periods=(25,)),
    ],
)
def test_a_value_that_the_preset_does_not_hold_is_refused(selection: Selection) -> None:
    with pytest.raises(UsageError, match="the preset holds no"):
        selection.of(find_preset("rwanda"))
