"""Looking at a raster before anything is made of it: cheap, bounded, and by name."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import rasterio
from rasterio.windows import Window

from thalweg.domain.pixels import PixelRules
from thalweg.errors import (
    AbsurdRaster,
    UndeclaredValue,
    WrongCrs,
    WrongDtype,
    WrongGrid,
    WrongNodata,
    WrongUnit,
)
from thalweg.raster.codec import Pixels, checked_dtype, stored
from thalweg.raster.grid import Grid, grid_of, same_crs
from thalweg.raster.reading import DRIVERS, environment, opened, unreadable

_UNITS = {
    "cm": {"cm", "centimetre", "centimetres", "centimeter", "centimeters"},
    "m": {"m", "metre", "metres", "meter", "meters"},
    "mm": {"mm", "millimetre", "millimetres", "millimeter", "millimeters"},
}


@dataclass(frozen=True)
class Limits:
    """What a file may declare before its pixels are read.

    `max_expansion` is decoded bytes for each byte of the file: DEFLATE reaches 1,032, ZSTD on
    constant blocks ten times that. `max_block_bytes` bounds what decoding one block allocates.
    """

    max_pixels: int = 1 << 33
    max_decoded_bytes: int = 1 << 36
    max_block_bytes: int = 1 << 28
    max_bands: int = 4096
    max_overviews: int = 32
    max_expansion: float = 20_000.0


@dataclass(frozen=True)
class ExpectedGrid:
    """The declared grid: a CRS as `EPSG:4326` and a pixel size (x, y) in its units.

    Each is checked where it is given; sizes may differ by `tolerance`, a share of themselves.
    """

    crs: str | None = None
    pixel_size: tuple[float, float] | None = None
    tolerance: float = 1e-6


@dataclass(frozen=True)
class Sample:
    """What a spread of blocks holds: pixels, how many of them by meaning, and the valid range.

    `minimum` and `maximum` are of the pixels that are neither nodata nor special; None without any.
    """

    count: int
    minimum: float | None
    maximum: float | None
    special: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class RasterFacts:
    """What a file says about itself, and a sample of its pixels. `block` is (rows, columns)."""

    grid: Grid
    dtype: str
    nodata: float | None
    bands: int
    block: tuple[int, int]
    compression: str | None
    interleave: str | None
    unit: str | None
    sampled: Sample

    def to_json(self) -> dict[str, Any]:
        sampled = {**asdict(self.sampled), "special": dict(self.sampled.special)}
        return {
            **asdict(self),
            "grid": self.grid.to_json(),
            # JSON knows no NaN.
            "nodata": None if self.nodata is None else str(self.nodata),
            "block": list(self.block),
            "sampled": sampled,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        rows, columns = document["block"]
        sampled = document["sampled"]
        nodata = document["nodata"]
        return cls(
            **{
                **document,
                "grid": Grid.from_json(document["grid"]),
                "nodata": None if nodata is None else float(nodata),
                "block": (rows, columns),
                "sampled": Sample(**{**sampled, "special": tuple(sampled["special"].items())}),
            }
        )


def inspect(
    path: str,
    *,
    where: str,
    rules: PixelRules | None = None,
    grid: ExpectedGrid | None = None,
    drivers: Sequence[str] = DRIVERS,
    limits: Limits | None = None,
    sample_blocks: int = 9,
) -> RasterFacts:
    """The facts of a file, held against the declaration where one is given.

    Sizes are checked before any pixel is read; then the first band of at most `sample_blocks`
    blocks, spread over the raster. Raises `UnreadableRaster`, `AbsurdRaster`, `WrongCrs`,
    `WrongGrid`, `WrongDtype`, `WrongNodata`, `WrongUnit` or `UndeclaredValue`, naming `where`.
    """
    with environment(), opened(path, where=where, drivers=drivers) as dataset:
        _check_sizes(dataset, path, limits or Limits(), where)
        own = grid_of(dataset, where=where)
        if grid:
            _check_grid(own, grid, where)
        if rules:
            _check_declaration(dataset, rules, where)
        pixels = _sample(dataset, sample_blocks, where)
        return RasterFacts(
            grid=own,
            dtype=dataset.dtypes[0],
            nodata=dataset.nodata,
            bands=dataset.count,
            block=dataset.block_shapes[0],
            compression=dataset.compression.value if dataset.compression else None,
            interleave=dataset.interleaving.value if dataset.interleaving else None,
            unit=dataset.units[0] or None,
            sampled=_sort(pixels, dataset.nodata, rules, where),
        )


def _check_sizes(dataset: rasterio.DatasetReader, path: str, limits: Limits, where: str) -> None:
    pixels = dataset.width * dataset.height * dataset.count
    itemsize = max(_itemsize(name) for name in dataset.dtypes)
    rows, columns = max(dataset.block_shapes, key=math.prod)
    measures = [
        ("pixels", pixels, limits.max_pixels),
        ("bytes of pixels", pixels * itemsize, limits.max_decoded_bytes),
        ("bands", dataset.count, limits.max_bands),
        ("bytes in a block", rows * columns * itemsize, limits.max_block_bytes),
        ("overviews", len(dataset.overviews(1)), limits.max_overviews),
    ]
    if Path(path).is_file():
        length = Path(path).stat().st_size
        most = int(length * limits.max_expansion)
        measures.append((f"bytes of pixels in {length} bytes of file", pixels * itemsize, most))
    for what, found, most in measures:
        if found > most:
            raise AbsurdRaster(
                f"it declares {found} {what}, more than {most}",
                where=where,
                hint="the file is damaged or hostile; if it is neither, raise the limits",
            )


def _itemsize(name: str) -> int:
    # GDAL's complex integers have no numpy type; the largest type bounds them.
    return 16 if "complex" in name else np.dtype(name).itemsize


def _check_grid(own: Grid, expected: ExpectedGrid, where: str) -> None:
    if expected.crs and not same_crs(own.crs, expected.crs):
        raise WrongCrs(f"its CRS is {own.crs}, the declared one {expected.crs}", where=where)
    if expected.pixel_size:
        for axis, found, wanted in zip("xy", own.pixel_size, expected.pixel_size, strict=True):
            if abs(found - wanted) > expected.tolerance * abs(wanted):
                raise WrongGrid(
                    f"its pixel size along {axis} is {found!r}, the declared one {wanted!r}",
                    where=where,
                    hint="declare the size the files have, or a wider tolerance",
                )


def _check_declaration(dataset: rasterio.DatasetReader, rules: PixelRules, where: str) -> None:
    """Type, nodata tag and unit tag; a tag that is absent contradicts nothing."""
    if dataset.dtypes[0] != rules.dtype:
        raise WrongDtype(
            f"its type is {dataset.dtypes[0]}, the declared one {rules.dtype}", where=where
        )
    checked_dtype(rules.dtype, where=where)
    tag = dataset.nodata
    if tag is not None and not np.array_equal(
        tag, stored(rules.nodata, np.dtype(rules.dtype)), equal_nan=True
    ):
        raise WrongNodata(
            f"its nodata tag is {tag:g}, the declared nodata {rules.nodata:g}", where=where
        )
    unit = dataset.units[0]
    if unit and _canonical(unit) != _canonical(rules.unit):
        raise WrongUnit(f"the file says its unit is {unit}, declared is {rules.unit}", where=where)


def _canonical(unit: str) -> str:
    spelt = unit.strip().lower()
    return next((name for name, spellings in _UNITS.items() if spelt in spellings), spelt)


def _sample(dataset: rasterio.DatasetReader, most: int, where: str) -> Pixels:
    """The pixels of a spread of blocks of the first band, flat."""
    found = []
    for window in _spread(dataset, most):
        with unreadable(where):
            found.append(dataset.read(1, window=window).ravel())
    return np.concatenate(found)


def _spread(dataset: rasterio.DatasetReader, most: int) -> Iterator[Window]:
    """At most so many blocks: corners, edges and centre; of strips, rows evenly spread."""
    rows, columns = dataset.block_shapes[0]
    down, across = -(-dataset.height // rows), -(-dataset.width // columns)
    wide = min(across, max(1, math.isqrt(most)))
    high = min(down, max(1, most // wide))
    for row in _evenly(down, high):
        for column in _evenly(across, wide):
            yield Window(
                column * columns,
                row * rows,
                min(columns, dataset.width - column * columns),
                min(rows, dataset.height - row * rows),
            )


def _evenly(count: int, picks: int) -> list[int]:
    return sorted({round(x) for x in np.linspace(0, count - 1, picks)})


def _sort(pixels: Pixels, tag: float | None, rules: PixelRules | None, where: str) -> Sample:
    """The sample by meaning; with rules, whatever they do not declare is an error."""
    meanings = list(rules.meanings()) if rules else [] if tag is None else [(tag, "nodata")]
    counts: Counter[str] = Counter()
    measured = pixels
    for value, meaning in meanings:
        alike = np.isnan(measured) if value != value else measured == stored(value, pixels.dtype)
        counts[meaning] += int(alike.sum())
        measured = measured[~alike]
    if rules:
        _check_values(measured, len(pixels), counts, rules, where)
    # Without rules, NaN is no measurement either.
    finite = measured[np.isfinite(measured)]
    low, high = (finite.min().item(), finite.max().item()) if finite.size else (None, None)
    return Sample(len(pixels), low, high, tuple(counts.items()))


def _check_values(
    measured: Pixels, count: int, counts: Counter[str], rules: PixelRules, where: str
) -> None:
    lowest, most = (stored(limit, measured.dtype) for limit in (rules.minimum, rules.maximum))
    too_low = measured[~(measured >= lowest)]
    if too_low.size:
        raise _undeclared(too_low, count, counts, rules, where)
    highest = measured.max().item() if measured.size else 0
    if highest > most:
        raise WrongUnit(
            f"{int((measured > most).sum())} of {count} sampled pixels lie above "
            f"{rules.maximum:g} {rules.unit}, up to {highest:g}: they cannot be in {rules.unit}",
            where=where,
            hint="declare the unit the file is in, or a higher maximum",
        )
    positive = measured[measured > 0]
    if rules.unit == "cm" and positive.size and positive.max() < 1:
        raise WrongUnit(
            f"the deepest of {positive.size} positive samples is {positive.max().item():g}: "
            "they look like metres, not cm",
            where=where,
            hint="declare unit: m",
        )


def _undeclared(
    values: Pixels, count: int, counts: Counter[str], rules: PixelRules, where: str
) -> UndeclaredValue:
    distinct, times = np.unique(values, return_counts=True)
    value, often = distinct[times.argmax()].item(), int(times.max())
    if counts["nodata"] == 0 and often * 2 > count:
        message = (
            f"its nodata is {rules.nodata:g}, but no sampled pixel holds that, while "
            f"{often} of {count} hold {value:.10g}: the nodata tag does not match the fill"
        )
    else:
        message = f"{often} of {count} sampled pixels hold {value:.10g}, which is not declared"
    return UndeclaredValue(
        message,
        where=where,
        hint=f"declare {value:.10g} under pixels.special, with as_nodata: true if it is no data",
    )
