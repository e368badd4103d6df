"""Vector tiles: Mapbox Vector Tile 2.1, https://github.com/mapbox/vector-tile-spec."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

type Geometries = NDArray[np.object_]
type Box = tuple[float, float, float, float]

EXTENT = 4096
BUFFER = 256
_INVISIBLE = 0.25
_FEW = 512  # below it, arrays cost more than they save
_MOVE, _LINE, _CLOSE = 1, 2, 15
_POINT, _LINESTRING, _POLYGON = 1, 2, 3
_KINDS = {0: _POINT, 4: _POINT, 1: _LINESTRING, 5: _LINESTRING, 3: _POLYGON, 6: _POLYGON}


def on_tile(geometries: Geometries, box: Box) -> Geometries:
    """Geometries in the units of a tile, from its upper left corner, cut a little beyond it.

    `box` is the tile's, in the geometries' own units. Coordinates are whole numbers, and polygons
    valid; what is nothing any more is None.
    """
    left, bottom, right, top = box
    scale = np.array([EXTENT / (right - left), -EXTENT / (top - bottom)])
    points = (shapely.get_coordinates(geometries) - (left, top)) * scale
    moved = shapely.set_coordinates(geometries.copy(), points)
    reach = (-BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER)
    boxes = shapely.bounds(moved)
    beyond = (boxes[:, :2] < -BUFFER).any(axis=1) | (boxes[:, 2:] > EXTENT + BUFFER).any(axis=1)
    for at in np.flatnonzero(beyond):
        moved[at] = shapely.clip_by_rect(moved[at], *reach)
    # Fewer points, before anything costly is done to them.
    moved = shapely.simplify(moved, _INVISIBLE, preserve_topology=False)
    crossed = ~shapely.is_valid(moved)
    moved[crossed] = shapely.make_valid(moved[crossed])
    whole = shapely.set_precision(moved, 1.0)
    return _of_dimension(whole, shapely.get_dimensions(geometries))


def layer(
    name: str,
    geometries: Geometries,
    properties: Sequence[Mapping[str, Any]],
) -> bytes:
    """A tile of one layer; properties that are None are left out, geometries with theirs."""
    keys: dict[str, int] = {}
    values: dict[bytes, int] = {}
    body = bytearray(_text(1, name))
    # On screens y grows downwards, which turns all rings round.
    geometries = shapely.orient_polygons(geometries, exterior_cw=False)
    types = shapely.get_type_id(geometries).tolist()
    for lines, type_id, held in zip(_lines_of(geometries), types, properties, strict=True):
        if not lines:
            continue
        tags = [
            number
            for key, value in held.items()
            if value is not None
            for number in (
                keys.setdefault(key, len(keys)),
                values.setdefault(_value(value), len(values)),
            )
        ]
        kind = _KINDS[type_id]
        body += _block(
            2,
            _packed(2, tags) + _varint(3 << 3) + _varint(kind) + _packed(4, _commands(lines, kind)),
        )
    body += b"".join(_text(3, key) for key in keys)
    body += b"".join(_block(4, value) for value in values)
    body += _varint(5 << 3) + _varint(EXTENT) + _varint(15 << 3) + _varint(2)
    return _block(3, bytes(body))


def _of_dimension(geometries: Geometries, dimensions: NDArray[np.int_]) -> Geometries:
    """Without the parts that have become less than they were: lines that were polygons."""
    plain = np.isin(shapely.get_type_id(geometries), list(_KINDS))
    fitting = plain & (shapely.get_dimensions(geometries) == dimensions)
    found: Geometries = geometries.copy()
    found[~fitting | shapely.is_empty(geometries)] = None
    for at in np.flatnonzero(shapely.get_type_id(geometries) == 7):
        parts = [
            one
            for one in shapely.get_parts(geometries[at])
            if shapely.get_dimensions(one) == dimensions[at]
        ]
        found[at] = shapely.union_all(parts) if parts else None
    return found


def _lines_of(geometries: Geometries) -> list[list[list[list[int]]]]:
    """The points of all rings, lines or points of each geometry, all read at once."""
    parts, owners = shapely.get_parts(geometries, return_index=True)
    areal = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    rings, of_part = shapely.get_rings(parts[areal], return_index=True)
    lines = np.concatenate([rings, parts[~areal]])
    owners = np.concatenate([owners[areal][of_part], owners[~areal]])
    points = shapely.get_coordinates(lines).astype(np.int64).tolist()
    found: list[list[list[list[int]]]] = [[] for _ in geometries]
    begin = 0
    for owner, count in zip(
        owners.tolist(), shapely.get_num_coordinates(lines).tolist(), strict=True
    ):
        found[owner].append(points[begin : begin + count])
        begin += count
    return found


def _commands(lines: list[list[list[int]]], kind: int) -> list[int]:
    """The drawing of a geometry (4.3 of the specification)."""
    pen = [0, 0]
    if kind == _POINT:
        points = [point for line in lines for point in line]
        return [_MOVE | len(points) << 3, *_steps(points, pen)]
    commands: list[int] = []
    for line in lines:
        points = line[:-1] if kind == _POLYGON else line
        steps = _steps(points, pen)
        commands += [_MOVE | 1 << 3, *steps[:2], _LINE | len(points) - 1 << 3, *steps[2:]]
        if kind == _POLYGON:
            commands.append(_CLOSE)
        pen = points[-1]
    return commands


def _steps(points: Sequence[Sequence[int]], pen: Sequence[int]) -> list[int]:
    """From point to point, each number in zigzag: 0, -1, 1, -2 as 0, 1, 2, 3."""
    steps: list[int] = []
    x, y = pen
    for to_x, to_y in points:
        right, down = to_x - x, to_y - y
        steps += (right << 1 ^ right >> 63, down << 1 ^ down >> 63)
        x, y = to_x, to_y
    return steps


def _value(value: Any) -> bytes:
    """A value as the message `Value`; what has no type there is told as text."""
    if isinstance(value, bool):
        return _varint(7 << 3) + _varint(int(value))
    if isinstance(value, int):
        if value >= 0:
            return _varint(5 << 3) + _varint(value)
        return _varint(6 << 3) + _varint(~value << 1 | 1)
    if isinstance(value, float):
        return _varint(3 << 3 | 1) + struct.pack("<d", value)
    return _text(1, str(value))


def _packed(field: int, numbers: Sequence[int]) -> bytes:
    if not numbers:
        return b""
    if len(numbers) < _FEW:
        return _block(field, b"".join(map(_varint, numbers)))
    return _block(field, _varints(np.array(numbers, np.uint64)))


def _varints(numbers: NDArray[np.uint64]) -> bytes:
    """Numbers one after the other, each in as many groups of seven bits as it needs."""
    limits = np.array([1 << 7 * groups for groups in range(1, 10)], np.uint64)
    lengths = np.searchsorted(limits, numbers, side="right") + 1
    starts = np.cumsum(lengths) - lengths
    body = np.zeros(int(lengths.sum()), np.uint8)
    for group in range(int(lengths.max())):
        held = lengths > group
        more = np.where(lengths[held] > group + 1, 128, 0).astype(np.uint64)
        bits = numbers[held] >> np.uint64(7 * group) & np.uint64(127)
        body[starts[held] + group] = bits | more
    return body.tobytes()


def _text(field: int, text: str) -> bytes:
    return _block(field, text.encode())


def _block(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    if number < 128:
        return _SHORT[number]
    told = bytearray()
    while number > 127:
        told.append(number & 127 | 128)
        number >>= 7
    told.append(number)
    return bytes(told)


_SHORT = [bytes([number]) for number in range(128)]
