"""A raster of the catalogue, as far as reading and showing it needs to know."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from thalweg.catalog.ledger import Document
from thalweg.catalog.stac import COG_MEDIA_TYPE, DATA_ASSET, PREFIX
from thalweg.errors import InvalidRequest, NoRaster, StorageError, UnknownCoordinate
from thalweg.storage.zones import Zone

RETURN_PERIOD = f"{PREFIX}return_period"
_SHA256_MULTIHASH = "1220"


@dataclass(frozen=True)
class Raster:
    """The file of an item's asset.

    `path` is what GDAL opens, in one of the workspace's zones. `bands` are as the item tells them,
    in the order of the file; `special` are the meanings of values that are no measurement.
    `checksum` is the file's SHA-256 in hexadecimal, or empty. `most_pixels` is how much of it one
    request may read, all bands together.
    """

    collection: str
    item: str
    path: str
    bbox: tuple[float, ...]
    bands: tuple[Mapping[str, Any], ...]
    special: Mapping[int, str]
    checksum: str
    properties: Mapping[str, Any]
    most_pixels: int

    def chosen(
        self, bidx: Sequence[int] | None = None, return_periods: Sequence[float] | None = None
    ) -> tuple[int, ...]:
        """The numbers of bands, from 1: by number, by return period, or all of them.

        Raises `InvalidRequest` and `UnknownCoordinate`, which name those that there are.
        """
        if bidx and return_periods:
            raise InvalidRequest("bidx and return_period exclude each other")
        if return_periods:
            return tuple(self._of_period(one) for one in return_periods)
        every = range(1, len(self.bands) + 1)
        for one in bidx or ():
            if one not in every:
                raise InvalidRequest(f"there is no band {one}", hint=f"there are {self.told()}")
        return tuple(bidx or every)

    def periods(self) -> dict[float, int]:
        """The bands' numbers by return period in years; empty where they stand for none."""
        return {
            band[RETURN_PERIOD]: number
            for number, band in enumerate(self.bands, 1)
            if RETURN_PERIOD in band
        }

    def told(self) -> str:
        """The bands, for an error's hint."""
        return ", ".join(f"{n} ({band['name']})" for n, band in enumerate(self.bands, 1))

    def _of_period(self, wanted: float) -> int:
        periods = self.periods()
        if wanted not in periods:
            raise UnknownCoordinate(
                f"no band has the return period {wanted:g}",
                hint=f"there are {', '.join(f'{one:g}' for one in periods)}"
                if periods
                else f"its bands stand for no return periods: {self.told()}",
            )
        return periods[wanted]


def raster_of(
    item: Document, zones: Iterable[Zone], most_pixels: int, asset: str = DATA_ASSET
) -> Raster:
    """The raster of an item; raises `NoRaster` where it has none that lies in a zone."""
    where = f"{item['collection']}/{item['id']}"
    held = item["assets"].get(asset)
    if held is None or not held.get("type", "").startswith(COG_MEDIA_TYPE.partition(";")[0]):
        there = [name for name, one in item["assets"].items() if "tiff" in one.get("type", "")]
        raise NoRaster(
            f"the item {where!r} has no raster {asset!r}",
            hint=f"it has {', '.join(there)}" if there else "see its assets under /stac",
        )
    bands = held.get("bands") or [{"name": "b1"}]
    return Raster(
        item["collection"],
        item["id"],
        _located(held["href"], zones, where),
        tuple(item["bbox"]),
        tuple(bands),
        {one["value"]: one["name"] for one in held.get("classification:classes", ())},
        held.get("file:checksum", "").removeprefix(_SHA256_MULTIHASH),
        item["properties"],
        most_pixels,
    )


def scaled(band: Mapping[str, Any], value: float) -> float:
    """A value of the file in the band's unit."""
    return float(value * band.get("raster:scale", 1) + band.get("raster:offset", 0))


def nodata(band: Mapping[str, Any]) -> float:
    """The value that stands for no data; NaN where none does."""
    return float(band.get("nodata", math.nan))


def _located(href: str, zones: Iterable[Zone], where: str) -> str:
    """What GDAL opens, for an href that lies in a zone: nothing else is ever opened."""
    parts = urlsplit(href)
    place = unquote(parts.path) if parts.scheme == "file" else href
    for zone in zones:
        root = (str(zone.folder) if zone.folder else zone.url).rstrip("/") + "/"
        if place.startswith(root):
            try:
                return zone.gdal_path(place.removeprefix(root))
            except StorageError:
                break
    raise NoRaster(
        f"the file of {where!r} is in none of the workspace's zones",
        hint="only files of the workspace's own zones are read",
    )
