from __future__ import annotations

import pytest
from hexagon_floods import RULES, floods, grid_of, measured, same_answers

from thalweg.domain.pixels import PixelRules
from thalweg.errors import UsageError
from thalweg.hexagons.boxes import Window
from thalweg.hexagons.measures import Measures, Rule
from thalweg.hexagons.with_polars import statistics_by_polars


@pytest.mark.parametrize("resolution", [6, 8, 9])
def test_polars_gives_what_the_compiled_code_gives(resolution: int) -> None:
    pixels = floods(height=130)
    grid = grid_of(pixels)
    ours = measured(pixels, resolution)
    theirs = statistics_by_polars(grid, Window.of(grid), resolution, ours.measures, pixels)
    assert same_answers(ours, theirs)
    for depth in ours.measures.depths_m:
        assert (ours.above(depth) == theirs.above(depth)).all()
        assert (ours.area_above_km2(depth) == theirs.area_above_km2(depth)).all()
    water = "permanent_water"
    assert (ours.special(water) == theirs.special(water)).all()


def test_polars_and_floating_point() -> None:
    pixels = floods().astype("float32") / 100
    rules = PixelRules("float32", "m", float(pixels.min()), -400, 100)
    ours = measured(pixels, 8, rules=rules)
    grid = grid_of(pixels)
    theirs = statistics_by_polars(grid, Window.of(grid), 8, ours.measures, pixels)
    assert (ours.valid == theirs.valid).all()
    assert ours.total == pytest.approx(theirs.total, rel=1e-12)


def test_polars_is_for_the_rule_centre_only() -> None:
    pixels = floods()
    grid = grid_of(pixels)
    for measures in (
        Measures(("a", "b", "c"), RULES, Rule.AREA),
        Measures(("a", "b", "c"), RULES, histogram=True),
    ):
        with pytest.raises(UsageError, match="centre"):
            statistics_by_polars(grid, Window.of(grid), 8, measures, pixels)
