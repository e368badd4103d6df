"""Small files of buildings in the layouts of their publishers."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from thalweg.exposure.readers.layouts import READERS
from thalweg.exposure.readers.reading import Columns, SourceFile


def house(lon: float, lat: float, side: float = 1e-4) -> shapely.Polygon:
    """A square with its centroid at a place."""
    half = side / 2
    return shapely.box(lon - half, lat - half, lon + half, lat + half)


def source(path: Path, *, columns: Columns | None = None, name: str = "test", **more: str):
    return SourceFile(path, name, path.name, columns or Columns(), **more)


def read(layout: str, file: SourceFile) -> pa.Table:
    return pa.Table.from_batches(READERS[layout](file))


def write_open_buildings(path: Path, rows: Iterable[Sequence[object]]) -> Path:
    """csv.gz as Open Buildings v3 has it: latitude, longitude, area, confidence, WKT, plus code."""
    header = "latitude,longitude,area_in_meters,confidence,geometry,full_plus_code"
    lines = [",".join(_quoted(value) for value in row) for row in rows]
    with gzip.open(path, "wt") as file:
        file.write("\n".join([header, *lines]) + "\n")
    return path


def open_building(lon: float, lat: float, confidence: object = 0.8, code: str = "6GCRPR6C+XX"):
    return [lat, lon, 120.5, confidence, house(lon, lat).wkt, code]


def write_geojson_lines(path: Path, lines: Iterable[str]) -> Path:
    """csv.gz of a feature a line, as dataset-links.csv names them."""
    with gzip.open(path, "wt") as file:
        file.writelines(f"{line}\n" for line in lines)
    return path


def feature(geometry: shapely.Geometry, **properties: object) -> str:
    shape = json.loads(shapely.to_geojson(geometry))
    return json.dumps({"type": "Feature", "properties": properties, "geometry": shape})


def write_parquet(path: Path, geometries: Sequence[object], **columns: Sequence[object]) -> Path:
    """Parquet with a column `geometry` of WKB and no geo metadata; geometries may be bytes."""
    wkb = [one if isinstance(one, bytes | None) else shapely.to_wkb(one) for one in geometries]
    table = pa.table({**columns, "geometry": pa.array(wkb, pa.binary())})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path


def _quoted(value: object) -> str:
    text = str(value)
    return f'"{text}"' if "," in text else text


# OpenStreetMap PBF -----------------------------------------------------------------------------


def write_osm_pbf(path: Path, ways: Sequence[tuple[int, dict[str, str], shapely.Polygon]]) -> Path:
    """Ways with their tags and nodes, as https://wiki.openstreetmap.org/wiki/PBF_Format has it."""
    strings: list[str] = [""]

    def index(text: str) -> int:
        if text not in strings:
            strings.append(text)
        return strings.index(text)

    nodes: list[tuple[int, float, float]] = []
    messages = []
    for way_id, tags, polygon in ways:
        first = len(nodes) + 1
        ring = list(polygon.exterior.coords)[:-1]
        nodes += [(first + place, x, y) for place, (x, y) in enumerate(ring)]
        refs = [*range(first, first + len(ring)), first]
        body = _field(1, way_id)
        body += _field(2, _packed(index(key) for key in tags))
        body += _field(3, _packed(index(value) for value in tags.values()))
        messages.append(_field(3, body + _field(8, _packed(map(_zigzag, _deltas(refs))))))
    dense = b"".join(
        _field(number, _packed(_zigzag(one) for one in _deltas(values)))
        for number, values in (
            (1, [node[0] for node in nodes]),
            (8, [round(node[2] * 1e7) for node in nodes]),
            (9, [round(node[1] * 1e7) for node in nodes]),
        )
    )
    table = _field(1, b"".join(_field(1, text.encode()) for text in strings))
    groups = _field(2, _field(2, dense)) + _field(2, b"".join(messages))
    header = _field(4, b"OsmSchema-V0.6") + _field(4, b"DenseNodes")
    path.write_bytes(_blob(b"OSMHeader", header) + _blob(b"OSMData", table + groups))
    return path


def _blob(kind: bytes, data: bytes) -> bytes:
    blob = _field(2, len(data)) + _field(3, zlib.compress(data))
    header = _field(1, kind) + _field(3, len(blob))
    return struct.pack(">I", len(header)) + header + blob


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _packed(values: Iterable[int]) -> bytes:
    return b"".join(map(_varint, values))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _deltas(values: Sequence[int]) -> list[int]:
    return [one - before for before, one in zip([0, *values[:-1]], values, strict=True)]
