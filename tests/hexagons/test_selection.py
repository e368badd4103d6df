from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hexagon_tables import LABELS

from thalweg.domain.tiles import BoundingBox
from thalweg.errors import NothingSelected, UnknownLayer
from thalweg.hexagons import selection as module
from thalweg.hexagons.places import box, seed
from thalweg.hexagons.selection import Form, Selection, selected
from thalweg.hexagons.tables import find_tables

CELLS_AT_6 = len(seed(box(BoundingBox(29, -3, 31, -1)), 6).cells)
TODAY, LATER = "flood_fluvial_2020", "flood_fluvial_2050_ssp245"


def rows(tables: Path, form: Form = "wide", resolution: int = 6, **wanted: object) -> pa.Table:
    selection = Selection(resolution, **wanted)  # type: ignore[arg-type]
    with selected(find_tables(tables), selection, form) as reader:
        return reader.read_all()


class TestWide:
    def test_there_is_a_row_for_each_cell_and_series_in_the_order_of_cells(
        self, tables: Path
    ) -> None:
        found = rows(tables)
        assert found.num_rows == 3 * CELLS_AT_6
        order = [("cell", "ascending"), ("series", "ascending")]
        assert found.equals(found.sort_by(order))
        assert set(found["resolution"].to_pylist()) == {6}

    def test_a_series_brings_all_its_columns_and_no_others(self, tables: Path) -> None:
        found = rows(tables, layers=(LATER,))
        assert set(found["series"].to_pylist()) == {LATER}
        assert "expected_annual_depth" in found.column_names
        assert {f"mean_{label}" for label in LABELS} <= set(found.column_names)
        assert "mean" not in found.column_names

    def test_a_layer_brings_its_own_columns(self, tables: Path) -> None:
        found = rows(tables, layers=(f"{LATER}_1in20",))
        assert found.column_names[-3:] == ["valid_1in20", "mean_1in20", "wet_share_1in20"]
        assert not [name for name in found.column_names if "1in5" in name or "expected" in name]

    def test_countries_and_places_narrow_it(self, tables: Path) -> None:
        place = box(BoundingBox(29.5, -2.5, 30, -2))
        found = rows(tables, layers=(TODAY,), place=place)
        assert found["cell"].to_pylist() == seed(place, 6).cells.tolist()
        of_both = rows(tables, layers=(TODAY,), place=place, countries=("rwa",))
        assert set(of_both["country"].to_pylist()) == {"RWA"}
        assert 0 < of_both.num_rows < found.num_rows


class TestLong:
    def test_there_is_a_row_for_each_cell_and_layer_with_the_same_numbers(
        self, tables: Path
    ) -> None:
        wide, long = rows(tables), rows(tables, "long")
        assert long.num_rows == (2 * 3 + 1) * CELLS_AT_6
        for series in (TODAY, LATER):
            for label in LABELS:
                layer = long.filter(pc.field("layer") == f"{series}_{label}")
                same = wide.filter(pc.field("series") == series)
                assert layer["cell"].equals(same["cell"])
                for statistic in ("valid", "mean", "wet_share"):
                    assert layer[statistic].equals(same[f"{statistic}_{label}"])

    def test_layers_of_a_cell_follow_their_order_not_their_spelling(self, tables: Path) -> None:
        first = rows(tables, "long", layers=(TODAY,)).slice(0, 3)
        assert first["label"].to_pylist() == ["1in5", "1in20", "1in100"]
        assert first["return_period"].to_pylist() == [5, 20, 100]

    def test_a_layer_without_return_period_has_none(self, tables: Path) -> None:
        terrain = rows(tables, "long", layers=("terrain_fluvial",))
        assert set(terrain["layer"].to_pylist()) == {"terrain_fluvial"}
        assert terrain["return_period"].null_count == CELLS_AT_6
        assert terrain["mean"].null_count == -(-CELLS_AT_6 // 10)


class TestRefusals:
    def test_a_resolution_that_is_not_there(self, tables: Path) -> None:
        with pytest.raises(NothingSelected, match="resolution 9") as error:
            rows(tables, resolution=9)
        assert error.value.hint == "there are 5, 6"

    def test_a_layer_that_is_not_there(self, tables: Path) -> None:
        with pytest.raises(UnknownLayer, match="flood_fluvial_2050_ssp245_1in50") as error:
            rows(tables, layers=(f"{LATER}_1in50",))
        assert f"{LATER}_1in5" in error.value.hint

    @pytest.mark.parametrize(
        "nowhere", [{"countries": ("FJI",)}, {"place": box(BoundingBox(0, 0, 1, 1))}]
    )
    def test_a_place_without_cells(self, tables: Path, nowhere: dict[str, object]) -> None:
        with pytest.raises(NothingSelected):
            rows(tables, **nowhere)


def test_batches_are_of_one_size_and_hold_every_row_once(
    tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 1000)
    with selected(find_tables(tables), Selection(6), "long") as reader:
        batches = list(reader)
    sizes = [batch.num_rows for batch in batches]
    assert set(sizes[:-1]) == {1000}
    assert sum(sizes) == 7 * CELLS_AT_6
