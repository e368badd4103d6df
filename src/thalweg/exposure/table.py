"""The table of buildings: one GeoParquet file, in the order of `order`.

No row group holds rows of two one-degree tiles, and the column `tile` tells by its statistics which
groups are a tile's: so what lies over one raster tile is read without the rest.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from thalweg.domain.tables import TableFacts
from thalweg.domain.tiles import BoundingBox
from thalweg.errors import UnreadableBuildings
from thalweg.hexagons.tables import table_columns

ROW_GROUP_ROWS = 100_000
GEOMETRY = "geometry"
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_BBOX = pa.struct([pa.field(side, pa.float64(), nullable=False) for side in _SIDES])
_WKB_KINDS = {1: "Point", 3: "Polygon", 6: "MultiPolygon"}


def _field(
    name: str, kind: pa.DataType, words: str, unit: str = "", *, nullable: bool = False
) -> pa.Field:
    told = {"description": words, **({"unit": unit} if unit else {})}
    return pa.field(name, kind, nullable=nullable, metadata=told)


BUILDINGS = pa.schema(
    [
        _field("id", pa.string(), "Id at the source, or file and row"),
        _field("longitude", pa.float64(), "Longitude of the centroid", "degree"),
        _field("latitude", pa.float64(), "Latitude of the centroid", "degree"),
        _field("area_m2", pa.float64(), "Area on the ellipsoid", "m2", nullable=True),
        _field("height_m", pa.float32(), "Height", "m", nullable=True),
        _field("confidence", pa.float32(), "Confidence that it is one, 0 to 1", "1", nullable=True),
        _field("source", pa.string(), "Where it comes from"),
        _field("cell", pa.uint64(), "H3 cell of the centroid, as a number"),
        _field("country", pa.string(), "Country, by ISO 3166-1 alpha-3 code", nullable=True),
        _field("tile", pa.string(), "One-degree tile of the centroid, by its south-west corner"),
        _field(GEOMETRY, pa.binary(), "Footprint, or point where none is known, as WKB"),
        _field("bbox", _BBOX, "Box around the geometry", "degree"),
    ]
)


@dataclass
class _Extent:
    bounds: list[float] = field(default_factory=lambda: [np.inf, np.inf, -np.inf, -np.inf])
    kinds: set[str] = field(default_factory=set)

    def add(self, table: pa.Table) -> None:
        sides = table["bbox"].combine_chunks().flatten()
        self.bounds = [
            *(min(self.bounds[i], sides[i].to_numpy().min()) for i in (0, 1)),
            *(max(self.bounds[i], sides[i].to_numpy().max()) for i in (2, 3)),
        ]
        # The type stands in the second byte of little-endian WKB.
        wkb = table[GEOMETRY].combine_chunks()
        starts = np.frombuffer(wkb.buffers()[1], np.int32)[wkb.offset : wkb.offset + len(wkb)]
        codes = np.unique(np.frombuffer(wkb.buffers()[2], np.uint8)[starts + 1])
        self.kinds |= {_WKB_KINDS[int(code)] for code in codes}


def write_buildings(tables: Iterable[pa.Table], path: Path) -> int:
    """Writes tables of the schema `BUILDINGS`, in order, as GeoParquet 1.1; gives their rows.

    The same rows give the same bytes, however they are divided into tables.
    """
    extent, rows = _Extent(), 0
    # Without the copy of the Arrow schema, readers take the metadata that is added at the end.
    with pq.ParquetWriter(
        path,
        BUILDINGS,
        compression="zstd",
        use_dictionary=["source", "country", "tile"],
        store_schema=False,
    ) as writer:
        for group in _row_groups(tables):
            extent.add(group)
            writer.write_table(group, ROW_GROUP_ROWS)
            rows += group.num_rows
        writer.add_key_value_metadata({"geo": json.dumps(_geo(extent))})
    return rows


def building_facts(path: Path) -> TableFacts:
    """What is told of a table of buildings in catalogues."""
    with _readable(path):
        rows = pq.read_metadata(path).num_rows
    return TableFacts(rows, table_columns(BUILDINGS), building_bounds(path), GEOMETRY)


def depth_facts(path: Path) -> TableFacts:
    """What is told of a table of each building's depths, without its bounds."""
    words = {column.name: column for column in table_columns(BUILDINGS)}
    with _readable(path), pq.ParquetFile(path) as file:
        columns = [words.get(one.name, one) for one in table_columns(file.schema_arrow)]
        told = [
            replace(one, unit="m") if one.name.startswith("depth_m") else one for one in columns
        ]
        return TableFacts(file.metadata.num_rows, tuple(told))


