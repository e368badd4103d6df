from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon

from thalweg.hexagons.sphere import (
    AUTHALIC_RADIUS_KM,
    area_km2,
    crosses_antimeridian,
    cut_at_antimeridian,
    narrowed,
    subdivided,
)

SPHERE_KM2 = 4 * math.pi * AUTHALIC_RADIUS_KM**2


def area(geometry: object) -> float:
    return float(area_km2(np.array([geometry], object))[0])


class TestArea:
    def test_the_world_is_a_sphere(self) -> None:
        assert area(shapely.box(-180, -90, 180, 90)) == pytest.approx(SPHERE_KM2, rel=1e-14)

    @given(st.floats(-180, 170), st.floats(0.001, 10), st.floats(-90, 89), st.floats(0.001, 1))
    def test_a_box_is_a_slice_of_a_zone(
        self, west: float, width: float, south: float, height: float
    ) -> None:
        north, east = south + height, west + width
        slice_of_zone = (
            AUTHALIC_RADIUS_KM**2
            * math.radians(east - west)
            * (math.sin(math.radians(north)) - math.sin(math.radians(south)))
        )
        found = area(shapely.box(west, south, east, north))
        assert found == pytest.approx(slice_of_zone, rel=1e-7, abs=1e-9)

    def test_a_hole_is_left_out_and_parts_add_up(self) -> None:
        outer, inner = shapely.box(0, 0, 4, 4), shapely.box(1, 1, 2, 2)
        far = shapely.box(20, 50, 21, 51)
        holed = outer.difference(inner)
        assert area(holed) == pytest.approx(area(outer) - area(inner))
        assert area(MultiPolygon([holed, far])) == pytest.approx(area(holed) + area(far))

    def test_each_geometry_has_its_own_area_whichever_way_it_is_wound(self) -> None:
        box = shapely.box(3, 3, 4, 4)
        mixed = np.array([box, shapely.Point(0, 0), box.reverse(), MultiPolygon()], object)
        assert area_km2(mixed).tolist() == pytest.approx([area(box), 0, area(box), 0])

    def test_a_slanting_edge_agrees_with_many_small_steps(self) -> None:
        triangle = Polygon([(0, 40), (20, 50), (0, 70)])
        fine = shapely.segmentize(triangle, 0.001)
        assert area(triangle) == pytest.approx(area(fine), rel=1e-9)


class TestAntimeridian:
    def test_a_box_over_it_is_cut_in_two(self) -> None:
        cut = cut_at_antimeridian(Polygon([(170, -5), (-170, -5), (-170, 5), (170, 5)]))
        assert cut.equals(
            shapely.union_all([shapely.box(170, -5, 180, 5), shapely.box(-180, -5, -170, 5)])
        )

    def test_a_vertex_on_it_written_with_both_signs_is_one_place(self) -> None:
        ring = [(179, 0), (180, 0), (-180, 0), (-179, 1), (-180, 2), (180, 2), (179, 2)]
        cut = cut_at_antimeridian(Polygon(ring))
        assert cut.bounds == (-180, 0, 180, 2)
        assert area(cut) < 3 * area(shapely.box(0, 0, 1, 1))

    @pytest.mark.parametrize("sign", [1, -1])
    def test_a_ring_round_a_pole_holds_it(self, sign: int) -> None:
        ring = [(lon, sign * 80) for lon in range(-170, 190, 20)]
        cut = cut_at_antimeridian(Polygon(ring))
        cap = 2 * math.pi * AUTHALIC_RADIUS_KM**2 * (1 - math.sin(math.radians(80)))
        assert area(cut) == pytest.approx(cap)
        assert cut.is_valid

    def test_a_hole_beyond_it_stays_a_hole(self) -> None:
        shell = [(170, -5), (-170, -5), (-170, 5), (170, 5)]
        hole = [(-178, -1), (-176, -1), (-176, 1), (-178, 1)]
        cut = cut_at_antimeridian(Polygon(shell, [hole]))
        assert area(cut) == pytest.approx(
            area(shapely.box(0, -5, 20, 5)) - area(shapely.box(0, -1, 2, 1))
        )

    def test_what_is_cut_already_stays(self) -> None:
        antarctica = Polygon([(-180, -90), (180, -90), (180, -70), (0, -65), (-180, -70)])
        assert not crosses_antimeridian(np.array([antarctica], object)).any()
        assert cut_at_antimeridian(antarctica).equals(antarctica)

    def test_lines_left_by_mending_are_dropped(self) -> None:
        spiked = Polygon([(0, 0), (2, 0), (2, 2), (1, 2), (1, 5), (1, 2), (0, 2)])
        assert cut_at_antimeridian(spiked).equals(shapely.box(0, 0, 2, 2))


@given(st.integers(3, 700), st.floats(0.1, 80), st.integers(8, 64))
def test_a_place_in_pieces_is_the_same_place(points: int, radius: float, most: int) -> None:
    turns = np.linspace(0, 2 * math.pi, points, endpoint=False)
    wobble = radius * (1 + 0.2 * np.sin(7 * turns))
    star = shapely.make_valid(
        Polygon(np.column_stack([wobble * np.cos(turns), wobble * np.sin(turns) / 2]))
    )
    small, narrow = subdivided(star, most), narrowed(star, 10)
    assert all(shapely.get_num_coordinates(part) <= most for part in small)
    assert all(part.bounds[2] - part.bounds[0] <= 10 for part in narrow)
    for pieces in (small, narrow):
        assert area_km2(np.array(pieces, object)).sum() == pytest.approx(area(star), rel=1e-9)
