from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.domain.coordinates import NONE
from thalweg.domain.dimensions import Dimension, Dimensions, Value
from thalweg.domain.grammar import Grammar
from thalweg.errors import (
    ConflictingName,
    MissingCoordinate,
    PipelineError,
    UnknownValue,
    UnmatchedName,
)

DIMENSIONS = Dimensions(
    (
        Dimension("region", pattern="[a-z]{3}", default=NONE),
        Dimension("peril", (Value("river"), Value("rain")), pattern="[a-z]+"),
        Dimension("year", (Value("2020"), Value("2050")), pattern=r"\d{4}"),
        Dimension(
            "scenario",
            (Value(NONE), Value("ssp126", ("SSP1_2.6",)), Value("ssp245", ("SSP2_4.5",))),
            pattern=r"SSP[\d_.]+",
            default=NONE,
        ),
        Dimension("rp", (Value("1in5"), Value("1in100")), pattern=r"1in\d+"),
        Dimension("tile", kind="tile"),
    )
)
GRAMMAR = Grammar(
    DIMENSIONS,
    folders=["[{region}/]{peril}/{year}[/{scenario}][/{rp}]"],
    names=["{rp}-{peril}-{year}[-{scenario}]_{tile}.tif", "{tile}.tif"],
    ignore=["*.xml", "old/*"],
)


@pytest.mark.parametrize(
    "path",
    [
        "rwa/RIVER/2050/SSP2_4.5/1in100/1in100-RIVER-2050-SSP2_4.5_s01e030.tif",
        "rwa/river/2050/SSP2_4.5/1in100-river-2050-SSP2_4.5_s01e030.tif",
        "rwa/RIVER/2050/SSP2_4.5/1in100/s01e030.tif",
        "rwa/RIVER/2050/SSP2_4.5/1in100/S01E030.TIF",
    ],
)
def test_all_ways_of_naming_one_file_mean_the_same(path: str) -> None:
    assert GRAMMAR.read(path).id == "rwa-river-2050-ssp245-1in100-s01e030"


def test_what_a_path_does_not_say_is_given_or_the_default() -> None:
    path = "RAIN/2020/1in5/n04w006.tif"
    assert GRAMMAR.read(path).id == "rain-2020-1in5-n04w006"
    assert GRAMMAR.read(path, {"region": "civ"}).id == "civ-rain-2020-1in5-n04w006"
    assert GRAMMAR.read("gha/" + path, {"region": "civ"})["region"] == "gha"


@given(
    st.sampled_from(["abc", NONE]),
    st.sampled_from(["river", "rain"]),
    st.sampled_from(["2020", "2050"]),
    st.sampled_from([NONE, "SSP1_2.6", "SSP2_4.5"]),
    st.sampled_from(["1in5", "1in100"]),
    st.integers(-90, 89),
    st.integers(-180, 179),
)
def test_a_name_made_from_coordinates_gives_them_back(
    region: str, peril: str, year: str, scenario: str, rp: str, south: int, west: int
) -> None:
    from thalweg.domain.tiles import Tile

    tile = Tile(south, west).name
    folder = "/".join(part for part in (region, peril, year, scenario, rp) if part != NONE)
    name = f"{rp}-{peril}-{year}{'' if scenario == NONE else '-' + scenario}_{tile}.tif"
    read = GRAMMAR.read(f"{folder}/{name}")
    assert (read["region"], read["peril"], read["year"]) == (region, peril, year)
    assert read["scenario"] == DIMENSIONS["scenario"].read(scenario)
    assert (read["rp"], read["tile"]) == (rp, tile)


@pytest.mark.parametrize(
    ("path", "error", "says"),
    [
        ("rwa/RIVER/2050/1in5/1in100-RIVER-2050_s01e030.tif", ConflictingName, "1in5"),
        ("RIVER/2020/1in5/1in5-RAIN-2020_s01e030.tif", ConflictingName, "file name says rain"),
        ("RIVER/2050/SSP9_9.9/1in5/s01e030.tif", UnknownValue, "SSP9_9.9"),
        ("RIVER/2020/1in7/s01e030.tif", UnknownValue, "1in7"),
        ("LAVA/2020/1in5/s01e030.tif", UnknownValue, "LAVA"),
        ("RIVER/2020/1in5/depth.tif", UnmatchedName, "depth.tif"),
        ("misc/notes/deep/er/s01e030.tif", UnmatchedName, "misc/notes/deep/er"),
        ("RIVER/2020/s01e030.tif", MissingCoordinate, "rp"),
        ("RIVER/2020/1in5/n95e000.tif", UnknownValue, "n95e000"),
    ],
)
def test_a_path_that_cannot_be_read_is_named(path: str, error: type, says: str) -> None:
    with pytest.raises(error, match=says.replace(".", r"\.")) as caught:
        GRAMMAR.read(path)
    assert caught.value.where == path


def test_what_is_ignored_is_no_error() -> None:
    assert GRAMMAR.ignores("a/b/c.tif.aux.xml")
    assert GRAMMAR.ignores("old/c.tif")
    assert not GRAMMAR.ignores("RIVER/2020/1in5/s01e030.tif")


@pytest.mark.parametrize("text", ["{nothing}", "[{rp}", "{rp}]", "{rp", "]["])
def test_a_broken_pattern_is_refused(text: str) -> None:
    with pytest.raises(PipelineError):
        Grammar(DIMENSIONS, [text], ["{tile}.tif"])
