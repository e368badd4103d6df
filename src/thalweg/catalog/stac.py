"""STAC 1.1 items and collections as plain dictionaries, built from facts alone.

No clock and no run id goes in: the same facts give the same bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import thalweg
from thalweg.catalog.footprint import box_footprint, footprint
from thalweg.catalog.ledger import PARQUET_MEDIA_TYPE, Document
from thalweg.domain.pixels import SpecialValue
from thalweg.domain.tables import Column, TableFacts
from thalweg.errors import InvalidItem
from thalweg.raster.grid import Grid

if TYPE_CHECKING:
    from thalweg.raster.statistics import BandStatistics

STAC_VERSION = "1.1.0"
COG_MEDIA_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"
DATA_ASSET = "data"
PREFIX = "thalweg:"
PERCENTILES = (2, 25, 50, 75, 98)

_EXTENSIONS = "https://stac-extensions.github.io"
# The last version that takes proj:epsg, for older clients, beside proj:code.
PROJECTION = f"{_EXTENSIONS}/projection/v1.2.0/schema.json"
FILE = f"{_EXTENSIONS}/file/v2.1.0/schema.json"
PROCESSING = f"{_EXTENSIONS}/processing/v1.2.0/schema.json"
CLASSIFICATION = f"{_EXTENSIONS}/classification/v2.0.0/schema.json"
RASTER = f"{_EXTENSIONS}/raster/v2.0.0/schema.json"
SCIENTIFIC = f"{_EXTENSIONS}/scientific/v1.0.0/schema.json"
TABLE = f"{_EXTENSIONS}/table/v1.2.0/schema.json"
# odc-stac finds bands by name only through eo:bands.
EO = f"{_EXTENSIONS}/eo/v1.1.0/schema.json"

_AUTHORITY_CODE = re.compile(r"[A-Za-z]+:[0-9]+")
_SHA256_MULTIHASH = "1220"
_DATA_TYPES = {"complex64": "cfloat32", "complex128": "cfloat64", "complex_int16": "cint16"}
_STAC_TYPES = {f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)} | {
    "float16",
    "float32",
    "float64",
}


@dataclass(frozen=True)
class Band:
    """What an item says of one band.

    `dtype` is a numpy name. `statistics` holds STAC's names (`stac_statistics` makes them),
    `percentiles` values by percentage. `properties` are facts of the band such as its return
    period; each becomes `thalweg:<name>`.
    """

    name: str
    dtype: str
    nodata: float | None
    unit: str | None
    description: str = ""
    scale: float = 1.0
    offset: float = 0.0
    statistics: Mapping[str, float] = field(default_factory=dict)
    percentiles: Mapping[str, float] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RasterAsset:
    """What an item says of its file.

    `href` is what GDAL opens: an absolute path or a URL. `size` is in bytes, `checksum` the
    SHA-256 of them in hex. `special` are the values in the file that are no measurement.
    """

    href: str
    size: int
    checksum: str
    grid: Grid
    bands: tuple[Band, ...]
    special: tuple[SpecialValue, ...] = ()
    media_type: str = COG_MEDIA_TYPE
    title: str = ""


@dataclass(frozen=True)
class TableAsset:
    """What an item says of a table's file; `size` and `checksum` are as in `RasterAsset`."""

    href: str
    size: int
    checksum: str
    facts: TableFacts
    media_type: str = PARQUET_MEDIA_TYPE
    title: str = ""


def build_item(
    item_id: str,
    collection_id: str,
    raster: RasterAsset,
    *,
    start: str,
    end: str,
    properties: Mapping[str, Any],
    lineage: str,
    derived_from: Sequence[str] = (),
    via: Sequence[str] = (),
    software: Mapping[str, str] | None = None,
) -> Document:
    """A STAC item with one asset, `data`.

    `start` and `end` are RFC 3339 times in UTC; where they are equal the item has this one
    `datetime`. `properties` go in as they are. `derived_from` are hrefs of the STAC items and
    `via` of the files that it was made from. The other links are those of `export_static`'s
    layout. Raises `InvalidItem` for a special value that is no integer,
    `WrongCrs` where the grid has no place on the globe.
    """
    return _feature(
        item_id,
        collection_id,
        footprint(raster.grid, where=item_id),
        _asset(raster, item_id),
        extensions=_extensions(raster),
        properties={
            **properties,
            **_times(start, end),
            **_projection(raster.grid),
            **_processing(lineage, software),
        },
        links=[
            *({"rel": "derived_from", "href": href} for href in derived_from),
            *({"rel": "via", "href": href} for href in via),
        ],
    )


def build_table_item(
    item_id: str,
    collection_id: str,
    table: TableAsset,
    *,
    start: str,
    end: str,
    properties: Mapping[str, Any],
    lineage: str,
    software: Mapping[str, str] | None = None,
) -> Document:
    """A STAC item with one asset, `data`, that is a table; the rest as `build_item` has it."""
    facts = table.facts
    return _feature(
        item_id,
        collection_id,
        box_footprint(facts.bounds) if facts.bounds else None,
        {
            "href": table.href,
            "type": table.media_type,
            "roles": ["data"],
            **({"title": table.title} if table.title else {}),
            **_file(table.size, table.checksum),
        },
        extensions=[TABLE, FILE, PROCESSING],
        properties={
            **properties,
            **_times(start, end),
            "table:columns": [_column(column) for column in facts.columns],
            "table:row_count": facts.rows,
            **(
                {"table:primary_geometry": facts.primary_geometry} if facts.primary_geometry else {}
            ),
            **_processing(lineage, software),
        },
    )


