from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import shapely
from building_files import house

from thalweg.exposure.cleaning import CLEAN, Wanted, clean
from thalweg.exposure.duplicates import schema_with_marks, with_ghosts, without_duplicates
from thalweg.exposure.order import BLOCK_DEGREES
from thalweg.exposure.readers.reading import Columns, SourceFile, read_batch
from thalweg.exposure.sorting import ExternalSort


def kept(tmp_path, *sources, distance_m: float = 0.0, run_bytes: int = 1 << 20) -> dict:
    """The ids of what is kept, `source/place`, and how many were dropped."""
    sort = ExternalSort(schema_with_marks(CLEAN), tmp_path, run_bytes)
    for rank, geometries in enumerate(sources):
        file = SourceFile(tmp_path, f"s{rank}", f"s{rank}", Columns())
        wkb = pa.array(shapely.to_wkb(list(geometries)), pa.binary())
        batch = read_batch(file, wkb, np.arange(len(wkb)), {})
        buildings = clean(batch, file, Wanted()).buildings
        sort.add(with_ghosts(buildings, rank, distance_m, rank == len(sources) - 1))
    tables, dropped = [], 0
    for table, count in without_duplicates(sort.batches(), distance_m):
        tables.append(table)
        dropped += count
    ids = [name for table in tables for name in table["id"].to_pylist()]
    assert len(ids) == len(set(ids))
    assert len(ids) + dropped == sum(map(len, sources))
    return {"ids": sorted(ids), "dropped": dropped}


def test_a_centroid_in_an_earlier_footprint_is_a_duplicate(tmp_path) -> None:
    first = [house(30.03, -2.03, 2e-4)]
    second = [house(30.03005, -2.03, 1e-4), house(30.04, -2.03), house(30.0303, -2.03, 4e-4)]
    # The third overlaps, but its centroid lies outside.
    assert kept(tmp_path, first, second)["ids"] == ["s0#0", "s1#1", "s1#2"]


def test_the_order_of_sources_is_their_priority(tmp_path) -> None:
    large, small = [house(30.03, -2.03, 4e-4)], [house(30.0301, -2.03, 1e-4)]
    assert kept(tmp_path, large, small)["dropped"] == 1
    # The centroid of the large one does not lie in the small one.
    assert kept(tmp_path, small, large)["dropped"] == 0


def test_buildings_of_one_source_are_never_compared(tmp_path) -> None:
    twins = [house(30.03, -2.03)] * 3
    assert kept(tmp_path, twins, [house(31.03, -2.03)], distance_m=10)["dropped"] == 0


def test_points_are_compared_by_distance_in_metres_at_any_latitude(tmp_path) -> None:
    for latitude in (0.03, -2.03, 60.03, -80.03):
        metre = 1 / 111_195
        across = metre / np.cos(np.radians(latitude))
        first = [shapely.Point(30.03, latitude)]
        second = [
            shapely.Point(30.03 + 4.9 * across, latitude),
            shapely.Point(30.03 + 5.1 * across, latitude),
            shapely.Point(30.03, latitude + 4.9 * metre),
            shapely.Point(30.03, latitude + 5.1 * metre),
        ]
        assert kept(tmp_path, first, second, distance_m=5)["ids"] == ["s0#0", "s1#1", "s1#3"]


def test_a_third_source_is_held_against_both_others_kept_or_not(tmp_path) -> None:
    chain = [[shapely.Point(30.03 + step * 4e-5, -2.03)] for step in range(3)]  # 4.4 m apart
    assert kept(tmp_path, *chain, distance_m=5) == {"ids": ["s0#0"], "dropped": 2}


@pytest.mark.parametrize("corner", [(30.0, -2.0), (30 + BLOCK_DEGREES, -2 + BLOCK_DEGREES)])
@pytest.mark.parametrize("swap", [False, True])
def test_duplicates_over_the_edges_of_blocks_and_tiles_are_found(tmp_path, corner, swap) -> None:
    x, y = corner
    around = [(dx, dy) for dx in (-1e-5, 1e-5) for dy in (-1e-5, 1e-5)]
    for (dx, dy), (ex, ey) in ((one, other) for one in around for other in around):
        pair = [shapely.Point(x + dx, y + dy)], [shapely.Point(x + ex, y + ey)]
        sources = pair[::-1] if swap else pair
        assert kept(tmp_path, *sources, distance_m=4)["dropped"] == 1
        footprint = [house(x + dx, y + dy, 1e-4)], [house(x + ex, y + ey, 1e-4)]
        assert kept(tmp_path, *footprint)["dropped"] == 1


def test_a_footprint_of_many_blocks_is_found_in_all_of_them(tmp_path) -> None:
    airport = [shapely.box(30.01, -2.4, 30.4, -2.01)]
    sheds = [house(30.02 + i * 0.0123, -2.39 + i * 0.0119) for i in range(30)]
    assert kept(tmp_path, airport, sheds)["dropped"] == 30


def test_it_equals_comparing_every_pair_however_the_runs_are_cut(tmp_path) -> None:
    random = np.random.default_rng(3)
    sources = []
    for _ in range(3):
        places = random.uniform((29.99, -2.01), (30.01, -1.99), (250, 2))
        sides = random.uniform(1e-5, 1e-3, 250)
        sources.append([house(*p, s) for p, s in zip(places, sides, strict=True)])
    metres = np.array([111_194.93 * np.cos(np.radians(2)), 111_194.93])
    centres = [shapely.get_coordinates(shapely.centroid(one)) for one in sources]
    expected = []
    for rank, geometries in enumerate(sources):
        for place in range(len(geometries)):
            centre = centres[rank][place]
            near = [
                shapely.intersects_xy(sources[other], *centre).any()
                or (np.hypot(*((centres[other] - centre) * metres).T) <= 20).any()
                for other in range(rank)
            ]
            if not any(near):
                expected.append(f"s{rank}#{place}")
    assert 300 < len(expected) < 740
    for run_bytes in (1, 1 << 30):
        found = kept(tmp_path, *sources, distance_m=20, run_bytes=run_bytes)
        assert found["ids"] == sorted(expected)