def building_bounds(path: Path) -> BoundingBox | None:
    """The box around all buildings of a table; None where there is none."""
    with _readable(path):
        metadata = pq.read_schema(path).metadata or {}
    box = json.loads(metadata.get(b"geo", b"{}")).get("columns", {}).get(GEOMETRY, {}).get("bbox")
    return BoundingBox(*box) if box else None


def read_tile(path: Path, tile: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The buildings of a one-degree tile such as `s02e030`, in their order; none where there are
    none. `columns` are names of `BUILDINGS`."""
    with _readable(path), pq.ParquetFile(path) as file:
        groups = [index for index, name in enumerate(_group_tiles(file, path)) if name == tile]
        return file.read_row_groups(groups, columns=columns and list(columns))


def read_groups(path: Path, wanted: Container[str], columns: Sequence[str]) -> Iterator[pa.Table]:
    """The buildings of some tiles, row group by row group, in their order. `columns` are names of
    `BUILDINGS`.

    Raises `UnreadableBuildings`.
    """
    with _readable(path), pq.ParquetFile(path) as file:
        for index, tile in enumerate(_group_tiles(file, path)):
            if tile in wanted:
                yield file.read_row_group(index, columns=list(columns))


def tiles(path: Path) -> dict[str, int]:
    """The tiles that hold buildings, in the order of the file, with how many each holds."""
    with _readable(path), pq.ParquetFile(path) as file:
        counts: dict[str, int] = {}
        for index, tile in enumerate(_group_tiles(file, path)):
            rows = file.metadata.row_group(index).num_rows
            counts[tile] = counts.get(tile, 0) + rows
        return counts


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        raise UnreadableBuildings(str(error), where=str(path)) from error


def _group_tiles(file: pq.ParquetFile, path: Path) -> list[str]:
    column = BUILDINGS.get_field_index("tile")
    if file.schema_arrow.names[column : column + 1] != ["tile"]:
        raise UnreadableBuildings(
            "it is no table of buildings",
            hint="give what a step `buildings` made",
            where=str(path),
        )
    groups = (file.metadata.row_group(index) for index in range(file.num_row_groups))
    return [str(group.column(column).statistics.min) for group in groups]


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Tables of one tile each, as large as a row group may be."""
    held: list[pa.Table] = []
    tile, rows = "", 0
    for table in tables:
        for name, part in _by_tile(table):
            if name != tile and rows:
                yield pa.concat_tables(held).combine_chunks()
                held, rows = [], 0
            tile = name
            held.append(part)
            rows += part.num_rows
            while rows >= ROW_GROUP_ROWS:
                whole = pa.concat_tables(held).combine_chunks()
                yield whole.slice(0, ROW_GROUP_ROWS)
                held, rows = [whole.slice(ROW_GROUP_ROWS)], rows - ROW_GROUP_ROWS
    if rows:
        yield pa.concat_tables(held).combine_chunks()


def _by_tile(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    ends = pa.compute.run_end_encode(table["tile"].combine_chunks())
    start = 0
    for name, end in zip(ends.values.to_pylist(), ends.run_ends.to_pylist(), strict=True):
        yield name, table.slice(start, end - start)
        start = end


def _geo(extent: _Extent) -> dict[str, Any]:
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": sorted(extent.kinds),
        "covering": {"bbox": {side: ["bbox", side] for side in _SIDES}},
    }
    if extent.kinds:
        column["bbox"] = [float(side) for side in extent.bounds]
    return {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
