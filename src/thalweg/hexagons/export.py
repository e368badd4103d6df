"""Hexagon statistics as files for other tools, each batch of rows written as it is read.

GeoParquet 1.1, GeoJSON, FlatGeobuf, GeoPackage and CSV. Column names are never cut short.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import shapely

from thalweg.errors import UnknownFormat
from thalweg.hexagons.cells import cell_centres, cell_polygons
from thalweg.hexagons.selection import ROWS_AT_ONCE, Form, Selection, selected
from thalweg.hexagons.sphere import Geometries
from thalweg.storage.staging import written_aside

type Shape = Literal["polygon", "centroid"]
type Batches = Iterator[pa.RecordBatch]

GEOMETRY = "geometry"
_WKB = {b"ARROW:extension:name": b"geoarrow.wkb"}
_BBOX = pa.struct([(name, pa.float64()) for name in ("xmin", "ymin", "xmax", "ymax")])


def export(
    tables: Sequence[Path],
    target: Path,
    selection: Selection,
    *,
    form: Form = "wide",
    shape: Shape = "polygon",
) -> int:
    """Writes the selected rows to a file whose suffix says the format; gives their number.

    Each row has the cell's outline or its centre, in WGS 84. The file is written aside and then put
    in the place of an earlier one. Raises `UnknownFormat`, and what `selected` raises.
    """
    write = _WRITERS.get(target.suffix.lower())
    if write is None:
        raise UnknownFormat(hint=f"end the name in one of {', '.join(_WRITERS)}", where=str(target))
    with selected(tables, selection, form) as reader, written_aside(target) as aside:
        counted = _Counted(reader)
        write(reader.schema, counted.batches(), aside, shape)
        aside.replace(target)
    return counted.rows


def written(table: pa.Table, target: Path, *, shape: Shape = "polygon") -> None:
    """Writes rows that are at hand, with a column `cell`, to a new file, as `export` does."""
    _WRITERS[target.suffix](table.schema, iter(table.to_batches()), target, shape)


@dataclass
class _Counted:
    reader: pa.RecordBatchReader
    rows: int = 0

    def batches(self) -> Batches:
        for batch in self.reader:
            self.rows += batch.num_rows
            yield batch


def _geometries(batch: pa.RecordBatch, shape: Shape) -> Geometries:
    """One geometry a row; made once for each cell of the batch."""
    cells, row = np.unique(batch["cell"].to_numpy(), return_inverse=True)
    made = cell_polygons(cells) if shape == "polygon" else shapely.points(cell_centres(cells))
    found: Geometries = made[row]
    return found


# GeoParquet ------------------------------------------------------------------------------------


@dataclass
class _Extent:
    """The bounds and types of all geometries that went by."""

    bounds: list[float] = field(default_factory=lambda: [np.inf, np.inf, -np.inf, -np.inf])
    types: set[str] = field(default_factory=set)

    def add(self, geometries: Geometries) -> None:
        total = shapely.total_bounds(geometries)
        self.bounds = [
            *np.minimum(self.bounds[:2], total[:2]),
            *np.maximum(self.bounds[2:], total[2:]),
        ]
        self.types |= {
            shapely.GeometryType(kind).name for kind in np.unique(shapely.get_type_id(geometries))
        }


def _write_geoparquet(schema: pa.Schema, batches: Batches, path: Path, shape: Shape) -> None:
    schema = schema.append(pa.field(GEOMETRY, pa.binary(), nullable=False))
    schema = schema.append(pa.field("bbox", _BBOX, nullable=False))
    extent = _Extent()
    # Without the copy of the Arrow schema, readers take the metadata that is added at the end.
    with pq.ParquetWriter(path, schema, compression="zstd", store_schema=False) as writer:
        for batch in batches:
            geometries = _geometries(batch, shape)
            extent.add(geometries)
            sides = [pa.array(side) for side in shapely.bounds(geometries).T]
            columns = [
                *batch.columns,
                pa.array(shapely.to_wkb(geometries), pa.binary()),
                pa.StructArray.from_arrays(sides, fields=list(_BBOX)),
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema), ROWS_AT_ONCE)
        writer.add_key_value_metadata({"geo": json.dumps(_geo_metadata(extent))})


def _geo_metadata(extent: _Extent) -> dict[str, Any]:
    names = {"POINT": "Point", "POLYGON": "Polygon", "MULTIPOLYGON": "MultiPolygon"}
    column = {
        "encoding": "WKB",
        "geometry_types": sorted(names[kind] for kind in extent.types),
        "bbox": [float(side) for side in extent.bounds],
        "covering": {"bbox": {side: ["bbox", side] for side in ("xmin", "ymin", "xmax", "ymax")}},
    }
    if "POINT" not in extent.types:
        column["orientation"] = "counterclockwise"
    return {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}


# GDAL's formats --------------------------------------------------------------------------------


def _write_flatgeobuf(schema: pa.Schema, batches: Batches, path: Path, shape: Shape) -> None:
    _write_gdal(_signed(schema), batches, path, shape, driver="FlatGeobuf")


def _write_geopackage(schema: pa.Schema, batches: Batches, path: Path, shape: Shape) -> None:
    _write_gdal(_signed(schema), batches, path, shape, driver="GPKG")


def _write_geojson(schema: pa.Schema, batches: Batches, path: Path, shape: Shape) -> None:
    """Without `cell`: a JSON reader's numbers cannot hold it. `h3` has it as text."""
    schema = schema.remove(schema.get_field_index("cell"))
    _write_gdal(schema, batches, path, shape, driver="GeoJSON", RFC7946="YES")


