"""The layouts that buildings come in, each with its reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from thalweg.exposure.readers.delimited import read_points_csv, read_wkt_csv
from thalweg.exposure.readers.features import read_features, read_osm
from thalweg.exposure.readers.geojson_lines import read_geojson_lines
from thalweg.exposure.readers.parquet import read_geoparquet
from thalweg.exposure.readers.reading import Reader

type Layout = Literal["geoparquet", "features", "osm", "geojson-lines", "wkt-csv", "points-csv"]

READERS: Mapping[Layout, Reader] = {
    "geoparquet": read_geoparquet,
    "features": read_features,
    "osm": read_osm,
    "geojson-lines": read_geojson_lines,
    "wkt-csv": read_wkt_csv,
    "points-csv": read_points_csv,
}
