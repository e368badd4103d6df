"""A small flood raster, buildings on it, and what they come to by rasterio and shapely alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import rasterio
import shapely
from rasterio.features import rasterize
from rasterio.transform import from_origin

from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.exposure.ellipsoid import area_m2
from thalweg.exposure.order import keys, tile_name, tiles_of
from thalweg.exposure.table import BUILDINGS, write_buildings

NODATA, WATER = -32768, -32767
RULES = PixelRules("int16", "cm", NODATA, 0, 3000, (SpecialValue(WATER, "permanent_water"),))
PIXEL = 1 / 40
SIZE = 80


def flood(seed: int = 1, bands: int = 3, size: int = SIZE) -> np.ndarray:
    """Depths [bands, rows, columns] in cm that deepen with the band, with both special values."""
    random = np.random.default_rng(seed)
    ground = random.integers(-150, 100, (size, size))
    pixels = np.stack([np.maximum(ground + 60 * band, 0) for band in range(bands)])
    pixels[:, random.random((size, size)) < 0.15] = NODATA
    pixels[:, random.random((size, size)) < 0.15] = WATER
    return pixels.astype(np.int16)


def write_raster(
    path: Path, pixels: np.ndarray, west: float = 28.0, north: float = 0.0, **more: Any
) -> Path:
    profile = {"crs": "EPSG:4326", "nodata": NODATA, "tiled": True, "compress": "deflate", **more}
    profile = {"blockxsize": 32, "blockysize": 16, "predictor": 2, "interleave": "band", **profile}
    bands, height, width = pixels.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=bands,
        height=height,
        width=width,
        dtype=pixels.dtype,
        transform=from_origin(west, north, PIXEL, PIXEL),
        **profile,
    ) as dataset:
        dataset.write(pixels)
    return path


def write_table(
    path: Path, geometries: Sequence[shapely.Geometry], countries: Iterable[str | None] = ()
) -> np.ndarray:
    """A table of buildings in its order; gives the geometries in that order."""
    shapes = np.array(geometries, object)
    centres = shapely.get_coordinates(shapely.centroid(shapes))
    order = np.argsort(keys(*centres.T), kind="stable")
    shapes, centres = shapes[order], centres[order]
    codes = np.array(list(countries) or [None] * len(shapes), object)[order]
    areas = area_m2(shapes)
    west, south, east, north = shapely.bounds(shapes).T
    tiles = [tile_name(int(tile)) for tile in tiles_of(keys(*centres.T))]
    box = BUILDINGS.field("bbox").type
    table = pa.Table.from_arrays(
        [
            pa.array([str(n) for n in range(len(shapes))]),
            pa.array(centres[:, 0]),
            pa.array(centres[:, 1]),
            pa.array(areas, mask=shapely.get_dimensions(shapes) < 2),
            pa.nulls(len(shapes), pa.float32()),
            pa.nulls(len(shapes), pa.float32()),
            pa.array(["test"] * len(shapes)),
            pa.array(np.zeros(len(shapes), np.uint64)),
            pa.array(codes.tolist(), pa.string()),
            pa.array(tiles),
            pa.array(shapely.to_wkb(shapes)),
            pa.StructArray.from_arrays(
                [pa.array(one) for one in (west, south, east, north)], fields=list(box)
            ),
        ],
        schema=BUILDINGS,
    )
    write_buildings([table], path)
    return shapes


def buildings(count: int, seed: int = 2, side: float = PIXEL) -> list[shapely.Geometry]:
    """Footprints, many-cornered, with holes, and points, some of them off the raster."""
    random = np.random.default_rng(seed)
    found: list[shapely.Geometry] = []
    for number, (lon, lat) in enumerate(random.uniform((27.9, -2.1), (30.1, 0.1), (count, 2))):
        angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 9)))
        if number % 5 == 0 or np.diff(angles, append=angles[0] + 2 * np.pi).max() > 3:
            found.append(shapely.Point(lon, lat))
            continue
        radius = side * random.uniform(0.05, 2)
        ring = np.column_stack([lon + radius * np.cos(angles), lat + radius * np.sin(angles)])
        footprint = shapely.Polygon(ring)
        if number % 3 == 0:
            hole = shapely.affinity.scale(footprint, 0.5, 0.5)
            footprint = footprint.difference(hole)
        found.append(footprint)
    return found


@cache
def pixels_of(shape: shapely.Geometry, rule: str, size: int = SIZE) -> tuple[tuple[int, int], ...]:
    """(row, column) of a building's pixels on the raster, by rasterio or shapely, with a margin."""
    margin = 60
    transform = from_origin(28.0 - margin * PIXEL, margin * PIXEL, PIXEL, PIXEL)
    held = np.zeros((size + 2 * margin,) * 2, np.uint8)
    if rule in ("max", "mean") and shape.geom_type != "Point":
        held = rasterize([shape], held.shape, transform=transform, dtype=np.uint8)
    elif rule == "any" and shape.geom_type != "Point":
        low, high = ~transform @ shape.bounds[::3], ~transform @ shape.bounds[2:0:-1]
        for row in range(int(low[1]), int(high[1]) + 1):
            for col in range(int(low[0]), int(high[0]) + 1):
                box = shapely.box(*(transform @ (col, row)), *(transform @ (col + 1, row + 1)))
                held[row, col] = shape.intersection(box).area > 1e-6 * box.area
    found = [(int(r) - margin, int(c) - margin) for r, c in np.argwhere(held)]
    if not found:
        col, row = ~transform @ (shape.centroid.x, shape.centroid.y)
        found = [(int(np.floor(row)) - margin, int(np.floor(col)) - margin)]
    return tuple((r, c) for r, c in found if 0 <= r < size and 0 <= c < size)


def brute(pixels: np.ndarray, shape: shapely.Geometry, rule: str) -> tuple[str, float]:
    """The state and the depth of a building in one band [rows, columns]."""
    values = [int(pixels[place]) for place in pixels_of(shape, rule, pixels.shape[0])]
    known = [value for value in values if value >= 0]
    if known:
        return "measured", float(np.mean(known)) if rule == "mean" else float(max(known))
    if not values:
        return "outside", 0.0
    return ("permanent_water" if WATER in values else "unknown"), 0.0
