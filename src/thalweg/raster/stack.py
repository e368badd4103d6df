"""Stacking: files of one band each to one COG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
import xxhash

from thalweg.domain.pixels import PixelRules
from thalweg.errors import WrongDtype, WrongGrid, WrongShape
from thalweg.raster.codec import checked_dtype
from thalweg.raster.cogwriter import BandHeader, Header, Spool, levels_of, writing
from thalweg.raster.compatible import finish
from thalweg.raster.grid import Grid, Offset, grid_of
from thalweg.raster.layout import Layout
from thalweg.raster.made import BandFacts, Made, Window
from thalweg.raster.overviews import Resampling
from thalweg.raster.pyramid import Pyramid, strip_rows
from thalweg.raster.reading import environment, opened, row_reader
from thalweg.raster.statistics import Tally


@dataclass(frozen=True)
class SourceBand:
    """A raster of one band: where GDAL finds it, its name for errors, and what the band becomes."""

    path: str
    where: str
    description: str
    tags: Mapping[str, str] = field(default_factory=dict)


def stack(
    sources: Sequence[SourceBand],
    destination: Path,
    *,
    rules: PixelRules,
    layout: Layout = Layout.CANONICAL,
    resampling: Resampling = Resampling.MEAN,
    tags: Mapping[str, str] | None = None,
    threads: int = 1,
) -> Made:
    """Write the sources, in their order, as the bands of one COG, and say what was made.

    Every pixel is held against the rules. Special values declared as nodata become nodata. Raises,
    naming the file, `UndeclaredValue`, `WrongShape`, `WrongGrid`, `WrongCrs`, `WrongDtype` or
    `UnreadableRaster`; nothing is left at `destination` then.
    """
    if not sources:
        raise WrongShape("no file was given to stack", where=str(destination))
    with environment(threads), writing(destination), Spool(destination.parent) as spool:
        header = _header(sources, rules, layout, resampling, tags or {})
        levels = levels_of(header)
        pyramid = Pyramid(levels, header, rules.made(), spool)
        bands = [
            _stack_band(index, source, header, rules, pyramid)
            for index, source in enumerate(sources)
        ]
        finish(destination, header, levels, [spool.file])
    grid = header.grid
    whole = Window(0, 0, grid.height, grid.width, tuple(band.checksum for band in bands))
    return Made(
        grid=grid,
        dtype=rules.dtype,
        nodata=rules.nodata,
        unit=rules.unit,
        layout=layout,
        bands=tuple(bands),
        windows=(whole,),
        method="stack",
    )


def _header(
    sources: Sequence[SourceBand],
    rules: PixelRules,
    layout: Layout,
    resampling: Resampling,
    tags: Mapping[str, str],
) -> Header:
    first = sources[0]
    with opened(first.path, where=first.where) as dataset:
        grid = grid_of(dataset, where=first.where)
    bands = tuple(BandHeader(s.description, rules.unit, dict(s.tags)) for s in sources)
    return Header(grid, rules.dtype, rules.nodata, layout, resampling, bands, dict(tags))


def _stack_band(
    index: int, source: SourceBand, header: Header, rules: PixelRules, pyramid: Pyramid
) -> BandFacts:
    """Read, check, encode and sum up one source."""
    tally, checksum = Tally(rules), xxhash.xxh3_128()
    grid, dtype = header.grid, checked_dtype(rules.dtype)
    with (
        opened(source.path, where=source.where) as dataset,
        row_reader(dataset, where=source.where) as reader,
    ):
        _check_source(dataset, source, grid, rules)
        height = min(strip_rows(grid.width, dtype.itemsize, pyramid.step), grid.height)
        strip = np.empty((height, grid.width), dtype)
        for first in range(0, grid.height, height):
            rows = strip[: grid.height - first]
            reader.read(1, first, rows)
            tally.add(rows)
            checksum.update(rows)
            pyramid.push(index, rows)
    tally.check(source.where)
    return BandFacts(
        source.description, checksum.hexdigest(), tally.statistics(), tuple(source.tags.items())
    )


def _check_source(
    dataset: rasterio.DatasetReader, source: SourceBand, grid: Grid, rules: PixelRules
) -> None:
    """Hold a source against the first one's grid and the rules' type."""
    where = source.where
    if dataset.count != 1:
        raise WrongShape(f"the file has {dataset.count} bands, not one", where=where)
    if dataset.dtypes[0] != rules.dtype:
        raise WrongDtype(
            f"its type is {dataset.dtypes[0]}, the declared one {rules.dtype}", where=where
        )
    own = grid_of(dataset, where=where)
    if own.shape != grid.shape:
        raise WrongShape(
            f"it has {own.height} x {own.width} pixels, the first file of its stack "
            f"{grid.height} x {grid.width}",
            where=where,
        )
    offset = grid.offset_of(own, where=where)
    if offset != Offset(0, 0):
        raise WrongGrid(
            f"it lies {offset.row} rows and {offset.col} columns from the first file of its stack",
            where=where,
        )
