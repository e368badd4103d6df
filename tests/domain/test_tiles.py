from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.domain.tiles import BoundingBox, GridCell, Tile
from thalweg.errors import UnknownValue, UsageError

tiles = st.builds(Tile, st.integers(-90, 89), st.integers(-180, 179))
sizes = st.integers(1, 45)

RWANDA = ["s01e030", "s02e029", "s02e030", "s03e028", "s03e029", "s03e030"]


@given(tiles)
def test_tile_names_round_trip(tile: Tile) -> None:
    assert Tile.parse(tile.name) == tile
    assert Tile.parse(tile.name.upper()) == tile


@given(tiles, sizes)
def test_a_tile_lies_in_its_cell_and_in_no_neighbour(tile: Tile, size: int) -> None:
    cell = tile.cell(size)
    around = [
        GridCell(cell.south + dy * size, cell.west + dx * size, size)
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    ]
    assert [one for one in around if tile in one] == [cell]
    assert GridCell.parse(cell.name, size) == cell


@pytest.mark.parametrize("size", [1, 3, 4, 5, 7, 10])
def test_every_tile_of_the_world_lies_in_exactly_one_cell(size: int) -> None:
    world = [Tile(south, west) for south in range(-90, 90) for west in range(-180, 180)]
    by_cell: dict[GridCell, int] = {}
    for tile in world:
        by_cell[tile.cell(size)] = by_cell.get(tile.cell(size), 0) + 1
    assert sum(by_cell.values()) == 180 * 360
    assert max(by_cell.values()) == size * size
    assert len({cell.name for cell in by_cell}) == len(by_cell)


def test_signs_count_in_the_cell_of_a_tile() -> None:
    for name in RWANDA:
        assert Tile.parse(name).cell(4) == GridCell(-4, 28, 4)
    assert Tile.parse("n04w006").cell(4) == GridCell(4, -8, 4)
    assert len({Tile.parse(name).cell(5) for name in RWANDA}) == 2


@pytest.mark.parametrize("name", ["x04w006", "n4w6", "n90e000", "s91e000", "n00e180", ""])
def test_what_is_no_tile_is_refused(name: str) -> None:
    with pytest.raises(UnknownValue):
        Tile.parse(name)


def test_a_box_keeps_all_tiles_that_it_overlaps_not_those_whose_corner_it_holds() -> None:
    rwanda = BoundingBox.parse("28.86,-2.84,30.9,-1.05")
    kept = [name for name in RWANDA if Tile.parse(name).overlaps(rwanda)]
    assert kept == [name for name in RWANDA if name != "s01e030"]
    assert Tile.parse("s01e030").overlaps(BoundingBox.parse("28.86,-2.84,30.9,-0.99"))


@given(tiles)
def test_a_tile_overlaps_its_own_box_and_a_point_within_but_no_neighbour(tile: Tile) -> None:
    own = BoundingBox(tile.west, tile.south, tile.west + 1, tile.south + 1)
    point = BoundingBox(tile.west + 0.5, tile.south + 0.5, tile.west + 0.5, tile.south + 0.5)
    east = BoundingBox(tile.west + 1, tile.south, tile.west + 2, tile.south + 1)
    assert tile.overlaps(own)
    assert tile.overlaps(point)
    assert not tile.overlaps(east)


def test_a_box_over_the_antimeridian() -> None:
    fiji = BoundingBox.parse("177,-20,-178,-15")
    assert Tile.parse("s17e179").overlaps(fiji)
    assert Tile.parse("s17w180").overlaps(fiji)
    assert not Tile.parse("s17e100").overlaps(fiji)
    assert not Tile.parse("s17w100").overlaps(fiji)


@pytest.mark.parametrize(
    "text", ["1,2,3", "a,b,c,d", "0,10,1,5", "0,0,0,91", "200,0,201,1", "nan,0,1,1"]
)
def test_a_broken_box_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        BoundingBox.parse(text)
