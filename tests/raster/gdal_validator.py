"""GDAL's own COG validator, run on rasterio's GDAL.

The script asks a handful of things of the `osgeo` bindings, which come only with a compiled GDAL;
here rasterio answers them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import rasterio


class Band:
    """A band of the full raster, or of one of its overviews."""

    def __init__(self, dataset: Dataset, index: int, overview: int | None = None) -> None:
        self._dataset, self._index, self._overview = dataset, index, overview
        self._raster = dataset.level(overview)
        self.XSize, self.YSize = self._raster.width, self._raster.height

    def GetOverviewCount(self) -> int:
        return len(self._dataset.level(None).overviews(self._index))

    def GetOverview(self, number: int) -> Band:
        return Band(self._dataset, self._index, number)

    def GetDataset(self) -> Dataset:
        return self._dataset

    def GetBlockSize(self) -> list[int]:
        height, width = self._raster.block_shapes[self._index - 1]
        return [width, height]

    def GetMetadataItem(self, name: str, domain: str = "") -> str | None:
        place = {} if self._overview is None else {"ovr": self._overview}
        return self._dataset.level(None).get_tag_item(name, domain, bidx=self._index, **place)

    def GetMaskFlags(self) -> int:
        return 8  # GMF_NODATA: the files in question have no mask of their own

    def GetMaskBand(self) -> Band:
        return self


class Dataset:
    def __init__(self, path: str) -> None:
        self._path = path
        self._levels: dict[int | None, Any] = {}
        raster = self.level(None)
        self.RasterCount = raster.count
        self.RasterXSize, self.RasterYSize = raster.width, raster.height

    def level(self, overview: int | None) -> Any:
        if overview not in self._levels:
            options = {} if overview is None else {"overview_level": overview}
            self._levels[overview] = rasterio.open(self._path, **options)
        return self._levels[overview]

    def close(self) -> None:
        for raster in self._levels.values():
            raster.close()

    def GetDriver(self) -> SimpleNamespace:
        return SimpleNamespace(ShortName=self.level(None).driver)

    def GetDescription(self) -> str:
        return self._path

    def GetRasterBand(self, index: int) -> Band:
        return Band(self, index)

    def GetFileList(self) -> list[str]:
        return list(self.level(None).files)

    def GetMetadataItem(self, name: str, domain: str = "") -> str | None:
        return self.level(None).get_tag_item(name, domain)

    def GetMetadata(self, domain: str = "") -> dict[str, str]:
        return dict(self.level(None).tags(ns=domain) if domain else self.level(None).tags())


def gdal_faults(path: Path) -> list[str]:
    """What GDAL's validator, in its full check of every block, has against a file."""
    dataset = Dataset(str(path))
    try:
        with _osgeo():
            from osgeo_utils.samples import validate_cloud_optimized_geotiff as script

            try:
                warnings, errors, _ = script.validate(dataset, full_check=True)
            except script.ValidateCloudOptimizedGeoTIFFException as error:
                return [str(error)]
    finally:
        dataset.close()
    return [*errors, *warnings]


@contextmanager
def _osgeo() -> Iterator[None]:
    """Stand in for `osgeo.gdal` while the script is imported and run."""
    gdal = ModuleType("osgeo.gdal")
    major, minor, patch = (int(part) for part in rasterio.__gdal_version__.split("."))
    answers = {
        "GMF_ALL_VALID": 1,
        "GMF_PER_DATASET": 2,
        "VersionInfo": lambda _="": f"{major}{minor:02}{patch:02}00",
        "VSIFOpenL": lambda path, mode: Path(path).open(mode),
        "VSIFSeekL": lambda file, offset, whence: file.seek(offset, whence),
        "VSIFTellL": lambda file: file.tell(),
        "VSIFReadL": lambda size, count, file: file.read(size * count),
        "VSIFCloseL": lambda file: file.close(),
        "PushErrorHandler": lambda *_: None,
        "PopErrorHandler": lambda *_: None,
        "UseExceptions": lambda: None,
    }
    for name, answer in answers.items():
        setattr(gdal, name, answer)
    package = ModuleType("osgeo")
    package.gdal = gdal  # type: ignore[attr-defined]
    util = ModuleType("osgeo_utils.auxiliary.util")
    util.enable_gdal_exceptions = lambda function: function  # type: ignore[attr-defined]
    stand_ins = {"osgeo": package, "osgeo.gdal": gdal, "osgeo_utils.auxiliary.util": util}
    before = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
