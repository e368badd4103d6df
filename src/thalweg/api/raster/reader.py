"""Reading a raster of the catalogue with rio-tiler, within limits, and several as one mosaic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import attr
import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.features import geometry_mask
from rasterio.warp import transform, transform_bounds, transform_geom
from rio_tiler.constants import WGS84_CRS
from rio_tiler.errors import PointOutsideBounds, TileOutsideBounds
from rio_tiler.io import Reader
from rio_tiler.models import ImageData, PointData
from rio_tiler.mosaic.backend import BaseBackend

from thalweg.api.raster.source import Raster
from thalweg.api.services import Services
from thalweg.catalog.arrays import pixel_at
from thalweg.errors import AssetUnavailable, InvalidRequest, OutsideData, RequestTooLarge

RASTER, SPECIAL = "raster", "special"
_DRIVER = "GTiff"
_NUDGE = 1e-6
_THREADS = 4
_CACHE_BYTES = 64 << 20
# All others make new values of several: of depths and of what stands for permanent water.
_KEEPING = {"nearest", "mode"}

type Box = tuple[float, float, float, float]


def gdal_environment(services: Services) -> dict[str, Any]:
    """GDAL's settings for reading: no file but the one that is named, and a cache that is kept
    small, for all threads together."""
    zones = [services.workspace.zone(name) for name in services.workspace.zone_urls]
    return {
        "GDAL_CACHEMAX": _CACHE_BYTES,
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_INGESTED_BYTES_AT_OPEN": 32768,
        "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
        "GDAL_HTTP_MULTIPLEX": "YES",
        "GDAL_NUM_THREADS": "1",
        "GDAL_PAM_ENABLED": "NO",
        "VSI_CACHE": "TRUE",
        "VSI_CACHE_SIZE": 5 << 20,
        **{name: value for zone in zones for name, value in zone.gdal_environment().items()},
    }


@contextmanager
def opened(services: Services, raster: Raster) -> Iterator[CatalogReader]:
    """A raster to read from; raises `AssetUnavailable`."""
    with rasterio.Env(**gdal_environment(services)), CatalogReader(raster) as reader:
        yield reader


class CatalogReader(Reader):  # type: ignore[misc]
    """rio-tiler's reader of a `Raster`: its `input` is one, and never an address.

    Special values are masked, and where they were is the image's metadata `special`. Bands may be
    chosen by `return_periods`. Raises `OutsideData`, `RequestTooLarge` and `AssetUnavailable`.
    """

    input: Raster

    def __attrs_post_init__(self) -> None:
        try:
            opened = rasterio.open(self.input.path, driver=_DRIVER)
        except RasterioError as error:
            raise AssetUnavailable(
                f"the file of {self.input.item!r} cannot be read", hint="try again later"
            ) from error
        self.dataset = self._ctx_stack.enter_context(opened)
        super().__attrs_post_init__()

    def tile(self, tile_x: int, tile_y: int, tile_z: int, **given: Any) -> ImageData:
        try:
            return super().tile(tile_x, tile_y, tile_z, **given)
        except TileOutsideBounds as error:
            raise self.outside(f"tile {tile_z}/{tile_x}/{tile_y}") from error

    def part(
        self,
        bbox: Box,
        dst_crs: CRS | None = None,
        bounds_crs: CRS = WGS84_CRS,
        indexes: Sequence[int] | None = None,
        return_periods: Sequence[float] | None = None,
        **given: Any,
    ) -> ImageData:
        bands = self.input.chosen(indexes, return_periods)
        box = self._box(bbox, bounds_crs)
        size = (box[2] - box[0]) / self.dataset.res[0], (box[3] - box[1]) / self.dataset.res[1]
        self._check(size, len(bands), given)
        return self._noted(
            super().part(bbox, dst_crs=dst_crs, bounds_crs=bounds_crs, indexes=bands, **given)
        )

    def snapped(self, bbox: Box, crs: CRS) -> Box:
        """The box around the pixels that share area with a box, in the raster's CRS."""
        left, bottom, right, top = self._box(bbox, crs)
        grid = self.dataset.transform
        first, last = pixel_at((left - grid.c) / grid.a), -pixel_at((grid.c - right) / grid.a)
        above, below = pixel_at((top - grid.f) / grid.e), -pixel_at((grid.f - bottom) / grid.e)
        (west, north), (east, south) = grid @ (first, above), grid @ (last, below)
        return west, south, east, north

    def feature(self, shape: dict[str, Any], **given: Any) -> ImageData:
        return _cut(super().feature(shape, **given), shape, given)

    def read(
        self,
        indexes: Sequence[int] | None = None,
        return_periods: Sequence[float] | None = None,
        **given: Any,
    ) -> ImageData:
        bands = self.input.chosen(indexes, return_periods)
        self._check((self.dataset.width, self.dataset.height), len(bands), given)
        return self._noted(super().read(indexes=bands, **given))

    def point(
        self,
        lon: float,
        lat: float,
        coord_crs: CRS = WGS84_CRS,
        indexes: Sequence[int] | None = None,
        return_periods: Sequence[float] | None = None,
        **given: Any,
    ) -> PointData:
        bands = self.input.chosen(indexes, return_periods)
        x, y = (lon, lat) if coord_crs == self.crs else _moved(lon, lat, coord_crs, self.crs)
        left, bottom, right, top = self.bounds
        if not (left <= x < right and bottom < y <= top):
            raise self.outside(f"the point {lon:g}, {lat:g}")
        self._check((1, 1), len(bands), given)
        # A pixel holds its left and upper edges, but rio-tiler takes those of the file for outside.
        across, down = (one * _NUDGE for one in self.dataset.res)
        x, y = max(x, left + across), min(y, top - down)
        found = super().point(x, y, coord_crs=self.crs, indexes=bands, **given)
        return self._noted(found)

    def outside(self, what: str) -> Exception:
        """The error for a place that the raster does not cover."""
        extent = ", ".join(f"{one:g}" for one in self.input.bbox)
        return OutsideData(f"{what} is outside {self.input.item!r}", hint=f"its bbox is {extent}")

    def _box(self, bbox: Box, crs: CRS) -> Box:
        """The box in the raster's CRS."""
        box: Box = bbox if crs == self.crs else transform_bounds(crs, self.crs, *bbox)
        left, bottom, right, top = self.bounds
        if not (box[0] < right and box[2] > left and box[1] < top and box[3] > bottom):
            raise self.outside("the box")
        return box

    def _check(self, size: tuple[float, float], bands: int, given: dict[str, Any]) -> None:
        """Refuses what is too much to read, and what would mix special values with others."""
        width, height = _output_size(size, given)
        pixels = math.ceil(width) * math.ceil(height) * bands
        if pixels > self.input.most_pixels:
            raise RequestTooLarge(
                f"{width:.0f} x {height:.0f} pixels of {bands} bands are more than the "
                f"{self.input.most_pixels} that one request reads",
                hint="ask for a smaller place or fewer bands, or give width and height, or "
                "max_size where the path takes it",
            )
        for name in ("resampling_method", "reproject_method"):
            if self.input.special and given.get(name, "nearest") not in _KEEPING:
                raise InvalidRequest(
                    f"{given[name]} resampling would mix depths with "
                    f"{', '.join(self.input.special.values())}",
                    hint=f"use {' or '.join(sorted(_KEEPING))}",
                )

    def _noted[D: (ImageData, PointData)](self, found: D) -> D:
        found.metadata = {**(found.metadata or {}), RASTER: self.input}
        numbers = [int(name.removeprefix("b")) for name in found.band_names]
        found.band_descriptions = [self.input.bands[n - 1]["name"] for n in numbers]
        return self._without_special(found)

    def _without_special[D: (ImageData, PointData)](self, found: D) -> D:
        return without_special(found)