def _feature(
    item_id: str,
    collection_id: str,
    place: tuple[Document, list[float]] | None,
    asset: Document,
    *,
    extensions: Sequence[str],
    properties: Document,
    links: Sequence[Document] = (),
) -> Document:
    """A STAC item of one asset in `export_static`'s layout; `place` is its geometry and bbox."""
    geometry, bbox = place or (None, None)
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": list(extensions),
        "id": item_id,
        "collection": collection_id,
        "geometry": geometry,
        **({"bbox": bbox} if bbox else {}),
        "properties": properties,
        "assets": {DATA_ASSET: asset},
        "links": [
            _link("root", "../../catalog.json"),
            _link("parent", "../collection.json"),
            _link("collection", "../collection.json"),
            *links,
        ],
    }


def stac_statistics(statistics: BandStatistics) -> dict[str, float]:
    """A band's statistics by STAC's names; without those that a band of no valid pixel lacks."""
    named = {
        "minimum": statistics.minimum,
        "maximum": statistics.maximum,
        "mean": statistics.mean,
        "stddev": statistics.std,
        "count": statistics.count,
        "valid_percent": statistics.valid_percent,
    }
    return _finite(named)


def stac_percentiles(
    statistics: BandStatistics, percentages: Iterable[float] = PERCENTILES
) -> dict[str, float]:
    """Percentiles of the valid pixels, by percentage: `{"2": …, "98": …}`; empty without any."""
    return _finite({f"{q:g}": statistics.percentile(q) for q in percentages})


def _finite(values: Mapping[str, float | None]) -> dict[str, float]:
    return {
        name: value for name, value in values.items() if value is not None and math.isfinite(value)
    }


def _extensions(raster: RasterAsset) -> list[str]:
    scaled = any((band.scale, band.offset) != (1, 0) for band in raster.bands)
    return [
        PROJECTION,
        FILE,
        PROCESSING,
        EO,
        *([CLASSIFICATION] if raster.special else []),
        *([RASTER] if scaled else []),
    ]


def _times(start: str, end: str) -> Document:
    if start == end:
        return {"datetime": start}
    return {"datetime": None, "start_datetime": start, "end_datetime": end}


def _projection(grid: Grid) -> Document:
    code = grid.crs if _AUTHORITY_CODE.fullmatch(grid.crs) else None
    authority, _, number = grid.crs.partition(":")
    return {
        "proj:code": code,
        "proj:epsg": int(number) if code and authority.upper() == "EPSG" else None,
        **({} if code else {"proj:wkt2": grid.crs}),
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.transform),
        "proj:bbox": list(grid.bounds),
    }


def _processing(lineage: str, software: Mapping[str, str] | None) -> Document:
    return {
        "processing:lineage": lineage,
        "processing:software": dict(software or {"thalweg": thalweg.__version__}),
    }


def _file(size: int, checksum: str) -> Document:
    return {"file:size": size, "file:checksum": _SHA256_MULTIHASH + checksum}


def _column(column: Column) -> Document:
    return {name: value for name, value in vars(column).items() if value}


def _asset(raster: RasterAsset, where: str) -> Document:
    return {
        "href": raster.href,
        "type": raster.media_type,
        "roles": ["data"],
        **({"title": raster.title} if raster.title else {}),
        **_file(raster.size, raster.checksum),
        "bands": [_band(band) for band in raster.bands],
        "eo:bands": [
            {"name": band.name, **({"description": band.description} if band.description else {})}
            for band in raster.bands
        ],
        **({"classification:classes": _classes(raster, where)} if raster.special else {}),
    }


def _band(band: Band) -> Document:
    return {
        "name": band.name,
        **({"description": band.description} if band.description else {}),
        "data_type": _data_type(band.dtype),
        **({} if band.nodata is None else {"nodata": _nodata(band.nodata)}),
        **({"unit": band.unit} if band.unit else {}),
        **({"raster:scale": band.scale} if band.scale != 1 else {}),
        **({"raster:offset": band.offset} if band.offset != 0 else {}),
        **({"statistics": dict(band.statistics)} if band.statistics else {}),
        **({f"{PREFIX}percentiles": dict(band.percentiles)} if band.percentiles else {}),
        **{f"{PREFIX}{name}": value for name, value in band.properties.items()},
    }


def _data_type(dtype: str) -> str:
    return dtype if dtype in _STAC_TYPES else _DATA_TYPES.get(dtype, "other")


def _nodata(value: float) -> float | str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return int(value) if float(value).is_integer() else value


def _classes(raster: RasterAsset, where: str) -> list[Document]:
    for special in raster.special:
        if not float(special.value).is_integer():
            raise InvalidItem(
                f"STAC classes are integers, but {special.meaning} is {special.value!r}",
                hint="replace it by nodata: set as_nodata under pixels.special",
                where=where,
            )
    return [
        {
            "value": int(special.value),
            "name": special.meaning,
            "description": special.meaning.replace("_", " ").capitalize(),
        }
        for special in raster.special
    ]


def _link(rel: str, href: str) -> Document:
    return {"rel": rel, "href": href, "type": "application/json"}
