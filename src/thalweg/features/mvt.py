"""Vector tiles: Mapbox Vector Tile 2.1, https://github.com/mapbox/vector-tile-spec."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

type Geometries = NDArray[np.object_]
type Box = tuple[float, float, float, float]

EXTENT = 4096
BUFFER = 256
_INVISIBLE = 0.25
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
    for geometry, held in zip(geometries, properties, strict=True):
        if geometry is None or geometry.is_empty:
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
        kind = _KINDS[shapely.get_type_id(geometry)]
        body += _block(
            2,
            _packed(2, tags)
            + _varint(3 << 3)
            + _varint(kind)
            + _packed(4, _commands(geometry, kind)),
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


def _commands(geometry: Any, kind: int) -> list[int]:
    """The drawing of a geometry (4.3 of the specification)."""
    if kind == _POLYGON:
        # On screens y grows downwards, which turns all rings round.
        oriented = shapely.orient_polygons(geometry, exterior_cw=False)
        return _drawn(shapely.get_rings(shapely.get_parts(oriented)), closed=True)
    if kind == _LINESTRING:
        return _drawn(shapely.get_parts(geometry), closed=False)
    points = shapely.get_coordinates(geometry).astype(np.int64)
    return [_MOVE | len(points) << 3, *_zigzag(np.diff(points, axis=0, prepend=[[0, 0]]))]


def _drawn(lines: Iterable[Any], *, closed: bool) -> list[int]:
    commands: list[int] = []
    pen = np.zeros(2, np.int64)
    for line in lines:
        points = shapely.get_coordinates(line).astype(np.int64)
        if closed:
            points = points[:-1]
        steps = _zigzag(np.diff(points, axis=0, prepend=pen[None]))
        commands += [_MOVE | 1 << 3, *steps[:2], _LINE | len(points) - 1 << 3, *steps[2:]]
        if closed:
            commands.append(_CLOSE)
        pen = points[-1]
    return commands


def _zigzag(steps: NDArray[np.int64]) -> list[int]:
    flat = steps.ravel()
    zigzag: list[int] = ((flat << 1) ^ (flat >> 63)).tolist()
    return zigzag


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
    return _block(field, _varints(np.array(numbers, np.uint64))) if numbers else b""


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