class _Member(CatalogReader):
    """One raster of a mosaic: it may lie beside the place, and keeps special values, since what is
    masked would be filled from another raster."""

    def outside(self, what: str) -> Exception:
        beside: Exception = (PointOutsideBounds if "point" in what else TileOutsideBounds)(what)
        return beside

    def _without_special[D: (ImageData, PointData)](self, found: D) -> D:
        return found


def without_special[D: (ImageData, PointData)](found: D) -> D:
    """Masks the special values, and notes in the metadata where they were, by band."""
    raster: Raster = found.metadata[RASTER]
    if raster.special:
        held = [found.array.data == value for value in raster.special]
        special = np.logical_or.reduce(held) & ~np.ma.getmaskarray(found.array)
        found.metadata[SPECIAL] = np.where(special, found.array.data, 0) if special.any() else None
        found.array = np.ma.MaskedArray(
            found.array.data, mask=np.ma.getmaskarray(found.array) | special
        )
    return found


@dataclass(frozen=True)
class Mosaic:
    """Rasters as one; the first that has data at a place counts there."""

    name: str
    rasters: tuple[Raster, ...]


@attr.s
class MosaicBackend(BaseBackend):  # type: ignore[misc]
    """rio-tiler's backend of a `Mosaic`, whose rasters were found for the place that is read."""

    input: Mosaic

    def __attrs_post_init__(self) -> None:
        self.reader = _Member
        boxes = [one.bbox for one in self.input.rasters]
        wests, souths, easts, norths = zip(*boxes, strict=True)
        self.bounds = (min(wests), min(souths), max(easts), max(norths))
        self.crs = WGS84_CRS
        self.height = self.width = None

    @property
    def minzoom(self) -> int:
        return self._zooms()[0]

    @property
    def maxzoom(self) -> int:
        return self._zooms()[1]

    def _zooms(self) -> tuple[int, int]:
        with CatalogReader(self.input.rasters[0], tms=self.tms) as reader:
            return reader.minzoom, reader.maxzoom

    def assets_for_tile(self, *_: Any, **__: Any) -> list[Raster]:
        return list(self.input.rasters)

    assets_for_point = assets_for_bbox = assets_for_tile

    def asset_name(self, asset: Raster) -> str:
        return f"{asset.collection}/{asset.item}"

    def point(self, lon: float, lat: float, **given: Any) -> list[tuple[str, PointData]]:
        found = super().point(lon, lat, **given)
        return [(name, without_special(one)) for name, one in found]

    def tile(self, x: int, y: int, z: int, **given: Any) -> tuple[ImageData, list[str]]:
        return self._noted(*super().tile(x, y, z, **self._by_few(given)))

    def part(self, bbox: Box, **given: Any) -> tuple[ImageData, list[str]]:
        return self._noted(*super().part(bbox, **self._by_few(given)))

    def feature(self, shape: dict[str, Any], **given: Any) -> tuple[ImageData, list[str]]:
        image, names = super().feature(shape, **given)
        return _cut(image, shape, given), names

    def _by_few(self, given: dict[str, Any]) -> dict[str, Any]:
        """A thread for each raster, up to a few; for one raster, none."""
        return {**given, "threads": min(len(self.input.rasters), _THREADS)}

    def _noted(self, image: ImageData, names: list[str]) -> tuple[ImageData, list[str]]:
        image.metadata = {**(image.metadata or {}), RASTER: self.input.rasters[0]}
        return without_special(image), names


