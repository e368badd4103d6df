from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from hexagon_floods import NODATA, RULES, SIZE, WATER, floods, grid_of, measured, valleys, write

from thalweg.hexagons.cells import cell_polygons
from thalweg.hexagons.exact import polygon_statistics
from thalweg.hexagons.measures import Rule


def test_parts_of_pixels_count_by_their_share(tmp_path: Path) -> None:
    pixels = np.array([[[10, 20, NODATA], [30, 0, WATER]]], np.int16)
    path = write(tmp_path / "flood.tif", pixels, grid_of(pixels, 29.0, -1.0))
    box = shapely.box(29.0 + SIZE / 2, -1 - 2 * SIZE, 29 + 3 * SIZE, -1)
    found = polygon_statistics(path, [box, shapely.box(0, 0, 1, 1)], rules=RULES)
    assert found["valid"] == pytest.approx(np.array([[3.0], [0.0]]))
    assert found["total"] == pytest.approx(np.array([[5 + 20 + 15], [0.0]]))
    assert found["maximum"][0, 0] == 30
    assert found["minimum"][0, 0] == 0
    assert found["wet_share"][0, 0] == pytest.approx(2 / 3)
    assert np.isnan(found["mean"][1, 0])


@pytest.mark.parametrize(("resolution", "median", "p95"), [(6, 0.0005, 0.003), (7, 0.0005, 0.006)])
def test_the_rule_area_agrees_with_exact_shares(
    tmp_path: Path, resolution: int, median: float, p95: float
) -> None:
    """Cells that lie within the raster, with pixels of one arc-second, as real floods have."""
    pixels = valleys(1, 1400, 1400)
    grid = grid_of(pixels, size=1 / 3600)
    path = write(tmp_path / "flood.tif", pixels, grid, compress="deflate")
    ours = measured(pixels, resolution, grid=grid, rule=Rule.AREA)
    polygons = cell_polygons(ours.cells)
    inside = shapely.contains(shapely.box(*grid.bounds), polygons)
    exact = polygon_statistics(path, list(polygons[inside]), rules=RULES)
    wet = exact["mean"][:, 0] > 0
    assert wet.sum() >= (20 if resolution == 6 else 100)
    off = np.abs(ours.mean[inside, 0][wet] / exact["mean"][wet, 0] - 1)
    assert np.median(off) <= median
    assert np.percentile(off, 95) <= p95
    assert ours.valid[inside, 0] == pytest.approx(exact["valid"][:, 0], rel=2e-3)


def test_centres_and_shares_have_the_same_total() -> None:
    pixels = floods(height=200, width=200)
    centre, area = measured(pixels, 7), measured(pixels, 7, rule=Rule.AREA)
    assert centre.total.sum() == area.total.sum()
    assert not np.array_equal(centre.total[: len(area.total)], area.total)