def _write_gdal(
    schema: pa.Schema, batches: Batches, path: Path, shape: Shape, *, driver: str, **options: str
) -> None:
    schema = schema.append(pa.field(GEOMETRY, pa.binary(), metadata=_WKB))

    def with_geometry() -> Batches:
        for batch in batches:
            wkb = pa.array(shapely.to_wkb(_geometries(batch, shape)), pa.binary())
            columns = [pc.cast(batch[name], schema.field(name).type) for name in schema.names[:-1]]
            yield pa.RecordBatch.from_arrays([*columns, wkb], schema=schema)

    import pyogrio  # which brings geopandas

    pyogrio.write_arrow(
        pa.RecordBatchReader.from_batches(schema, with_geometry()),
        path,
        layer=path.stem,
        driver=driver,
        geometry_name=GEOMETRY,
        # Cells over the antimeridian are multipolygons among polygons.
        geometry_type="Point" if shape == "centroid" else "Unknown",
        crs="OGC:CRS84" if driver == "GeoJSON" else "EPSG:4326",
        **options,
    )


def _signed(schema: pa.Schema) -> pa.Schema:
    """Ids as signed numbers, which hold every cell: GDAL would make floats of unsigned ones."""
    return pa.schema(
        [one.with_type(pa.int64()) if one.type == pa.uint64() else one for one in schema]
    )


# CSV -------------------------------------------------------------------------------------------


def _write_csv(schema: pa.Schema, batches: Batches, path: Path, shape: Shape) -> None:
    """Centres as `longitude` and `latitude`, outlines as WKT, to 7 decimals (a centimetre)."""
    added = (
        [(GEOMETRY, pa.string())]
        if shape == "polygon"
        else [("longitude", pa.float64()), ("latitude", pa.float64())]
    )
    schema = pa.schema([*schema, *(pa.field(*one) for one in added)])
    with pa_csv.CSVWriter(path, schema) as writer:
        for batch in batches:
            geometries = _geometries(batch, shape)
            columns = (
                [pa.array(shapely.to_wkt(geometries, rounding_precision=7))]
                if shape == "polygon"
                else [pa.array(np.round(axis, 7)) for axis in shapely.get_coordinates(geometries).T]
            )
            writer.write_batch(
                pa.RecordBatch.from_arrays([*batch.columns, *columns], schema=schema)
            )


_WRITERS: dict[str, Callable[[pa.Schema, Batches, Path, Shape], None]] = {
    ".parquet": _write_geoparquet,
    ".geojson": _write_geojson,
    ".fgb": _write_flatgeobuf,
    ".gpkg": _write_geopackage,
    ".csv": _write_csv,
}
FORMATS = tuple(_WRITERS)
