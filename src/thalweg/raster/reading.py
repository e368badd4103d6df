"""Opening rasters: by allowed drivers only, alone, and with errors that name the file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError
from rasterio.windows import Window

from thalweg.errors import UnreadableRaster
from thalweg.raster.blocks import plain_blocks
from thalweg.raster.codec import Pixels

DRIVERS = ("GTiff",)


def environment(threads: int = 1) -> rasterio.Env:
    """GDAL's settings for a worker: a small cache, no files beside the one that is named."""
    return rasterio.Env(
        GDAL_CACHEMAX=64 << 20,
        GDAL_NUM_THREADS=str(threads),
        GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR",
        GDAL_PAM_ENABLED="NO",
    )


@contextmanager
def opened(
    path: str, *, where: str, drivers: Sequence[str] = DRIVERS, **options: Any
) -> Iterator[rasterio.DatasetReader]:
    """An open raster; what GDAL cannot open or decode becomes `UnreadableRaster`."""
    with unreadable(where):
        dataset = _open_by_first(path, drivers, options)
    with dataset:
        yield dataset


@contextmanager
def unreadable(where: str) -> Iterator[None]:
    """Turn GDAL's refusals into `UnreadableRaster` of that file."""
    try:
        yield
    except RasterioError as error:
        raise UnreadableRaster(
            f"the file cannot be read: {_cause(error)}",
            where=where,
            hint="it may be cut short or damaged: fetch it again, or leave it out",
        ) from error


class RowReader(Protocol):
    """Reads the rows of a raster's bands."""

    def read(self, band: int, first: int, rows: Pixels, col: int = 0) -> None:
        """Fill `rows` (rows, columns) from row `first` and column `col` of a band counted from 1.

        Raises `UnreadableRaster`, naming the file.
        """

    def uniform(self, rows: range, cols: range) -> Any:
        """The value of all pixels of a window in all bands, where no block has to be decoded to
        tell; else None."""


class GdalReader:
    """Reads whatever GDAL does."""

    def __init__(self, dataset: rasterio.DatasetReader, where: str) -> None:
        self._dataset, self._where = dataset, where

    def read(self, band: int, first: int, rows: Pixels, col: int = 0) -> None:
        window = Window(col, first, rows.shape[1], rows.shape[0])
        with unreadable(self._where):
            self._dataset.read(band, window=window, out=rows)

    def uniform(self, rows: range, cols: range) -> None:
        """Unknown."""


@contextmanager
def row_reader(dataset: rasterio.DatasetReader, *, where: str) -> Iterator[RowReader]:
    """The quickest reader of the full resolution of an open raster; all give the same pixels."""
    with ExitStack() as kept:
        shape = dataset.height, dataset.width
        plain = plain_blocks(
            Path(dataset.name), dataset.dtypes[0], shape, dataset.nodata, where, kept
        )
        yield plain or GdalReader(dataset, where)


def _open_by_first(
    path: str, drivers: Sequence[str], options: dict[str, Any]
) -> rasterio.DatasetReader:
    *others, last = drivers
    with warnings.catch_warnings():
        # `grid_of` refuses such a file, by name.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        for driver in others:
            with suppress(RasterioIOError):
                return rasterio.open(path, driver=driver, **options)
        return rasterio.open(path, driver=last, **options)


def _cause(error: BaseException) -> str:
    """The innermost message: rasterio's own only says to look further."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)
