"""Verification: is a file what was made, and is it a COG?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xxhash
from rio_cogeo.cogeo import cog_validate

from thalweg.errors import RasterError, VerificationFailed
from thalweg.raster.codec import Pixels
from thalweg.raster.copies import copied_windows
from thalweg.raster.grid import TOLERANCE, Grid, grid_of
from thalweg.raster.layout import Layout
from thalweg.raster.made import Made, Rectangle, gaps_between
from thalweg.raster.pyramid import strip_rows
from thalweg.raster.reading import (
    GdalReader,
    RowReader,
    environment,
    opened,
    row_reader,
    unreadable,
)
from thalweg.raster.structure import structure_faults


def verify(
    path: Path, made: Made, *, tiles: Sequence[Path] | None = None, threads: int = 1
) -> None:
    """Raise `VerificationFailed`, with every disagreement, unless the file is what was made.

    The layout is checked by rio-cogeo without a warning and, where it is canonical, block by block;
    then the grid, type, nodata and band metadata; then the checksum of every band and window. One
    band of each window is decoded by GDAL, which had no part in encoding it, and so are the
    overviews; the other bands by `row_reader`. Memory does not grow with the file.

    `tiles` are the files that the windows were made from, in their order, verified in their turn.
    Of a window whose every block holds the very bytes of its tile's, only GDAL's band is decoded,
    to see that it finds the blocks where they ought to be; the others are the tile's by bytes.
    """
    where = str(path)
    try:
        with environment(threads):
            faults = [*_faults(path, made, tuple(tiles or ()))]
    except RasterError as error:
        raise VerificationFailed(error.message, where=where) from error
    if faults:
        raise VerificationFailed("; ".join(faults), where=where, hint="make it once more")


def _faults(path: Path, made: Made, tiles: tuple[Path, ...]) -> Iterator[str]:
    with opened(str(path), where=str(path)) as dataset:
        yield from _layout_faults(path, made)
        metadata = [*_metadata_faults(dataset, made)]
        yield from metadata
        # Pixels of another shape or type have nothing to be compared with.
        if not metadata:
            copied = copied_windows(path, made.windows, tiles) if tiles else set()
            yield from _pixel_faults(dataset, made, copied, str(path))
            yield from _overview_faults(path, made)


def _layout_faults(path: Path, made: Made) -> Iterator[str]:
    with unreadable(str(path)):
        _, errors, warnings = cog_validate(str(path), strict=True, quiet=True)
    yield from (str(fault) for fault in [*errors, *warnings])
    if made.layout is Layout.CANONICAL:
        yield from structure_faults(path)


def _metadata_faults(dataset: rasterio.DatasetReader, made: Made) -> Iterator[str]:
    grid, layout = made.grid, made.layout
    found = grid_of(dataset, where=str(dataset.name))
    shapes = layout.shapes(grid.width, grid.height)
    # COG drivers may spell an origin with fewer digits than it was given in.
    if not _same_place(found, grid):
        yield f"its grid is {found}, not {grid}"
    comparisons: dict[str, tuple[Any, Any]] = {
        "band count": (dataset.count, len(made.bands)),
        "types": (set(dataset.dtypes), {made.dtype}),
        "block size": (set(dataset.block_shapes), {(layout.block, layout.block)}),
        "number of overviews": (len(dataset.overviews(1)), len(shapes) - 1),
        "descriptions": (dataset.descriptions, tuple(band.description for band in made.bands)),
        "units": (set(dataset.units), {made.unit}),
    }
    for what, (has, wanted) in comparisons.items():
        if has != wanted:
            yield f"its {what}: {has}, not {wanted}"
    if dataset.nodata is None or not np.array_equal(dataset.nodata, made.nodata, equal_nan=True):
        yield f"its nodata is {dataset.nodata}, not {made.nodata}"
    for index, band in zip(dataset.indexes, made.bands, strict=False):
        has_tags = dataset.tags(index)
        missing = [f"{key}={value}" for key, value in band.tags if has_tags.get(key) != value]
        if missing:
            yield f"band {index} lacks {', '.join(missing)}"


def _same_place(found: Grid, wanted: Grid) -> bool:
    if found.shape != wanted.shape or found.crs != wanted.crs:
        return False
    x, y = wanted.pixel_size
    reach = TOLERANCE * min(x, y) / max(wanted.shape)
    return bool(np.allclose(found.transform, wanted.transform, rtol=1e-12, atol=reach))


def _pixel_faults(
    dataset: rasterio.DatasetReader, made: Made, copied: Collection[int], where: str
) -> Iterator[str]:
    gaps = gaps_between(made.windows, made.grid)
    nodata = np.array(made.nodata).astype(made.dtype)
    gdal = GdalReader(dataset, where)
    with row_reader(dataset, where=where) as quickest:
        for index in range(len(made.bands)):
            for number, window in enumerate(made.windows):
                by_gdal = number % len(made.bands) == index
                if number in copied and not by_gdal:
                    continue
                checksum = xxhash.xxh3_128()
                reader = gdal if by_gdal else quickest
                for rows in _strips(dataset, reader, index + 1, window.rectangle):
                    checksum.update(rows)
                if checksum.hexdigest() != window.checksums[index]:
                    yield (
                        f"the pixels of band {index + 1} at row {window.row}, column {window.col} "
                        "are not those that were written"
                    )
            for gap in gaps:
                strips = _strips(dataset, quickest, index + 1, gap)
                if not all(_is_all(rows, nodata) for rows in strips):
                    yield f"band {index + 1} holds pixels where no tile lies"


def _overview_faults(path: Path, made: Made) -> Iterator[str]:
    """Decode every block of every overview: GDAL raises where one cannot be.

    Their pixels are recorded nowhere, so damage that still decodes is left to the file's checksum.
    """
    shapes = made.layout.shapes(made.grid.width, made.grid.height)[1:]
    for index, (width, height) in enumerate(shapes):
        with opened(str(path), where=str(path), overview_level=index) as dataset:
            if (dataset.width, dataset.height) != (width, height):
                yield f"overview {index} is {dataset.width} x {dataset.height}"
            whole = Rectangle(0, 0, dataset.height, dataset.width)
            reader = GdalReader(dataset, str(path))
            for band in dataset.indexes:
                for _ in _strips(dataset, reader, band, whole):
                    pass


def _strips(
    dataset: rasterio.DatasetReader, reader: RowReader, band: int, part: Rectangle
) -> Iterator[Pixels]:
    """The rows of a rectangle, some at a time; the array is filled anew by the next."""
    dtype = np.dtype(dataset.dtypes[0])
    block = dataset.block_shapes[0][0]
    step = min(strip_rows(part.width, dtype.itemsize, block), part.height)
    strip: Pixels = np.empty((step, part.width), dtype)
    for first in range(0, part.height, step):
        rows = strip[: part.height - first]
        reader.read(band, part.row + first, rows, part.col)
        yield rows


def _is_all(pixels: Pixels, value: Pixels) -> bool:
    if value != value:
        return bool(np.isnan(pixels).all())
    return bool((pixels == value).all())
