"""What Thalweg writes, before GDAL's own validator; and that validator before worse files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from gdal_validator import gdal_faults
from raster_files import RULES, depths, make_tile, source, write

from thalweg.raster.layout import Layout
from thalweg.raster.mosaic import mosaic
from thalweg.raster.stack import stack


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("side", [90, 400, 1300])
def test_a_stack_is_valid(tmp_path: Path, layout: Layout, side: int) -> None:
    sources = [
        source(write(tmp_path / f"{period}.tif", depths(side, side + 7)), f"1in{period}")
        for period in (5, 10, 100)
    ]
    stack(sources, tmp_path / "stack.tif", rules=RULES, layout=layout)
    assert gdal_faults(tmp_path / "stack.tif") == []


@pytest.mark.parametrize("method", ["splice", "stream"])
def test_a_mosaic_with_a_tile_absent_is_valid(tmp_path: Path, method: str) -> None:
    places = [(0, 0), (0, 1200), (1200, 1200)]
    tiles = [
        make_tile(tmp_path, str(number), [depths(1200, 1200, number)] * 2, row=row, col=col)
        for number, (row, col) in enumerate(places)
    ]
    mosaic(tiles, tmp_path / "mosaic.tif", rules=RULES.made(), method=method)
    assert gdal_faults(tmp_path / "mosaic.tif") == []


def test_the_validator_finds_fault_with_overviews_added_in_place(tmp_path: Path) -> None:
    """What the first system called a COG."""
    path = tmp_path / "not.tif"
    profile = {"driver": "GTiff", "dtype": "int16", "count": 1, "width": 1024, "height": 1024}
    grid = {"transform": rasterio.Affine(0.1, 0, 20, 0, -0.1, 10), "crs": "EPSG:4326"}
    with rasterio.open(path, "w", tiled=True, **profile, **grid) as dataset:
        dataset.write(np.zeros((1, 1024, 1024), np.int16))
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4])
    assert any("overview" in fault for fault in gdal_faults(path))