def _cut(image: ImageData, shape: dict[str, Any], given: dict[str, Any]) -> ImageData:
    """Leaves special values within the shape only, as rio-tiler does all others."""
    special = image.metadata.get(SPECIAL)
    if special is not None:
        geometry = shape.get("geometry", shape)
        moved = transform_geom(given.get("shape_crs") or WGS84_CRS, image.crs, geometry)
        size = (image.height, image.width)
        inside = geometry_mask([moved], size, image.transform, all_touched=True, invert=True)
        image.metadata[SPECIAL] = np.where(inside, special, 0)
    return image


def _output_size(size: tuple[float, float], given: dict[str, Any]) -> tuple[float, float]:
    """Width and height of what is read, for a place of that size in the raster's own pixels."""
    width: float | None = given.get("width")
    height: float | None = given.get("height")
    if width or height:
        ratio = size[0] / size[1]
        width, height = width or (height or 0) * ratio, height or (width or 0) / ratio
    else:
        shrink = min(1.0, (given.get("max_size") or math.inf) / max(size))
        width, height = size[0] * shrink, size[1] * shrink
    around = 2 * ((given.get("buffer") or 0) + (given.get("padding") or 0))
    return width + around, height + around


def _moved(x: float, y: float, crs: CRS, to: CRS) -> tuple[float, float]:
    (moved_x,), (moved_y,) = transform(crs, to, [x], [y])
    return moved_x, moved_y
