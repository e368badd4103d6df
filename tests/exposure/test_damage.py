from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from thalweg.errors import InvalidCurve, MissingColumn
from thalweg.exposure.damage import Curve, Damage, read_curve

TEXT = """\
# Somebody, a report
# of some year
inundation_depth_(m),damage_fraction,upper

0,0,0
0.5,0.33,0.4
1,0.49,0.6
6,1,1
"""


def read(folder: Path, text: str, column: str = "damage_fraction") -> Curve:
    path = folder / "curve.csv"
    path.write_text(text)
    return read_curve(path, column, "curve.csv")


def test_a_curve_is_read_past_its_comments_by_column(tmp_path: Path) -> None:
    assert read(tmp_path, TEXT) == Curve((0, 0.5, 1, 6), (0, 0.33, 0.49, 1))
    assert read(tmp_path, TEXT, "upper").shares == (0, 0.4, 0.6, 1)


def test_between_points_it_is_straight_and_beyond_the_last_constant(tmp_path: Path) -> None:
    curve = read(tmp_path, TEXT)
    found = curve.at(np.array([-1, 0, 0.25, 0.75, 6, 60.0]))
    assert found.tolist() == pytest.approx([0, 0, 0.165, 0.41, 1, 1])
    assert Curve((0.5, 1), (0.2, 0.4)).at(np.array([0.4, 0.5])).tolist() == [0, 0.2]


def test_damage_is_of_a_building_or_of_its_area() -> None:
    curve = Curve((0.0, 2.0), (0.1, 1.0))
    depth, area = np.array([0.0, 1.0, 1.0]), np.array([50.0, 50.0, np.nan])
    each = Damage("all", curve, 1000, "building", "USD")
    assert each.of(depth, area).tolist() == pytest.approx([0, 550, 550])
    by_area = Damage("all", curve, 10, "m2", "USD")
    assert by_area.of(depth, area).tolist() == pytest.approx([0, 275, 0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("depth,damage_fraction\n", "no points"),
        ("depth,damage_fraction\n0,x\n", r"curve.csv:2: '0,x' is no depth and share"),
        ("depth,damage_fraction\n0,0\n1\n", r"curve.csv:3"),
        ("depth,damage_fraction\n0,0\n1,50\n", r"curve.csv:3: the share 50 is not between 0 and 1"),
        ("# c\ndepth,damage_fraction\n1,0\n1,0.5\n", r"curve.csv:4: the depth 1 does not rise"),
        ("depth,damage_fraction\nnan,0\n", "does not rise"),
    ],
)
def test_what_is_no_curve_is_refused_by_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidCurve, match=said):
        read(tmp_path, text)


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(MissingColumn, match="damage_fraction, upper"):
        read(tmp_path, TEXT, "lower")
    with pytest.raises(MissingColumn, match="no columns"):
        read(tmp_path, "")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidCurve, match="cannot be read"):
        read_curve(tmp_path / "none.csv", "damage_fraction", "none.csv")


@pytest.mark.shared
def test_published_curves_are_read(shared: Path) -> None:
    folder = shared / "flood" / "damage_curves_open_gira"
    for path in folder.glob("*.csv"):
        curve = read_curve(path, "damage_fraction", path.name)
        assert curve.shares[0] == 0
        assert max(curve.shares) <= 1
