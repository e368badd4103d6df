from __future__ import annotations

from pathlib import Path

import h3.api.numpy_int as h3
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from thalweg.domain.tiles import BoundingBox
from thalweg.errors import TooManyCells
from thalweg.hexagons.cells import Cells, cell_centres, cell_polygons
from thalweg.hexagons.outlines import Outlines, cell_codes, read_outlines
from thalweg.hexagons.places import box, covered_shares, seed
from thalweg.hexagons.sphere import area_km2


def all_cells(resolution: int) -> Cells:
    found = [h3.cell_to_children(cell, resolution) for cell in h3.get_res0_cells()]
    return np.sort(np.concatenate(found))


def area(geometry: BaseGeometry) -> float:
    return float(area_km2(np.array([geometry], object))[0])


def covered_km2(place: BaseGeometry, resolution: int) -> float:
    found = seed(place, resolution, "overlap")
    assert found.shares is not None
    return float((found.shares * area_km2(cell_polygons(found.cells))).sum())


EVERYWHERE = [
    pytest.param(box(BoundingBox(28.8, -2.9, 30.9, -1)), id="inland"),
    pytest.param(box(BoundingBox(170, -20, -170, 20)), id="over the antimeridian"),
    pytest.param(box(BoundingBox(-180, 80, 180, 90)), id="north pole"),
    pytest.param(box(BoundingBox(-180, -90, 180, -75)), id="south pole"),
    pytest.param(box(BoundingBox(-170, -10, 170, 10)), id="wider than half the world"),
    pytest.param(box(BoundingBox(-180, -90, 180, 90)), id="the world"),
    pytest.param(
        shapely.box(10, 10, 40, 40).difference(shapely.box(20, 20, 30, 30)), id="with a hole"
    ),
    pytest.param(
        shapely.union_all([shapely.box(0, 0, 9, 9), shapely.box(50, -40, 60, -30)]), id="two parts"
    ),
    pytest.param(Polygon([(170, 60), (-170, 60), (-175, 70), (175, 70)]), id="uncut"),
]


class TestSeeds:
    @pytest.mark.parametrize("place", EVERYWHERE)
    def test_centre_takes_the_cells_whose_centre_is_inside(self, place: BaseGeometry) -> None:
        cells = all_cells(3)
        lon, lat = cell_centres(cells).T
        inside = _inside(place, lon, lat)
        np.testing.assert_array_equal(seed(place, 3).cells, cells[inside])

    @pytest.mark.parametrize("place", EVERYWHERE)
    def test_overlap_takes_every_cell_that_shares_some_and_all_of_the_place(
        self, place: BaseGeometry
    ) -> None:
        found = seed(place, 3, "overlap")
        assert found.shares is not None
        assert np.isin(seed(place, 3).cells, found.cells).all()
        assert ((found.shares >= 0) & (found.shares <= 1)).all()
        whole = area(place) if place.bounds != (-175, 60, 175, 70) else _uncut_area()
        assert covered_km2(place, 3) == pytest.approx(whole, rel=1e-9)

    def test_both_rules_equal_h3s_own_functions(self) -> None:
        place = Polygon([(28.9, -2.8), (30.8, -2.6), (30.9, -1.1), (29.4, -1.3)])
        shape = h3.geo_to_h3shape(place.__geo_interface__)
        for resolution in (4, 6, 8):
            own = h3.geo_to_cells(place.__geo_interface__, resolution)
            assert set(seed(place, resolution).cells) == set(own)
            overlapping = h3.h3shape_to_cells_experimental(shape, resolution, "overlap")
            assert set(seed(place, resolution, "overlap").cells) == set(overlapping)

    def test_a_place_smaller_than_a_cell_has_no_centre_but_overlaps(self) -> None:
        tiny = shapely.box(30, -2, 30.001, -1.999)
        assert len(seed(tiny, 5).cells) == 0
        found = seed(tiny, 5, "overlap")
        assert len(found.cells) == 1
        assert found.shares == pytest.approx(area(tiny) / area(cell_polygons(found.cells)[0]))

    def test_too_many_cells_are_refused_before_they_are_made(self) -> None:
        with pytest.raises(TooManyCells, match="resolution 15") as error:
            seed(box(BoundingBox(-180, -90, 180, 90)), 15)
        assert "at most 6" in error.value.hint

    @settings(max_examples=25, deadline=None)
    @given(st.floats(-179, 179), st.floats(-84, 84), st.floats(0.2, 8), st.integers(0, 2**32))
    def test_neighbours_share_no_cell_and_together_have_those_of_both(
        self, lon: float, lat: float, size: float, salt: int
    ) -> None:
        turn = np.random.default_rng(salt).uniform(0.2, 0.8)
        west, south, east, north = lon - size, max(lat - size, -89), lon + size, lat + size / 2
        middle = west + turn * (east - west)
        halves = [
            _wrapped_box(west, south, middle, north),
            _wrapped_box(middle, south, east, north),
        ]
        resolution = 3 if size > 2 else 4
        left, right = (seed(half, resolution).cells for half in halves)
        both = seed(_wrapped_box(west, south, east, north), resolution).cells
        assert not np.isin(left, right).any()
        np.testing.assert_array_equal(np.union1d(left, right), both)


