"""Synthetic buildings with known answers: one GeoParquet file and the manifest that describes it.

Footprints are rectangles along the parallels and meridians, so that the area of each on the
ellipsoid has a closed form.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from thalweg.domain.ellipsoid import ECCENTRICITY_SQUARED, SEMI_MAJOR_M, authalic_q
from thalweg.domain.tiles import corner_name
from thalweg.errors import DeliveryExists, UsageError
from thalweg.storage.staging import STAGING_FOLDER, written_aside
from thalweg.synth.presets import DEFAULT_SEED, find_preset
from thalweg.synth.settlements import Settlements, settle
from thalweg.synth.tiles import write_aside

type Floats = NDArray[np.float64]
type Tally = dict[str, tuple[list[int], list[float]]]
type Shape = Literal["footprint", "point"]

BUILDINGS, MANIFEST = "buildings.parquet", "manifest.json"
FORMAT_VERSION = 1
CHUNK = 100_000

_POLYGON = np.dtype(
    [("order", "u1"), ("kind", "<u4"), ("rings", "<u4"), ("points", "<u4"), ("xy", "<f8", (5, 2))]
)
_POINT = np.dtype([("order", "u1"), ("kind", "<u4"), ("xy", "<f8", 2)])

_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("area_in_meters", pa.float64()),
        pa.field("height", pa.float32()),
        pa.field("confidence", pa.float32()),
        pa.field("geometry", pa.binary(), nullable=False),
    ]
)


@dataclass(frozen=True)
class BuildingOrder:
    """How many buildings of which preset to make."""

    preset: str
    count: int
    seed: int = DEFAULT_SEED
    shape: Shape = "footprint"

    def __post_init__(self) -> None:
        find_preset(self.preset)
        if self.count < 1:
            raise UsageError(f"{self.count} buildings cannot be made", hint="at least 1")
        if not 0 <= self.seed < 2**31:
            raise UsageError(f"seed {self.seed} is out of range", hint="0 to 2147483647")

    def to_json(self) -> dict[str, Any]:
        """The order as JSON; equal orders make equal buildings."""
        return {"format": FORMAT_VERSION, **asdict(self)}


def deliver_buildings(order: BuildingOrder, out: Path) -> dict[str, Any]:
    """Makes the buildings in `out` and gives back the manifest.

    It tells the number of buildings and their area in m2, all in all and by one-degree tile.
    Raises `DeliveryExists` where the folder holds anything but this order.
    """
    held = _held(order, out)
    if held is not None:
        return held
    settlements = settle(find_preset(order.preset), order.seed)
    tally: Tally = {}
    with written_aside(out / BUILDINGS) as aside:
        with pq.ParquetWriter(
            aside, _SCHEMA, compression="zstd", use_dictionary=False, store_schema=False
        ) as writer:
            for batch in _chunks(order, settlements, tally):
                writer.write_batch(batch, CHUNK)
            writer.add_key_value_metadata({"geo": json.dumps(_geo(order.shape))})
        aside.replace(out / BUILDINGS)
    tiles = {
        tile: {"count": sum(counts), "area_m2": math.fsum(areas)}
        for tile, (counts, areas) in sorted(tally.items())
    }
    manifest = {
        "order": order.to_json(),
        "file": BUILDINGS,
        "count": order.count,
        "area_m2": math.fsum(one["area_m2"] for one in tiles.values()),
        "tiles": tiles,
    }
    write_aside(out / MANIFEST, json.dumps(manifest, indent=1).encode())
    return manifest


def _held(order: BuildingOrder, out: Path) -> dict[str, Any] | None:
    """The manifest of this order where all is made already."""
    there = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if not there - {STAGING_FOLDER}:
        return None
    try:
        manifest = json.loads((out / MANIFEST).read_bytes())
        same = manifest["order"] == order.to_json()
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    # A building file without a manifest was broken off.
    foreign = there - {STAGING_FOLDER, BUILDINGS}
    if not same and foreign:
        raise DeliveryExists(
            "the folder holds something else",
            where=str(out),
            hint="choose an empty folder with --out",
        )
    return manifest if same and BUILDINGS in there else None


def _chunks(
    order: BuildingOrder, settlements: Settlements, tally: Tally
) -> Iterator[pa.RecordBatch]:
    for start in range(0, order.count, CHUNK):
        count = min(CHUNK, order.count - start)
        random = np.random.default_rng([order.seed, 1, start])
        places = settlements.places(count, random)
        width, depth = random.uniform(5.0, 18.0, count), random.uniform(4.0, 14.0, count)
        boxes = _boxes(places, width, depth)
        areas = _areas(boxes) if order.shape == "footprint" else width * depth
        _count(places, areas, tally)
        yield pa.RecordBatch.from_arrays(
            [
                pa.array([f"b{number}" for number in range(start, start + count)]),
                pa.array(areas),
                pa.array((3 * random.geometric(0.6, count)).astype(np.float32)),
                pa.array(random.uniform(0.65, 1.0, count).astype(np.float32)),
                _polygons(boxes) if order.shape == "footprint" else _points(places),
            ],
            schema=_SCHEMA,
        )


def _boxes(places: Floats, width: Floats, depth: Floats) -> Floats:
    """(west, south, east, north) in degrees of rectangles of so many metres, [n, 4]."""
    sine = np.sin(np.radians(places[:, 1]))
    bent = 1 - ECCENTRICITY_SQUARED * sine**2
    across = SEMI_MAJOR_M / np.sqrt(bent) * np.sqrt(1 - sine**2)
    along = SEMI_MAJOR_M * (1 - ECCENTRICITY_SQUARED) / bent**1.5
    half = np.column_stack([np.degrees(width / across), np.degrees(depth / along)]) / 2
    return np.column_stack([places - half, places + half])


def _areas(boxes: Floats) -> Floats:
    """The area in m2 between meridians and parallels of the ellipsoid."""
    west, south, east, north = np.radians(boxes).T
    strips = authalic_q(north) - authalic_q(south)
    areas: Floats = (east - west) * strips * SEMI_MAJOR_M**2 / 2
    return areas


def _count(places: Floats, areas: Floats, tally: Tally) -> None:
    """Adds the number of buildings and their area in each tile, chunk by chunk."""
    west, south = np.floor(places).astype(np.int64).T
    tiles = (south + 90) * 360 + west + 180
    for tile in np.unique(tiles).tolist():
        here = areas[tiles == tile]
        name = corner_name(tile // 360 - 90, tile % 360 - 180)
        counts, sums = tally.setdefault(name, ([], []))
        counts.append(len(here))
        sums.append(math.fsum(here))


def _polygons(boxes: Floats) -> pa.Array:
    west, south, east, north = boxes.T
    wkb = np.zeros(len(boxes), _POLYGON)
    wkb["order"], wkb["kind"], wkb["rings"], wkb["points"] = 1, 3, 1, 5
    wkb["xy"][:, :, 0] = np.column_stack([west, east, east, west, west])
    wkb["xy"][:, :, 1] = np.column_stack([south, south, north, north, south])
    return _binary(wkb)


def _points(places: Floats) -> pa.Array:
    wkb = np.zeros(len(places), _POINT)
    wkb["order"], wkb["kind"], wkb["xy"] = 1, 1, places
    return _binary(wkb)


def _binary(wkb: NDArray[Any]) -> pa.Array:
    offsets = np.arange(len(wkb) + 1, dtype=np.int32) * wkb.dtype.itemsize
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(wkb.tobytes())]
    return pa.Array.from_buffers(pa.binary(), len(wkb), buffers)


def _geo(shape: Shape) -> dict[str, Any]:
    kind = "Polygon" if shape == "footprint" else "Point"
    column = {"encoding": "WKB", "geometry_types": [kind]}
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
