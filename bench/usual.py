"""The usual ways to stack and merge, to be measured against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.merge import merge
from rio_cogeo.cogeo import cog_translate
from rio_cogeo.profiles import cog_profiles

CACHE = 256 << 20


def rasterio_stack(sources: Sequence[Path], destination: Path) -> None:
    """Read all bands, write them to a GeoTIFF, and make that a COG with rio-cogeo."""
    with rasterio.Env(GDAL_CACHEMAX=CACHE):
        bands = []
        for source in sources:
            with rasterio.open(source) as dataset:
                bands.append(dataset.read(1))
                profile = dataset.profile
        _translate(np.stack(bands), profile, destination)


def rasterio_merge(tiles: Sequence[Path], destination: Path) -> None:
    """rasterio.merge, then rio-cogeo."""
    with rasterio.Env(GDAL_CACHEMAX=CACHE):
        datasets = [rasterio.open(tile) for tile in tiles]
        pixels, transform = merge(datasets)
        profile = datasets[0].profile
        profile.update(transform=transform)
        for dataset in datasets:
            dataset.close()
        _translate(pixels, profile, destination)


def gdal_stack(sources: Sequence[Path], destination: Path) -> None:
    """GDAL's COG driver from a VRT of the files side by side."""
    with rasterio.open(sources[0]) as first:
        places = [(source, index, 1, 0, 0) for index, source in enumerate(sources, start=1)]
        vrt = _vrt(first, first.width, first.height, first.transform, places)
    _cog(vrt, destination)


def gdal_merge(tiles: Sequence[Path], destination: Path) -> None:
    """GDAL's COG driver from a VRT of the tiles."""
    with rasterio.open(tiles[0]) as first:
        a, _, _, _, e, _ = tuple(first.transform)[:6]
        corners = []
        for tile in tiles:
            with rasterio.open(tile) as dataset:
                corners.append((dataset.transform.c, dataset.transform.f))
        west, north = min(x for x, _ in corners), max(y for _, y in corners)
        offsets = [(round((x - west) / a), round((y - north) / e)) for x, y in corners]
        width = max(x for x, _ in offsets) + first.width
        height = max(y for _, y in offsets) + first.height
        places = [
            (tile, band, band, x, y)
            for tile, (x, y) in zip(tiles, offsets, strict=True)
            for band in first.indexes
        ]
        transform = rasterio.Affine(a, 0, west, 0, e, north)
        vrt = _vrt(first, width, height, transform, places)
    _cog(vrt, destination)


def _translate(pixels: np.ndarray, profile: dict, destination: Path) -> None:
    draft = destination.with_suffix(".draft.tif")
    profile.update(
        driver="GTiff", count=len(pixels), height=pixels.shape[1], width=pixels.shape[2],
        compress="deflate", tiled=True, blockxsize=512, blockysize=512, interleave="pixel",
        predictor=2,
    )  # fmt: skip
    with rasterio.open(draft, "w", **profile) as dataset:
        dataset.write(pixels)
    cog_translate(draft, destination, cog_profiles.get("deflate"), in_memory=False, quiet=True)
    draft.unlink()


def _cog(vrt: str, destination: Path) -> None:
    draft = destination.with_suffix(".vrt")
    draft.write_text(vrt)
    with rasterio.Env(GDAL_CACHEMAX=CACHE):
        rasterio.shutil.copy(draft, destination, driver="COG", COMPRESS="DEFLATE", PREDICTOR="YES")
    draft.unlink()


def _vrt(
    like: rasterio.DatasetReader,
    width: int,
    height: int,
    transform: rasterio.Affine,
    places: Sequence[tuple[Path, int, int, int, int]],
) -> str:
    """A VRT of sources at (path, band, band of the source, x, y)."""
    bands = []
    for band in sorted({band for _, band, _, _, _ in places}):
        sources = "".join(
            f"<SimpleSource><SourceFilename>{path}</SourceFilename>"
            f"<SourceBand>{own}</SourceBand>"
            f'<SrcRect xOff="0" yOff="0" xSize="{like.width}" ySize="{like.height}"/>'
            f'<DstRect xOff="{x}" yOff="{y}" xSize="{like.width}" ySize="{like.height}"/>'
            "</SimpleSource>"
            for path, of, own, x, y in places
            if of == band
        )
        bands.append(
            f'<VRTRasterBand dataType="Int16" band="{band}">'
            f"<NoDataValue>{like.nodata}</NoDataValue>{sources}</VRTRasterBand>"
        )
    return (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}"><SRS>{like.crs}</SRS>'
        f"<GeoTransform>{','.join(map(repr, transform.to_gdal()))}</GeoTransform>"
        f"{''.join(bands)}</VRTDataset>"
    )
