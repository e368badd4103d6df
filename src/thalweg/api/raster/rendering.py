"""From pixels to pictures, by what the catalogue says of the bands; and to arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rio_tiler.models import ImageData
from rio_tiler.utils import render
from titiler.core.resources.enums import ImageType

from thalweg.api.raster.colormaps import ELEVATION, FLOOD_DEPTH, GREY, WATER, Colormap, colormap
from thalweg.api.raster.reader import RASTER, SPECIAL
from thalweg.api.raster.source import RETURN_PERIOD, Raster, nodata
from thalweg.catalog.stac import PREFIX
from thalweg.domain.units import METRES, convert
from thalweg.errors import InvalidRequest

type Range = tuple[float, float]
type Bytes = NDArray[np.uint8]

ARRAYS = {ImageType.tif, ImageType.tiff, ImageType.npy}
DEEPEST_M = 5.0
"""Depths of floods are drawn from 0 to this many metres, unless `rescale` is given.

Percentiles would be those of dry ground, and would give every return period colours of its own.
"""
_NO_ALPHA = {ImageType.jpeg, ImageType.jpg}
_PAPER = 255
# Larger ones are smaller by a twentieth, and take twice the time.
_PNG_LEVEL = 4


@dataclass(frozen=True)
class Style:
    """How one band is drawn: a colormap over a range of its values."""

    colormap: Colormap
    range: Range


def style_of(
    raster: Raster, band: int, given: Colormap | None = None, rescale: Range | None = None
) -> Style:
    """The style of a band, from 1, where not all of it is given."""
    return Style(given or _colormap_of(raster, band), rescale or range_of(raster, band))


def range_of(raster: Raster, band: int) -> Range:
    """The range of a band's values that is drawn: depths of floods as `DEEPEST_M` says, all else
    from the 2nd to the 98th percentile that the catalogue has. In the file's own unit.

    Raises `InvalidRequest` where the catalogue has no figures.
    """
    told = raster.bands[band - 1]
    if is_depth(told):
        scale = told.get("raster:scale", 1)
        return 0.0, convert(DEEPEST_M, "m", told["unit"]) / scale
    percentiles = told.get(f"{PREFIX}percentiles", {})
    statistics = told.get("statistics", {})
    for low, high in (
        (percentiles.get("2"), percentiles.get("98")),
        (statistics.get("minimum"), statistics.get("maximum")),
    ):
        if low is not None and high is not None and low < high:
            return float(low), float(high)
    if told.get("data_type") == "uint8":
        return 0.0, 255.0
    if "minimum" in statistics:
        return float(statistics["minimum"]), float(statistics["minimum"]) + 1
    raise InvalidRequest(
        f"the catalogue has no statistics of band {band}", hint="give rescale=low,high"
    )


def is_depth(band: Mapping[str, Any]) -> bool:
    """Whether a band is a depth of flood: a length that is reached once in so many years."""
    return RETURN_PERIOD in band and band.get("unit") in METRES


def rendered(
    image: ImageData,
    output_format: ImageType | None = None,
    colormap: Any = None,
    rescale: Sequence[Range] | None = None,
    add_mask: bool = True,
    **_: Any,
) -> tuple[bytes, str]:
    """The bytes and media type of an image: titiler's `render_func`.

    Arrays hold values as the file has them, with nodata also for special values. Pictures are of
    one band in a colormap, or of three as red, green and blue. Raises `InvalidRequest`.
    """
    wanted = output_format or ImageType.png
    if wanted in ARRAYS and not rescale and not colormap:
        return _array(image, wanted), wanted.mediatype
    pixels, alpha = picture(image, colormap, rescale)
    if wanted in _NO_ALPHA:
        pixels = np.where(alpha > 0, pixels, _PAPER).astype(np.uint8)
    options = {"zlevel": _PNG_LEVEL} if wanted.driver == "PNG" else wanted.profile
    # Told where it lies, though pictures do not keep it, GDAL has nothing to warn of: rio-tiler
    # would ignore that, but not safely among threads.
    options = {**options, **_grid(image)}
    content = render(pixels, alpha if add_mask else None, img_format=wanted.driver, **options)
    return content, wanted.mediatype


def picture(
    image: ImageData, given: Any = None, rescale: Sequence[Range] | None = None
) -> tuple[Bytes, Bytes]:
    """Red, green and blue (3, rows, columns), and alpha (rows, columns), of one or three bands."""
    raster: Raster = image.metadata[RASTER]
    bands = [int(name.removeprefix("b")) for name in image.band_names]
    depths = any(is_depth(raster.bands[band - 1]) for band in bands)
    if len(bands) != 1 and (depths or len(bands) != 3):
        raise InvalidRequest(
            f"a picture is of 1 band{'' if depths else ' or 3'}, not of {len(bands)}",
            hint=f"choose {_ways(raster)}",
        )
    if rescale and len(rescale) not in (1, len(bands)):
        raise InvalidRequest(f"rescale is given {len(rescale)} times for {len(bands)} bands")
    ranges = list(rescale or [range_of(raster, band) for band in bands])
    mask = ~np.ma.getmaskarray(image.array)
    if len(bands) == 3:
        ranges = ranges * 3 if len(ranges) == 1 else ranges
        pixels = np.stack([_steps(image.array.data[n], ranges[n]) for n in range(3)])
        return pixels, mask.all(axis=0).astype(np.uint8) * 255
    if isinstance(given, dict):  # of the file: titiler gives an empty one where it has none
        given, ranges = (_of_file(given), [(0.0, 255.0)]) if given else (None, ranges)
    style = style_of(raster, bands[0], given, ranges[0])
    return _coloured(image, style, mask[0])


def _coloured(image: ImageData, style: Style, valid: NDArray[np.bool_]) -> tuple[Bytes, Bytes]:
    values = image.array.data[0]
    if style.colormap.floods:
        valid = valid & (values > 0)
    # Each colour as one number, which is chosen and replaced in a fraction of the time.
    table = style.colormap.table.view(np.uint32)[:, 0]
    colours = np.where(valid, table[_steps(values, style.range)], 0)
    special = image.metadata.get(SPECIAL)
    if special is not None:
        colours[special[0] != 0] = np.array(WATER, np.uint8).view(np.uint32)
    planes = np.moveaxis(colours[..., None].view(np.uint8), -1, 0)
    return np.ascontiguousarray(planes[:3]), np.ascontiguousarray(planes[3])


def _steps(values: NDArray[Any], range_: Range) -> Bytes:
    """The step of 0 to 255 that each value is on."""
    low, high = range_
    if not low < high:
        raise InvalidRequest(f"rescale {low:g},{high:g} is no range", hint="give low,high")
    shares = (values.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
    steps: Bytes = np.nan_to_num(np.clip(shares, 0, 255)).astype(np.uint8)
    return steps


def _array(image: ImageData, wanted: ImageType) -> bytes:
    """The values of a window as GeoTIFF with a nodata tag, or as a NumPy array (bands, rows,
    columns)."""
    raster: Raster = image.metadata[RASTER]
    fill = nodata(raster.bands[0])
    dtype = image.array.dtype
    if np.isnan(fill) and dtype.kind != "f":
        return bytes(render(image.array.data, image.mask, img_format=wanted.driver, **_grid(image)))
    values = image.array.filled(dtype.type(fill))
    if wanted == ImageType.npy:
        return bytes(render(values, img_format="NPY"))
    options = {**_grid(image), "nodata": fill, "compress": "deflate"}
    return bytes(render(values, img_format=wanted.driver, **options))


def _grid(image: ImageData) -> dict[str, Any]:
    return {"transform": image.transform, "crs": image.crs}


def _ways(raster: Raster) -> str:
    periods = ", ".join(f"{one:g}" for one in raster.periods())
    by_period = f"return_period ({periods}) or " if periods else ""
    return f"by {by_period}bidx: {raster.told()}"


def _colormap_of(raster: Raster, band: int) -> Colormap:
    told = raster.bands[band - 1]
    if is_depth(told):
        return colormap(FLOOD_DEPTH)
    return colormap(ELEVATION if told.get("unit") in METRES else GREY)


def _of_file(palette: Mapping[int, Sequence[int]]) -> Colormap:
    """The colours that a file brings along for its values."""
    table = np.zeros((256, 4), dtype=np.uint8)
    for value, colour in palette.items():
        table[value] = colour
    return Colormap("of the file", table)
