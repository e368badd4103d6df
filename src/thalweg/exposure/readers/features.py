"""Buildings in what GDAL reads: GeoPackage, FlatGeobuf, Shapefile, GeoJSON, OpenStreetMap PBF."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError, FieldError

from thalweg.errors import UnreadableBuildings
from thalweg.exposure.readers.parquet import transformed
from thalweg.exposure.readers.reading import (
    ROWS_AT_ONCE,
    SourceFile,
    check_columns,
    read_batch,
    to_longitude_latitude,
)

_OSM_LAYER = "multipolygons"
_OSM_BUILDINGS = "building IS NOT NULL AND building <> 'no'"
_OSM_WAY, _OSM_RELATION = "osm_way_id", "osm_id"


def read_features(file: SourceFile) -> Iterator[pa.RecordBatch]:
    """A `Reader` of any vector format of GDAL's, in any CRS."""
    for row, batch in _batches(file, []):
        yield _assembled(file, row, batch, {})


def read_osm(file: SourceFile) -> Iterator[pa.RecordBatch]:
    """A `Reader` of OpenStreetMap PBF or XML: closed ways and multipolygons tagged as a building.

    Ids are w and the way's number, or r and the relation's, as OpenStreetMap writes them.
    """
    chosen = replace(file, layer=file.layer or _OSM_LAYER, where=file.where or _OSM_BUILDINGS)
    for row, batch in _batches(chosen, [_OSM_WAY, _OSM_RELATION]):
        way = pc.binary_join_element_wise("w", batch[_OSM_WAY], "")
        relation = pc.binary_join_element_wise("r", batch[_OSM_RELATION], "")
        yield _assembled(chosen, row, batch, {"id": pc.coalesce(way, relation)})


def _batches(file: SourceFile, also: list[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """(row of the first, batch) with the geometries in the last column, in longitude, latitude."""
    named = [name for name in vars(file.columns).values() if name]
    try:
        info = pyogrio.read_info(file.path, layer=file.layer or None)
        check_columns(file, file.columns, list(info["fields"]))
        with pyogrio.open_arrow(
            file.path,
            layer=file.layer or None,
            columns=list(dict.fromkeys([*named, *also])),
            where=file.where or None,
            batch_size=ROWS_AT_ONCE,
            use_pyarrow=True,
        ) as (meta, reader):
            transform = to_longitude_latitude(meta["crs"] or "OGC:CRS84")
            geometry = meta["geometry_name"] or "wkb_geometry"
            row = 1
            for batch in reader:
                wkb = batch[geometry].cast(pa.binary())
                moved = wkb if transform is None else transformed(wkb, transform)
                columns = {name: batch[name] for name in batch.schema.names if name != geometry}
                yield row, pa.record_batch({**columns, geometry: moved})
                row += batch.num_rows
    except (DataSourceError, DataLayerError, FieldError, pa.ArrowInvalid) as error:
        raise UnreadableBuildings(str(error), where=file.key) from error


def _assembled(
    file: SourceFile, row: int, batch: pa.RecordBatch, computed: dict[str, pa.Array]
) -> pa.RecordBatch:
    rows = np.arange(row, row + batch.num_rows, dtype=np.int64)
    taken = {name: batch[column] for name, column in vars(file.columns).items() if column}
    return read_batch(file, batch.column(batch.num_columns - 1), rows, {**computed, **taken})
