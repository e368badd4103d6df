"""Mapbox Vector Tiles, version 2.1, of polygons and points in longitude and latitude."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

EXTENT = 4096
BUFFER = 64
MOST_LATITUDE = 85.051129
_SIMPLER = 4
"""In units of the tile: half a pixel of a tile that is drawn 512 pixels wide."""
_POINT, _POLYGON = 1, 3
_MOVE, _LINE, _CLOSE = 1, 2, 7

type Units = NDArray[np.int64]


@dataclass(frozen=True)
class Layer:
    """Geometries in longitude and latitude, and one text each, which the tile calls `name`."""

    name: str
    geometries: Sequence[BaseGeometry]
    texts: Sequence[str]


def tile_bounds(z: int, x: int, y: int) -> tuple[float, float, float, float]:
    """West, south, east and north of a Web Mercator tile with its buffer, in degrees."""
    around = BUFFER / EXTENT
    south, north = _latitude((y + 1 + around) / 2**z), _latitude((y - around) / 2**z)
    west, east = (x - around) / 2**z * 360 - 180, (x + 1 + around) / 2**z * 360 - 180
    return max(west, -180), max(south, -MOST_LATITUDE), min(east, 180), min(north, MOST_LATITUDE)


def encoded(layers: Iterable[Layer], z: int, x: int, y: int) -> bytes:
    """The tile of some layers; layers with nothing in it are left out."""
    return b"".join(_field(3, _layer(layer, z, x, y)) for layer in layers if layer.geometries)


def _layer(layer: Layer, z: int, x: int, y: int) -> bytes:
    features: list[bytes] = []
    texts: list[str] = []
    for geometry, text in zip(layer.geometries, layer.texts, strict=True):
        commands, kind = _commands(geometry, z, x, y)
        if commands:
            tags = _packed([0, len(texts)])
            features.append(
                _field(2, tags) + _varint(3 << 3) + _varint(kind) + _field(4, _packed(commands))
            )
            texts.append(text)
    return b"".join(
        [
            _field(1, layer.name.encode()),
            *(_field(2, feature) for feature in features),
            _field(3, b"name"),
            *(_field(4, _field(1, text.encode())) for text in texts),
            _varint(5 << 3) + _varint(EXTENT),
            _varint(15 << 3) + _varint(2),
        ]
    )


def _commands(geometry: BaseGeometry, z: int, x: int, y: int) -> tuple[list[int], int]:
    """The commands of a geometry that is clipped already, and its type."""
    if geometry.geom_type == "Point":
        at = _units(shapely.get_coordinates(geometry), z, x, y)
        inside = bool(((at >= 0) & (at < EXTENT)).all())
        return ([_command(_MOVE, 1), *_zigzag(at[0])] if inside else []), _POINT
    cursor = np.zeros(2, np.int64)
    commands: list[int] = []
    parts = shapely.get_parts(geometry)
    for part in parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]:
        # Outer rings first, and the other way round than holes, with y downwards.
        for n, ring in enumerate([part.exterior, *part.interiors]):
            points = _ring(_units(shapely.get_coordinates(ring), z, x, y), outer=n == 0)
            if points is None:
                if n == 0:
                    break
                continue
            steps = np.diff(points, axis=0, prepend=cursor[None])
            numbers = _zigzag(steps.ravel())
            commands += [_command(_MOVE, 1), *numbers[:2]]
            commands += [_command(_LINE, len(points) - 1), *numbers[2:], _command(_CLOSE, 1)]
            cursor = points[-1]
    return commands, _POLYGON


def _ring(points: Units, *, outer: bool) -> Units | None:
    """The corners of a ring without the last; None where it has no area in the tile's units."""
    changes = np.any(np.diff(points, axis=0) != 0, axis=1)
    corners = points[:-1][changes]
    if len(corners) < 3:
        return None
    a, b = corners.T
    doubled = int(np.sum(a * np.roll(b, -1) - np.roll(a, -1) * b))
    if doubled == 0:
        return None
    return corners if (doubled > 0) == outer else corners[::-1]


def _units(points: NDArray[np.float64], z: int, x: int, y: int) -> Units:
    longitude, latitude = points.T
    sine = np.sin(np.radians(np.clip(latitude, -MOST_LATITUDE, MOST_LATITUDE)))
    across = (longitude + 180) / 360
    down = 0.5 - np.log((1 + sine) / (1 - sine)) / (4 * math.pi)
    tiles = np.column_stack([across, down]) * 2**z - (x, y)
    units: Units = np.rint(tiles * EXTENT).astype(np.int64)
    return units


def clipped(geometries: Sequence[BaseGeometry], z: int, x: int, y: int) -> NDArray[np.object_]:
    """The geometries within a tile and its buffer, as simple as it can show them."""
    west, south, east, north = tile_bounds(z, x, y)
    within = shapely.clip_by_rect(np.asarray(geometries, object), west, south, east, north)
    simpler: NDArray[np.object_] = shapely.simplify(
        within, _SIMPLER / EXTENT * 360 / 2**z, preserve_topology=False
    )
    return simpler


def _latitude(down: float) -> float:
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * down))))


def _command(kind: int, times: int) -> int:
    return kind | times << 3


def _zigzag(numbers: Units) -> list[int]:
    found: list[int] = ((numbers << 1) ^ (numbers >> 63)).tolist()
    return found


def _packed(numbers: Iterable[int]) -> bytes:
    return b"".join(map(_varint, numbers))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    parts: list[Any] = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
