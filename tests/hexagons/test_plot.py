from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hexagon_tables import flood_series, statistics
from matplotlib.image import imread

from thalweg.domain.tiles import BoundingBox
from thalweg.errors import MissingColumn, PlottingMissing, UnknownLayer
from thalweg.hexagons.outlines import Outlines
from thalweg.hexagons.places import box, seed
from thalweg.hexagons.plot import Picture, _degrees, draw, picture, plot
from thalweg.hexagons.selection import Selection
from thalweg.hexagons.tables import find_tables, partition, series_table, write_table

LAYER = "flood_fluvial_2050_ssp245_1in100"


def test_a_layer_becomes_a_picture_of_its_own_numbers(tables: Path) -> None:
    found = picture(find_tables(tables), LAYER, Selection(6), "mean")
    cells = seed(box(BoundingBox(29, -3, 31, -1)), 6).cells
    np.testing.assert_array_equal(found.values, statistics(len(cells), 3)["mean"][:, 2])
    assert found.legend == "mean (cm)"
    assert "flood fluvial 2050 ssp245 1in100" in found.title
    assert f"{len(cells):,} cells" in found.title


def test_a_share_has_no_unit_and_a_title_may_be_given(tables: Path) -> None:
    found = picture(find_tables(tables), LAYER, Selection(6), "wet_share", title="Wet")
    assert (found.legend, found.title) == ("wet share", "Wet")


def test_the_colours_tell_deep_shallow_dry_and_unknown_apart(tmp_path: Path) -> None:
    """Four boxes side by side, from west to east."""
    boxes = np.array([shapely.box(lon, 0, lon + 1, 2) for lon in range(4)], object)
    values = np.array([10.0, 1.0, 0.0, np.nan])
    draw(Picture(boxes, values, "Boxes", "depth (m)"), tmp_path / "map.png")
    pixels = np.round(imread(tmp_path / "map.png")[:, :1000, :3] * 255).astype(int)
    west_to_east = [(8, 29, 88), (240, 249, 184), (238, 240, 238), (201, 196, 189)]
    columns = [np.median(np.nonzero((pixels == one).all(axis=2))[1]) for one in west_to_east]
    assert (np.diff(columns) > 150).all()


def test_borders_are_lines_and_the_frame_is_none(tmp_path: Path) -> None:
    boxes = np.array([shapely.box(0, 0, 2, 2)], object)
    empty = Picture(boxes, np.array([np.nan]), "Boxes", "depth (m)")
    around = Outlines(("A",), np.array([shapely.box(-50, -50, 50, 50)], object), "")
    across = Outlines(("A",), np.array([shapely.box(-50, -50, 1, 50)], object), "")
    for name, borders in (("none", None), ("around", around), ("across", across)):
        draw(empty, tmp_path / f"{name}.png", borders)
    none, outside, inside = (
        imread(tmp_path / f"{name}.png") for name in ("none", "around", "across")
    )
    np.testing.assert_array_equal(none, outside)
    assert (none != inside).any()


@pytest.mark.parametrize(
    ("value", "letters", "text"),
    [(-2.5, "NS", "2.5°S"), (2.5, "NS", "2.5°N"), (0, "EW", "0°"), (-180, "EW", "180°W")],
)
def test_degrees_have_a_side(value: float, letters: str, text: str) -> None:
    assert _degrees(value, letters) == text


def test_a_file_is_written_and_the_same_rows_give_the_same_bytes(
    tables: Path, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        plot(find_tables(tables), tmp_path / name, LAYER, Selection(6, countries=("RWA",)))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    height, width, _ = imread(tmp_path / "a.png").shape
    assert width == 1350
    assert 0.5 < height / width < 1.5


def test_a_place_over_the_antimeridian_is_drawn_in_one_piece(tmp_path: Path) -> None:
    cells = seed(box(BoundingBox(178, -18, -178, -16)), 4).cells
    series = flood_series("2020", "none")
    path = tmp_path / partition(series, 4) / "one.parquet"
    path.parent.mkdir(parents=True)
    write_table(series_table(series, cells, statistics(len(cells), 3)), path)
    found = picture([path], "flood_fluvial_2020_1in5", Selection(4), "mean")
    west, _, east, _ = shapely.total_bounds(found.polygons)
    assert 177 < west < 180 < east < 183
    assert len(found.polygons) == len(found.values) > len(cells)


class TestRefusals:
    def test_a_layer_that_is_not_there(self, tables: Path, tmp_path: Path) -> None:
        with pytest.raises(UnknownLayer):
            plot(find_tables(tables), tmp_path / "a.png", "flood_1in3", Selection(6))

    def test_a_series_is_no_layer(self, tables: Path, tmp_path: Path) -> None:
        with pytest.raises(UnknownLayer, match="flood_fluvial_2020") as error:
            plot(find_tables(tables), tmp_path / "a.png", "flood_fluvial_2020", Selection(6))
        assert "flood_fluvial_2020_1in100" in error.value.hint

    def test_a_statistic_that_is_not_there(self, tables: Path, tmp_path: Path) -> None:
        with pytest.raises(MissingColumn, match="'median'") as error:
            plot(find_tables(tables), tmp_path / "a.png", LAYER, Selection(6), statistic="median")
        assert error.value.hint == "there are valid, mean, wet_share"

    def test_without_matplotlib_it_says_what_to_install(
        self, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = builtins.__import__

        def without(name: str, *rest: Any, **named: Any) -> Any:
            if name.startswith("matplotlib"):
                raise ImportError(name)
            return real(name, *rest, **named)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(PlottingMissing) as error:
            plot(find_tables(tables), tmp_path / "a.png", LAYER, Selection(6))
        assert "thalweg[plot]" in error.value.hint
