from __future__ import annotations

import h3.api.numpy_int as h3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.domain.tiles import BoundingBox
from thalweg.hexagons import bounds
from thalweg.hexagons.bounds import cell_bounds
from thalweg.hexagons.cells import Cells

places = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


def holds(box: BoundingBox, lat: float, lon: float) -> bool:
    room = 1e-8
    if not box.south - room <= lat <= box.north + room:
        return False
    if box.west <= box.east:
        return box.west - room <= lon <= box.east + room
    return lon >= box.west - room or lon <= box.east + room


def corners(cells: Cells) -> list[tuple[float, float]]:
    return [point for cell in cells.tolist() for point in h3.cell_to_boundary(cell)]


def disk(place: tuple[float, float], resolution: int, rings: int) -> Cells:
    return np.sort(h3.grid_disk(h3.latlng_to_cell(*place, resolution), rings))


@given(places, st.integers(0, 9), st.integers(0, 4))
@settings(deadline=None)
def test_every_corner_is_in_the_box(place: tuple[float, float], res: int, rings: int) -> None:
    cells = disk(place, res, rings)
    box = cell_bounds(cells)
    assert box is not None
    assert all(holds(box, *corner) for corner in corners(cells))


@given(places, st.integers(3, 8))
@settings(deadline=None, max_examples=30)
def test_ancestors_stand_in_for_many_cells(place: tuple[float, float], res: int) -> None:
    cells = disk(place, res, 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "MOST_CELLS", 8)
        box = cell_bounds(cells)
    assert box is not None
    assert all(holds(box, *corner) for corner in corners(cells))


def test_the_box_touches_the_cells_on_all_sides() -> None:
    cells = disk((-2, 30), 6, 5)
    lat, lon = np.array(corners(cells)).T
    box = cell_bounds(cells)
    assert box is not None
    found = (box.west, box.south, box.east, box.north)
    assert found == pytest.approx((lon.min(), lat.min(), lon.max(), lat.max()), abs=1e-8)


def test_ancestors_are_those_of_h3() -> None:
    cells = disk((64, 20), 7, 8)
    assert bounds._parents(cells, 6).tolist() == [h3.cell_to_parent(one) for one in cells.tolist()]


def test_the_box_of_more_cells_is_larger_by_little() -> None:
    cells = disk((-2, 30), 8, 70)
    lat, lon = np.array(corners(cells)).T
    box = cell_bounds(cells)
    assert len(cells) > bounds.MOST_CELLS
    assert box is not None
    found = np.array([-box.west, -box.south, box.east, box.north])
    excess = found - [-lon.min(), -lat.min(), lon.max(), lat.max()]
    assert (excess >= 0).all()
    assert (excess < 0.04).all()


def test_over_the_antimeridian_west_is_greater_than_east() -> None:
    box = cell_bounds(disk((-17, 180), 5, 3))
    assert box is not None
    assert 179 < box.west < 180
    assert -180 < box.east < -179


def test_a_pole_and_the_whole_globe_take_all_longitudes() -> None:
    pole = cell_bounds(disk((90, 0), 3, 1))
    assert pole is not None
    assert (pole.west, pole.east, pole.north) == (-180, 180, 90)
    assert cell_bounds(np.array(h3.get_res0_cells())) == BoundingBox(-180, -90, 180, 90)


def test_no_cells_have_no_box() -> None:
    assert cell_bounds(np.empty(0, np.uint64)) is None
