from __future__ import annotations

import h3.api.numpy_int as h3
import numpy as np
import pytest
import shapely

from thalweg.hexagons.cells import cell_centres, cell_polygons, cell_strings
from thalweg.hexagons.sphere import area_km2


def all_cells(resolution: int) -> np.ndarray:
    found = [h3.cell_to_children(cell, resolution) for cell in h3.get_res0_cells()]
    return np.sort(np.concatenate(found))


def test_ids_and_centres_are_those_of_h3() -> None:
    cells = all_cells(1)
    assert cell_strings(cells).to_pylist() == [h3.int_to_str(int(cell)) for cell in cells]
    back = [h3.latlng_to_cell(lat, lon, 1) for lon, lat in cell_centres(cells).tolist()]
    assert back == cells.tolist()


def test_no_cells_have_no_outlines() -> None:
    none = np.empty(0, np.uint64)
    assert cell_strings(none).to_pylist() == []
    assert cell_centres(none).shape == (0, 2)
    assert len(cell_polygons(none)) == 0


def test_the_outlines_of_all_cells_make_up_the_world() -> None:
    polygons = cell_polygons(all_cells(2))
    assert shapely.is_valid(polygons).all()
    assert area_km2(polygons).sum() == pytest.approx(
        area_km2(np.array([shapely.box(-180, -90, 180, 90)], object))[0], rel=1e-12
    )


def test_areas_agree_with_h3_but_for_the_cells_of_the_poles() -> None:
    cells = all_cells(3)
    true = np.array([h3.cell_area(cell) for cell in cells.tolist()])
    off = np.abs(area_km2(cell_polygons(cells)) / true - 1)
    assert (np.abs(cell_centres(cells)[off > 0.01, 1]) > 88).all()
    assert np.median(off) < 1e-4


def test_outlines_over_the_antimeridian_are_cut_and_wound_like_the_others() -> None:
    polygons = cell_polygons(all_cells(2))
    parts = shapely.get_parts(polygons)
    assert shapely.is_ccw(shapely.get_exterior_ring(parts)).all()
    west, _, east, _ = shapely.bounds(parts).T
    assert (shapely.get_type_id(polygons) == 6).any()
    poles = [h3.latlng_to_cell(lat, 0, 2) for lat in (90, -90)]
    assert ((east - west) > 180).sum() == len(poles)
