"""Small vector files for the tests, in every format that is read."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import shapely

from thalweg.hexagons.faults import Faults
from thalweg.hexagons.records import Source
from thalweg.hexagons.vector import VectorStatistics, vector_statistics

type Columns = dict[str, list[Any]]


def write(
    path: Path,
    geometries: Any,
    columns: Columns | None = None,
    crs: str | None = "EPSG:4326",
    **options: Any,
) -> Path:
    """A file in the format of its ending."""
    geometries = np.asarray(geometries, object)
    held = {name: pa.array(values) for name, values in (columns or {}).items()}
    if path.suffix == ".csv":
        x, y = shapely.get_x(geometries), shapely.get_y(geometries)
        lines = zip(x, y, *(columns or {}).values(), strict=True)
        header = ",".join(["lon", "lat", *(columns or {})])
        body = "\n".join(",".join(_text(value) for value in line) for line in lines)
        path.write_text(f"{header}\n{body}\n")
    elif path.suffix == ".parquet":
        wkb = pa.array(shapely.to_wkb(geometries), pa.binary())
        column: dict[str, Any] = {"encoding": "WKB", "geometry_types": []}
        if crs != "EPSG:4326":
            column["crs"] = crs and json.loads(_projjson(crs))
        geo = {"version": "1.1.0", "primary_column": "shape", "columns": {"shape": column}}
        table = pa.table({**held, "shape": wkb})
        table = table.replace_schema_metadata({"geo": json.dumps(geo)})
        pq.write_table(table, path)
    else:
        kinds = {shape.geom_type for shape in geometries if shape is not None}
        field = pa.field("geom", pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"})
        table = pa.table(
            [*held.values(), pa.array(shapely.to_wkb(geometries), pa.binary())],
            schema=pa.schema([*(pa.field(n, a.type) for n, a in held.items()), field]),
        )
        if path.suffix == ".fgb":
            # Else the features would be sorted.
            options["SPATIAL_INDEX"] = "NO"
        with warnings.catch_warnings(action="ignore" if crs is None else "error"):
            pyogrio.write_arrow(
                table,
                path,
                geometry_name="geom",
                geometry_type=kinds.pop() if len(kinds) == 1 else "Unknown",
                crs=crs,
                **options,
            )
    return path


def statistics(
    path: Path, resolution: int = 7, rule: Any = "centroid", **wanted: Any
) -> tuple[VectorStatistics, Faults]:
    """What a file holds, and what is wrong with its rows."""
    faults = Faults()
    if path.suffix == ".csv":
        wanted = {"longitude": "lon", "latitude": "lat", **wanted}
    source = Source(str(path), path.name, **wanted)
    return vector_statistics([source], [resolution], rule, faults)[resolution], faults


def told(faults: Faults) -> list[tuple[int, str]]:
    """Row and reason of each fault."""
    return [(one.row, one.reason) for one in faults.named]


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _projjson(crs: str) -> str:
    from pyproj import CRS

    return CRS.from_user_input(crs).to_json()
