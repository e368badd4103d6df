from __future__ import annotations

import h3.api.numpy_int as h3
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.hexagons import parts as module
from thalweg.hexagons.cells import cell_polygons
from thalweg.hexagons.ellipsoid import areas_km2, lengths_km
from thalweg.hexagons.parts import Parts, centroids, parts
from thalweg.hexagons.sphere import cut_at_antimeridian, cut_line_at_antimeridian

places = st.tuples(st.floats(-170, 170), st.floats(-75, 75))
sizes = st.floats(1e-4, 0.4)


def shared(geometry: shapely.Geometry, resolution: int, rule: module.Rule = "share") -> Parts:
    return parts(np.array([geometry], object), resolution, rule)


def blob(x: float, y: float, size: float, corners: int, seed: int) -> shapely.Polygon:
    """A polygon like a star, with as many corners."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = size * np.random.default_rng(seed).uniform(0.2, 1, corners)
    return shapely.Polygon(np.column_stack([x + reach * np.cos(angle), y + reach * np.sin(angle)]))


def path(x: float, y: float, size: float, points: int, seed: int) -> shapely.LineString:
    walk = np.random.default_rng(seed).uniform(-size, size, (points, 2)) / 4
    return shapely.LineString(walk.cumsum(axis=0) + np.array([x, y]))


def by_trying_all(geometry: shapely.Geometry, resolution: int) -> dict[int, float]:
    """The measure in each cell, of all cells around."""
    measure = areas_km2 if geometry.area else lengths_km
    centre = h3.latlng_to_cell(*np.array(geometry.centroid.coords)[0, ::-1], resolution)
    cells = np.asarray(h3.grid_disk(centre, 24))
    cut = shapely.intersection(cell_polygons(cells), geometry)
    found = measure(cut)
    assert found.sum() == pytest.approx(measure(np.array([geometry], object))[0], rel=1e-6)
    return {int(cell): part for cell, part in zip(cells, found, strict=True) if part > 0}


@settings(max_examples=40, deadline=None)
@given(place=places, size=sizes, corners=st.integers(3, 600), seed=st.integers(0, 99))
def test_polygons_lie_in_the_cells_that_all_cells_around_tell(
    place: tuple[float, float], size: float, corners: int, seed: int
) -> None:
    polygon = blob(*place, size, corners, seed)
    expected = by_trying_all(polygon, 5)
    found = shared(polygon, 5)
    assert found.weight.sum() == pytest.approx(1, abs=1e-12)
    assert found.area_km2.sum() == pytest.approx(areas_km2(np.array([polygon], object))[0])
    total = sum(expected.values())
    got = dict(zip(found.cell.tolist(), found.area_km2, strict=True))
    for cell in {*expected, *got}:
        assert got.get(cell, 0) == pytest.approx(expected.get(cell, 0), abs=1e-6 * total)


@settings(max_examples=40, deadline=None)
@given(place=places, size=sizes, points=st.integers(2, 600), seed=st.integers(0, 99))
def test_lines_lie_in_the_cells_that_all_cells_around_tell(
    place: tuple[float, float], size: float, points: int, seed: int
) -> None:
    line = path(*place, size / np.sqrt(points), points, seed)
    expected = by_trying_all(line, 5)
    found = shared(line, 5)
    assert found.weight.sum() == pytest.approx(1, abs=1e-12)
    assert found.length_km.sum() == pytest.approx(lengths_km(np.array([line], object))[0])
    got = dict(zip(found.cell.tolist(), found.length_km, strict=True))
    for cell in {*expected, *got}:
        assert got.get(cell, 0) == pytest.approx(
            expected.get(cell, 0), abs=1e-6 * sum(expected.values())
        )


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999),
    resolution=st.integers(3, 10),
    rule=st.sampled_from(["centroid", "each", "share"]),
)
def test_each_feature_alone_is_as_among_others(
    seed: int, resolution: int, rule: module.Rule
) -> None:
    random = np.random.default_rng(seed)
    features = np.array(
        [
            make(*random.uniform((29, -3), (31, -1)), 10 ** random.uniform(-4, -2), 9, seed + index)
            for index, make in enumerate([blob, path, blob, path, blob])
        ],
        object,
    )
    together = parts(features, resolution, rule)
    for index, feature in enumerate(features):
        alone, mine = shared(feature, resolution, rule), together.feature == index
        assert alone.cell.tolist() == together.cell[mine].tolist()
        assert alone.weight == pytest.approx(together.weight[mine])
    assert together.area_km2.sum() == pytest.approx(areas_km2(features).sum(), rel=1e-11)
    assert together.length_km.sum() == pytest.approx(lengths_km(features).sum(), rel=1e-11)


def test_the_rules_count_a_feature_once_everywhere_or_by_share() -> None:
    box = shapely.box(30, -2, 30.3, -1.7)
    once, each, share = (shared(box, 5, rule) for rule in ("centroid", "each", "share"))
    assert once.weight.tolist() == [1]
    assert once.cell.tolist() == [h3.latlng_to_cell(-1.85, 30.15, 5)]
    assert each.cell.tolist() == share.cell.tolist()
    assert each.weight.tolist() == [1] * len(each.cell)
    assert len(each.cell) > 4
    assert share.weight.sum() == pytest.approx(1)
    assert each.area_km2 == pytest.approx(share.area_km2)
    assert once.area_km2.sum() == pytest.approx(share.area_km2.sum())


def test_several_points_are_shared_by_their_number() -> None:
    points = shapely.MultiPoint([(30, -2), (30.0001, -2), (30.0002, -2), (31, -1)])
    found = shared(points, 6)
    assert sorted(found.weight.tolist()) == [0.25, 0.75]
    assert shared(points, 6, "each").weight.tolist() == [1, 1]
    assert shared(points, 6, "centroid").weight.tolist() == [1]


def test_a_large_polygon_fills_its_inner_cells_whole() -> None:
    square = shapely.box(29, -3, 31, -1)
    found = shared(square, 6)
    inside = h3.polygon_to_cells(h3.geo_to_h3shape(square.__geo_interface__), 6)
    assert {int(cell) for cell in inside} <= {int(cell) for cell in found.cell}
    whole = areas_km2(cell_polygons(found.cell))
    full = shapely.contains_properly(square, cell_polygons(found.cell))
    assert full.sum() > 800
    assert found.area_km2[full] == pytest.approx(whole[full])


def test_the_centroid_of_parts_on_both_sides_of_the_antimeridian_is_between_them() -> None:
    whole = shapely.box(179, -17, 181.5, -16)
    cut = shapely.multipolygons(
        [shapely.box(179, -17, 180, -16), shapely.box(-180, -17, -178.5, -16)]
    )
    lon, lat = centroids(np.array([cut], object))[0]
    assert (lon + 360, lat) == pytest.approx((whole.centroid.x, -16.5), abs=0.01)


@pytest.mark.parametrize("rule", ["centroid", "each", "share"])
def test_over_the_antimeridian_nothing_is_lost(rule: module.Rule) -> None:
    island = cut_at_antimeridian(shapely.box(-178.5, -17, 179, -16))
    cable = cut_line_at_antimeridian(shapely.LineString([(175, 0), (-175, 1), (-172, 5)]))
    features = np.array([island, cable], object)
    found = parts(features, 4, rule)
    assert areas_km2(features)[0] == pytest.approx(29_500, rel=0.01)
    assert lengths_km(features)[1] == pytest.approx(1673, rel=0.01)
    assert found.area_km2.sum() == pytest.approx(areas_km2(features)[0])
    assert found.length_km.sum() == pytest.approx(lengths_km(features)[1])


def test_at_the_poles_nothing_is_lost() -> None:
    cap = shapely.box(-180, -90, 180, -85)
    found = shared(cap, 3)
    assert found.weight.sum() == pytest.approx(1)
    assert h3.latlng_to_cell(-90, 0, 3) in found.cell
    assert len(found.cell) > 60


def test_what_is_too_small_to_be_cut_stays_whole() -> None:
    corner = shapely.get_coordinates(cell_polygons(np.array([h3.latlng_to_cell(-2, 30, 7)])))[0]
    tiny = shapely.Polygon(corner + np.array([(-1e-14, 0), (1e-14, 0), (0, 1.5e-14)]))
    assert shared(tiny, 7).weight.sum() == pytest.approx(1)
    along = shapely.LineString(shapely.get_coordinates(cell_polygons(shared(tiny, 7).cell))[:2])
    assert shared(along, 7).weight.sum() == pytest.approx(1)
    assert shared(along, 7).length_km.sum() == pytest.approx(lengths_km(np.array([along]))[0])


def test_a_line_round_the_world_at_a_fine_resolution_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from thalweg.errors import TooManyCells

    monkeypatch.setattr(module, "_MOST_PLACES", 1000)
    with pytest.raises(TooManyCells, match="along lines and outlines"):
        shared(shapely.LineString([(-179, 0), (0, 1), (179, 0)]), 9)
