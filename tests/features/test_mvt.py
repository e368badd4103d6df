"""Tiles are read by GDAL as what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from thalweg.features import mvt

HALF_THE_WORLD_M = 20037508.342789244
WORLD = (-HALF_THE_WORLD_M, -HALF_THE_WORLD_M, HALF_THE_WORLD_M, HALF_THE_WORLD_M)
UNIT_M = 2 * HALF_THE_WORLD_M / mvt.EXTENT
UNITS = (0.0, -4096.0, 4096.0, 0.0)
"""A tile whose units are those of the geometries, with y upwards from -4096."""


def read(content: bytes, folder: Path, layer: str = "layer") -> list[dict[str, Any]]:
    """The properties of the features of tile 0/0/0, and their geometries in units of the tile."""
    file = folder / "0.mvt"
    file.write_bytes(content)
    _, table = pyogrio.read_arrow(file, layer=layer, X=0, Y=0, Z=0)
    rows = table.to_pylist()
    for row in rows:
        moved = shapely.from_wkb(row.pop("wkb_geometry"))
        row["geometry"] = shapely.transform(
            moved, lambda at: (at - (WORLD[0], WORLD[3])) / (UNIT_M, -UNIT_M)
        )
    return rows


def layer(*geometries: shapely.Geometry, name: str = "layer", **given: list[Any]) -> bytes:
    """A tile of geometries in units of the tile, with y upwards."""
    return mvt.layer(name, mvt.on_tile(np.array(geometries, object), UNITS), given)


def flipped(geometry: shapely.Geometry) -> shapely.Geometry:
    return shapely.transform(geometry, lambda at: at * (1, -1))


KINDS = {
    "point": shapely.Point(5, -7),
    "points": shapely.MultiPoint([(5, -7), (900, -10), (3, -4000)]),
    "line": shapely.LineString([(0, 0), (100, -50), (4000, -50)]),
    "lines": shapely.MultiLineString([[(0, 0), (100, -50)], [(7, -7), (2000, -9), (2000, -99)]]),
    "polygon": shapely.box(10, -500, 700, -20),
    "hole": shapely.box(10, -500, 700, -20) - shapely.box(20, -400, 300, -30),
    "polygons": shapely.union_all([shapely.box(0, -9, 9, 0), shapely.box(50, -99, 70, -20)]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_geometries_of_every_kind_come_back(kind: str, tmp_path: Path) -> None:
    (found,) = read(layer(KINDS[kind], kind=[kind]), tmp_path)

    assert shapely.equals(shapely.set_precision(found["geometry"], 1), flipped(KINDS[kind]))


def test_kinds_stand_beside_each_other_with_their_own_properties(tmp_path: Path) -> None:
    content = layer(*KINDS.values(), kind=list(KINDS), number=list(range(len(KINDS))))

    found = read(content, tmp_path)

    assert [(one["kind"], one["number"]) for one in found] == list(
        zip(KINDS, range(7), strict=True)
    )
    for one in found:
        there = shapely.set_precision(one["geometry"], 1)
        assert shapely.equals(there, flipped(KINDS[one["kind"]])), one["kind"]


def test_values_of_every_kind_come_back(tmp_path: Path) -> None:
    points = [shapely.Point(n, -n) for n in range(4)]
    told = {
        "text": ["Ö & <b>", "", None, "a" * 300],
        "whole": [0, -1, 2**40, None],
        "number": [0.5, -1e300, None, 3.0],
        "truth": [True, False, None, True],
    }

    found = read(layer(*points, **told), tmp_path)

    for name, values in told.items():
        assert [one[name] for one in found] == values


def test_what_is_nothing_on_the_tile_is_left_out_with_its_properties(tmp_path: Path) -> None:
    beyond, speck = shapely.box(9000, -9, 9009, -1), shapely.box(5.1, -5.3, 5.2, -5.2)

    content = layer(beyond, KINDS["polygon"], speck, name="layer", name_=["a", "b", "c"])

    assert [one["name_"] for one in read(content, tmp_path)] == ["b"]
    assert mvt.layer("none", np.array([None], object), {"a": [1]}) == b""


def test_layers_stand_one_after_the_other(tmp_path: Path) -> None:
    content = layer(KINDS["point"], name="a", n=[1]) + layer(KINDS["line"], name="b", n=[2])

    assert [one["n"] for name in "ab" for one in read(content, tmp_path, name)] == [1, 2]


CORNERS = st.lists(
    st.tuples(st.floats(-600, 4700), st.floats(-4700, 600)), min_size=3, max_size=12, unique=True
)


@given(CORNERS)
def test_whatever_the_outline_polygons_are_valid_and_of_whole_numbers(
    corners: list[tuple[float, float]],
) -> None:
    shape = shapely.make_valid(shapely.Polygon(corners))

    (placed,) = mvt.on_tile(np.array([shape], object), UNITS)

    if placed is None:
        reach = shapely.box(-256, -4352, 4352, 256)
        assert shapely.area(shapely.intersection(shape, reach)) < 5000
        return
    assert placed.is_valid
    points = shapely.get_coordinates(placed)
    assert (points == np.rint(points)).all()
    assert (points >= -mvt.BUFFER).all()
    assert (points <= mvt.EXTENT + mvt.BUFFER).all()


def test_a_polygon_that_rounding_would_cross_is_mended() -> None:
    needle = shapely.Polygon([(0, -0.4), (100, -0.6), (100, -50.4), (50, -0.55), (0, -50)])

    (placed,) = mvt.on_tile(np.array([needle], object), UNITS)

    assert placed.is_valid
    assert placed.area == pytest.approx(needle.area, rel=0.05)


def test_a_sliver_of_next_to_no_width_vanishes_without_a_warning() -> None:
    sliver = shapely.Polygon([(0, 0), (1, 0), (0, -2.6e-169)])

    assert mvt.on_tile(np.array([sliver], object), UNITS).tolist() == [None]
