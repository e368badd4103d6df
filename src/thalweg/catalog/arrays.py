"""The rasters of one scenario as one labelled array, read when its values are asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from thalweg.catalog.ledger import Document
from thalweg.catalog.search import coordinates
from thalweg.catalog.stac import COG_MEDIA_TYPE, DATA_ASSET, PREFIX
from thalweg.domain.coordinates import NONE
from thalweg.domain.tiles import TILE_NAME, BoundingBox
from thalweg.errors import AmbiguousScenario, NothingFound, PackageMissing

if TYPE_CHECKING:
    import xarray
    from odc.geo.geobox import GeoBox

BAND = "band"
LABEL = "label"
# Of whole blocks of the canonical layout, so that few are decoded twice.
BLOCK = 2000
_PLACE = re.compile(TILE_NAME)


def to_xarray(
    items: Sequence[Document], *, bbox: BoundingBox | None = None, masked: bool = True
) -> xarray.DataArray:
    """The rasters of items that differ in their place only, merged, as dask blocks.

    Dimensions are that of the bands, then latitude and longitude (y and x in a projected CRS), on
    the pixels of the files. The bands' is what they stand for, such as `return_period` in years, or
    else `band`, by name; the coordinate `label` has the names. Where `masked`, values are floats in
    the unit of the attribute `units`, NaN where there is no data or a special value such as
    permanent water; else they are those of the files. `bbox` leaves only the pixels that share area
    with it. Raises `NothingFound`, `AmbiguousScenario` and `PackageMissing`.
    """
    rasters = [item for item in items if is_raster(item)]
    if not rasters:
        raise NothingFound("no raster is among the items", hint="`search` tells what there is")
    check_one_scenario(rasters)
    try:
        from odc.stac import load
        from pystac import Item
    except ImportError as error:
        raise PackageMissing(
            "rasters are opened with odc-stac", hint="pip install 'thalweg[notebook]'"
        ) from error
    asset = rasters[0]["assets"][DATA_ASSET]
    names = [band["name"] for band in asset["bands"]]
    bands = load(
        [Item.from_dict(item) for item in rasters],
        bands=names,
        geobox=_geobox(rasters, bbox),
        chunks=dict.fromkeys(("latitude", "longitude", "y", "x"), BLOCK),
    )
    values = _labelled(bands.isel(time=0, drop=True).to_dataarray(BAND), asset["bands"])
    values = _masked(values, asset) if masked else values
    unit = asset["bands"][0].get("unit")
    values.attrs = {"units": unit} if unit else {}
    return values.rename(rasters[0]["collection"])


def is_raster(item: Document) -> bool:
    """Whether an item describes a file of pixels."""
    return bool(item["assets"].get(DATA_ASSET, {}).get("type") == COG_MEDIA_TYPE)


def check_one_scenario(rasters: Sequence[Document]) -> None:
    """Raises `AmbiguousScenario` for items that differ in more than their place."""
    each = [{"collection": one["collection"], **coordinates(one)} for one in rasters]
    held = {
        name: sorted({one.get(name, NONE) for one in each})
        for name in dict.fromkeys(name for one in each for name in one)
    }
    differing = {
        name: values
        for name, values in held.items()
        if len(values) > 1 and not all(map(_PLACE.fullmatch, values))
    }
    if differing:
        told = "; ".join(f"{name} ({', '.join(values)})" for name, values in differing.items())
        raise AmbiguousScenario(
            f"{len(rasters)} rasters fit that are not one scenario", hint=f"choose by {told}"
        )


def _geobox(rasters: Sequence[Document], bbox: BoundingBox | None) -> GeoBox:
    """The pixels of all files together, or those in a box, in the grid that the files are on."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    properties = [item["properties"] for item in rasters]
    crs = properties[0]["proj:code"] or properties[0]["proj:wkt2"]
    width, _, _, _, height, _ = properties[0]["proj:transform"]
    wests, souths, easts, norths = zip(*(one["proj:bbox"] for one in properties), strict=True)
    columns = round((max(easts) - min(wests)) / width)
    rows = round((min(souths) - max(norths)) / height)
    grid = Affine(width, 0, min(wests), 0, height, max(norths))
    whole = GeoBox((rows, columns), grid, crs)
    return whole if bbox is None else whole[_window(whole, bbox)]


def _window(whole: GeoBox, bbox: BoundingBox) -> tuple[slice, slice]:
    """The rows and columns that share area with a box."""
    from rasterio.warp import transform_bounds

    box = transform_bounds("EPSG:4326", whole.crs, bbox.west, bbox.south, bbox.east, bbox.north)
    left, top = ~whole.affine @ (box[0], box[3])
    right, bottom = ~whole.affine @ (box[2], box[1])
    rows = slice(max(_floor(top), 0), min(-_floor(-bottom), whole.height))
    columns = slice(max(_floor(left), 0), min(-_floor(-right), whole.width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        raise NothingFound("the box is outside the rasters", hint="see the items' `bbox`")
    return rows, columns


def _floor(position: float) -> int:
    """The pixel that a position in pixels is in; a rounding error off its edge is on it."""
    near = round(position)
    return near if abs(position - near) < 1e-6 else math.floor(position)


def _labelled(values: xarray.DataArray, bands: Sequence[Mapping[str, Any]]) -> xarray.DataArray:
    """With the bands' dimension named by what they stand for, and their names beside."""
    stands_for = [
        {key: value for key, value in band.items() if key.startswith(PREFIX)} for band in bands
    ]
    common = set.intersection(*map(set, stands_for)) - {f"{PREFIX}percentiles"}
    values = values.assign_coords({LABEL: (BAND, [band["name"] for band in bands])})
    if len(common) != 1:
        return values
    (key,) = common
    name = key.removeprefix(PREFIX)
    return values.assign_coords({BAND: [band[key] for band in stands_for]}).rename({BAND: name})


def _masked(values: xarray.DataArray, asset: Document) -> xarray.DataArray:
    band = asset["bands"][0]
    special = [one["value"] for one in asset.get("classification:classes", ())]
    if "nodata" in band:
        special.append(float(band["nodata"]))
    known = values.where(~values.isin(special))
    scale, offset = band.get("raster:scale", 1), band.get("raster:offset", 0)
    return known if (scale, offset) == (1, 0) else known * scale + offset
