"""Where a grid's pixels lie on the sphere, as H3 sees it: geodetic latitudes taken as they are."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform as reproject

from thalweg.errors import WrongGrid
from thalweg.hexagons.faces import unit_vectors
from thalweg.hexagons.locating import slots_of_places
from thalweg.hexagons.sphere import AUTHALIC_RADIUS_KM
from thalweg.hexagons.walking import find_runs, runs_of_grid
from thalweg.raster.grid import Grid, same_crs

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]
type Slots = NDArray[np.int32]

_LONLAT = "EPSG:4326"
_SQUARE_MILLIMETRES_PER_KM2 = 1e12
_REPROJECTED_AT_ONCE = 1 << 18
_ROUNDING = 1e-9  # of a pixel: what bounds computed from the corner and the size may be off


class Locator:
    """The parameters of `locating`'s kernels, for one resolution and window of a grid."""

    def __init__(self, bases: Floats, boxes: NDArray[np.int64], scale: float, reach: float) -> None:
        self.bases = bases
        self.boxes = boxes
        self.scale = scale
        self.reach = reach


class Positions(Protocol):
    """Rows and columns count from the grid's upper left corner; a pixel's centre is at +0.5."""

    def degrees(self, rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
        """(longitude, latitude) of each (row, column)."""

    def unit_vectors(self, rows: Floats, cols: Floats) -> Floats:
        """(..., 3) for each (row, column), after broadcasting."""

    def samples(self, rows: Integers, cols: Integers, offsets: Floats) -> Floats:
        """(pixels, samples, 3): unit vectors at `offsets` (samples, 2) from pixels' corners."""

    def runs(self, rows: range, cols: range, locator: Locator, stops: Slots, slots: Slots) -> int:
        """Fill in the runs of pixel centres in slots, FLAGGED where uncertain: how many there are.

        A run is of one row, and `stops` are flat positions in rows x columns that runs end before.
        """

    def areas_mm2(self, rows: range, samples: int) -> NDArray[np.int64]:
        """The area that each of `samples` of a pixel stands for, by row, in whole mm2."""


def positions_of(grid: Grid) -> Positions:
    """The positions of a grid's pixels; `WrongGrid` where it reaches beyond a pole."""
    return LonLatPositions(grid) if same_crs(grid.crs, _LONLAT) else ProjectedPositions(grid)


class LonLatPositions:
    """Pixels of a grid of longitude and latitude in degrees."""

    def __init__(self, grid: Grid) -> None:
        _, south, _, north = grid.bounds
        half = grid.pixel_size[1] * (0.5 + _ROUNDING)
        if south + half < -90 or north - half > 90:
            raise WrongGrid(f"its rows reach from latitude {south:g} to {north:g}")
        self._grid = grid

    def degrees(self, rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
        a, _, c, _, e, f = self._grid.transform
        return c + a * cols, f + e * rows

    def unit_vectors(self, rows: Floats, cols: Floats) -> Floats:
        lon, lat = self.degrees(rows, cols)
        return unit_vectors(np.radians(lat), np.radians(lon))

    def samples(self, rows: Integers, cols: Integers, offsets: Floats) -> Floats:
        width, height = (math.radians(size) for size in self._grid.pixel_size)
        lon, lat = self.degrees(rows.astype(np.float64), cols.astype(np.float64))
        cos_lat, sin_lat = _turned(np.radians(lat), -height * offsets[:, 0])
        cos_lon, sin_lon = _turned(np.radians(lon), width * offsets[:, 1])
        return np.stack([cos_lat * cos_lon, cos_lat * sin_lon, sin_lat], axis=-1)

    def runs(self, rows: range, cols: range, locator: Locator, stops: Slots, slots: Slots) -> int:
        lon, lat = self.degrees(_centres(rows), _centres(cols))
        lon, lat = np.radians(lon), np.radians(lat)
        count: int = runs_of_grid(
            np.cos(lat),
            np.sin(lat),
            np.cos(lon),
            np.sin(lon),
            math.radians(self._grid.pixel_size[0]),
            locator.bases,
            locator.boxes,
            locator.scale,
            locator.reach,
            stops,
            slots,
        )
        return count

    def areas_mm2(self, rows: range, samples: int) -> NDArray[np.int64]:
        """On the authalic sphere: R2 dlon (sin(north) - sin(south)), in a form that keeps digits.

        Latitudes are taken as they are, as H3 takes them for the areas of its cells.
        """
        width, height = (math.radians(size) for size in self._grid.pixel_size)
        _, lat = self.degrees(_centres(rows), np.zeros(1))
        on_unit_sphere = width * 2 * np.cos(np.radians(lat)) * math.sin(height / 2)
        return _whole_mm2(on_unit_sphere * AUTHALIC_RADIUS_KM**2, samples)


class ProjectedPositions:
    """Pixels of a grid in any other CRS, each taken to longitude and latitude by PROJ."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._metres = CRS.from_user_input(grid.crs).linear_units_factor[1]

    def degrees(self, rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
        a, _, c, _, e, f = self._grid.transform
        lon, lat = reproject(self._grid.crs, _LONLAT, c + a * cols, f + e * rows)
        degrees = np.array(lon), np.array(lat)
        if not np.isfinite(degrees).all():
            raise WrongGrid(f"parts of it have no longitude and latitude in {self._grid.crs}")
        return degrees

    def unit_vectors(self, rows: Floats, cols: Floats) -> Floats:
        rows, cols = np.broadcast_arrays(rows, cols)
        lon, lat = self.degrees(rows.ravel(), cols.ravel())
        return unit_vectors(np.radians(lat), np.radians(lon)).reshape(*rows.shape, 3)

    def samples(self, rows: Integers, cols: Integers, offsets: Floats) -> Floats:
        return self.unit_vectors(rows[:, None] + offsets[:, 0], cols[:, None] + offsets[:, 1])

    def runs(self, rows: range, cols: range, locator: Locator, stops: Slots, slots: Slots) -> int:
        places = np.empty((len(rows), len(cols)), np.int32)
        at_once = max(1, _REPROJECTED_AT_ONCE // len(cols))
        for first in range(0, len(rows), at_once):
            some = _centres(rows[first : first + at_once])
            lon, lat = self.degrees(np.repeat(some, len(cols)), np.tile(_centres(cols), len(some)))
            slots_of_places(
                np.radians(lat),
                np.radians(lon),
                locator.bases,
                locator.boxes,
                locator.scale,
                locator.reach,
                places[first : first + at_once].reshape(-1),
            )
        count: int = find_runs(places, stops, slots)
        return count

    def areas_mm2(self, rows: range, samples: int) -> NDArray[np.int64]:
        """In the plane of the projection: right where that keeps areas, nearly so in UTM."""
        width, height = self._grid.pixel_size
        km2 = width * height * self._metres**2 / 1e6
        return _whole_mm2(np.full(len(rows), km2), samples)


def _turned(angles: Floats, turns: Floats) -> tuple[Floats, Floats]:
    """(cosines, sines) [angles, turns] of the sums, by the theorem of addition."""
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    by_cosine, by_sine = np.cos(turns), np.sin(turns)
    return cosine * by_cosine - sine * by_sine, sine * by_cosine + cosine * by_sine


def _centres(pixels: range) -> Floats:
    return np.arange(pixels.start, pixels.stop, dtype=np.float64) + 0.5


def _whole_mm2(km2: Floats, samples: int) -> NDArray[np.int64]:
    mm2 = np.rint(km2 * (_SQUARE_MILLIMETRES_PER_KM2 / samples))
    return mm2.astype(np.int64)