class TestShares:
    def test_neighbours_shares_of_a_cell_add_up(self) -> None:
        cells = seed(shapely.box(29, -3, 31, -1), 5).cells
        zigzag = [(28, -2.1), (29.5, -1.7), (30.2, -2.4), (32, -2)]
        north = Polygon([*zigzag, (32, 0), (28, 0)])
        south = Polygon([*zigzag, (32, -4), (28, -4)])
        together = covered_shares(cells, north) + covered_shares(cells, south)
        np.testing.assert_allclose(together, 1, rtol=1e-9)

    def test_a_hole_is_not_covered(self) -> None:
        cells = seed(shapely.box(29, -3, 31, -1), 5).cells
        outline = cell_polygons(cells[:1])[0]
        holed = shapely.box(20, -10, 40, 10).difference(outline)
        shares = covered_shares(cells, holed)
        assert shares[0] == pytest.approx(0, abs=1e-12)
        np.testing.assert_allclose(shares[1:], 1)


class TestCountries:
    # Rwanda at 1:10 million has 25,416 km2; cells there are larger than the mean of the globe, so
    # there are fewer than area over mean cell area: 100, 704 and 4,925.
    @pytest.mark.parametrize(("resolution", "count"), [(5, 88), (6, 622), (7, 4319)])
    def test_rwanda_has_as_many_cells_as_h3_finds(
        self, world: Outlines, resolution: int, count: int
    ) -> None:
        rwanda = world.of("RWA")
        cells = seed(rwanda, resolution).cells
        assert len(cells) == count
        assert set(cells) == set(h3.geo_to_cells(rwanda.__geo_interface__, resolution))

    @pytest.mark.parametrize(
        ("code", "resolution"), [("FJI", 3), ("RUS", 2), ("ATA", 2), ("KIR", 3)]
    )
    def test_countries_at_the_antimeridian_and_the_pole(
        self, world: Outlines, code: str, resolution: int
    ) -> None:
        country = world.of(code)
        cells = all_cells(resolution)
        lon, lat = cell_centres(cells).T
        shapely.prepare(country)
        inside = shapely.intersects_xy(country, lon, lat)
        np.testing.assert_array_equal(seed(country, resolution).cells, cells[inside])
        assert covered_km2(country, resolution) == pytest.approx(area(country), rel=1e-6)

    def test_the_country_of_a_cell_is_that_of_its_own_centre(self, world: Outlines) -> None:
        rwanda = world.of("RWA")
        found = seed(rwanda, 5, "overlap")
        codes = np.array(cell_codes(found.cells, world))
        inside = np.isin(found.cells, seed(rwanda, 5).cells)
        assert set(codes[inside]) == {"RWA"}
        assert set(codes[~inside]) <= {"UGA", "TZA", "BDI", "COD"}
        parents = {h3.cell_to_parent(cell, 4) for cell in found.cells[inside].tolist()}
        others = np.array(cell_codes(np.array(sorted(parents)), world))
        assert (others != "RWA").any()

    @pytest.mark.shared
    def test_provinces_of_a_file_share_out_their_country(self, shared: Path) -> None:
        provinces = read_outlines(shared / "rwanda/admin/province.geojson", "id")
        pieces = [seed(one, 7).cells for one in provinces.geometries]
        together = np.concatenate(pieces)
        assert len(np.unique(together)) == len(together)
        codes = cell_codes(together, provinces)
        expected = np.repeat(provinces.codes, [len(piece) for piece in pieces])
        assert (np.array(codes) == expected).all()


def _inside(place: BaseGeometry, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    if place.bounds == (-175, 60, 175, 70):
        place = shapely.transform(place, lambda xy: np.column_stack([xy[:, 0] % 360, xy[:, 1]]))
        lon = lon % 360
    return shapely.intersects_xy(place, lon, lat)


def _uncut_area() -> float:
    return area(Polygon([(-10, 60), (10, 60), (5, 70), (-5, 70)]))


def _wrapped_box(west: float, south: float, east: float, north: float) -> BaseGeometry:
    west, east = (west + 180) % 360 - 180, (east + 180) % 360 - 180
    return box(BoundingBox(west, south, east, north))
