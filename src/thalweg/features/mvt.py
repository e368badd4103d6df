"""Vector tiles: Mapbox Vector Tile 2.1, https://github.com/mapbox/vector-tile-spec.

All geometries of a layer are placed, drawn and written at once, in arrays.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

type Geometries = NDArray[np.object_]
type Box = tuple[float, float, float, float]
type Numbers = NDArray[np.int64]

EXTENT = 4096
BUFFER = 256
_INVISIBLE = 0.25
_MOVE, _LINE, _CLOSE = 1, 2, 15
_POINT, _LINESTRING, _POLYGON = 1, 2, 3
_KINDS = {0: _POINT, 4: _POINT, 1: _LINESTRING, 5: _LINESTRING, 3: _POLYGON, 6: _POLYGON}
_DOUBLE = struct.Struct("<3sd")
_FEWEST_SIMPLIFIED = 6  # a square with its closing point is as simple as can be


# GEOS divides by the width of slivers, however thin they are, before they vanish.
@np.errstate(divide="ignore", invalid="ignore")
def on_tile(geometries: Geometries, box: Box, tolerance: float = _INVISIBLE) -> Geometries:
    """Geometries in the units of a tile, from its upper left corner, cut a little beyond it.

    `box` is the tile's, in the geometries' own units; what moves outlines by less than `tolerance`
    units of the tile is left out. Coordinates are whole numbers, and polygons valid; what is
    nothing any more is None.
    """
    left, bottom, right, top = box
    scale = np.array([EXTENT / (right - left), -EXTENT / (top - bottom)])
    points = (shapely.get_coordinates(geometries) - (left, top)) * scale
    moved = shapely.set_coordinates(geometries.copy(), points)
    boxes = shapely.bounds(moved)
    beyond = (boxes[:, :2] < -BUFFER).any(axis=1) | (boxes[:, 2:] > EXTENT + BUFFER).any(axis=1)
    reach = (-BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER)
    moved[beyond] = shapely.clip_by_rect(moved[beyond], *reach)
    # Fewer points, before anything costly is done to them.
    detailed = shapely.get_num_coordinates(moved) >= _FEWEST_SIMPLIFIED
    moved[detailed] = shapely.simplify(moved[detailed], tolerance, preserve_topology=False)
    whole = shapely.set_coordinates(moved.copy(), np.rint(shapely.get_coordinates(moved)))
    # Few cross themselves or vanish when they are rounded, and to mend them takes long.
    crossed = ~shapely.is_valid(whole)
    whole[crossed] = shapely.set_precision(shapely.make_valid(moved[crossed]), 1.0)
    return _of_dimension(whole, shapely.get_dimensions(geometries))


def layer(
    name: str,
    geometries: Geometries,
    columns: Mapping[str, Sequence[Any]],
) -> bytes:
    """A tile of one layer; values of columns that are None are left out, geometries with theirs.

    Tiles of several layers are those of each, one after the other; that of none is empty.
    """
    shown = np.flatnonzero(~shapely.is_missing(geometries))
    if not len(shown):
        return b""
    # On screens y grows downwards, which turns all rings round.
    drawn = shapely.orient_polygons(geometries[shown], exterior_cw=False)
    kinds = [_KINDS[type_id] for type_id in shapely.get_type_id(drawn).tolist()]
    held = shown.tolist()
    values, tags = _tagged([[column[at] for at in held] for column in columns.values()], len(held))
    features = [
        _block(2, b"%b\x18%c%b" % (_block(2, told), kind, _block(4, drawing)))
        for told, kind, drawing in zip(tags, kinds, _drawings(drawn), strict=True)
    ]
    return _block(
        3,
        b"".join(
            [
                _text(1, name),
                *features,
                *(_text(3, key) for key in columns),
                *values,
                _varint(5 << 3) + _varint(EXTENT) + _varint(15 << 3) + _varint(2),
            ]
        ),
    )


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


def _tagged(columns: Sequence[Sequence[Any]], count: int) -> tuple[list[bytes], Iterator[bytes]]:
    """Values, each once, and of each feature the numbers of its own and of their columns."""
    values: dict[bytes, int] = {}
    tags = np.full((count, len(columns), 2), -1, np.int64)
    for number, column in enumerate(columns):
        tags[:, number, 0] = number
        tags[:, number, 1] = [
            -1 if value is None else values.setdefault(_value(value), len(values))
            for value in column
        ]
    held = tags[:, :, 1] >= 0
    ends = np.append(0, np.cumsum(2 * held.sum(axis=1)))
    return list(values), _split(tags[held].ravel(), ends)


def _drawings(geometries: Geometries) -> Iterator[bytes]:
    """The drawing of each geometry (4.3 of the specification), all of whole numbers."""
    lines, owners, closed = _lines_of(geometries)
    points = shapely.get_coordinates(lines).astype(np.int64)
    of_line = np.repeat(np.arange(len(lines)), shapely.get_num_coordinates(lines))
    # Without what is drawn twice, and without the point that closes a ring.
    twice = ~_begins(of_line)
    twice[1:] &= (points[1:] == points[:-1]).all(axis=1)
    points, of_line = points[~twice], of_line[~twice]
    closing = closed[of_line] & np.roll(_begins(of_line), -1)
    points, of_line = points[~closing], of_line[~closing]
    owner = owners[of_line]
    dots = shapely.get_dimensions(geometries) == 0

    steps = np.diff(points, axis=0, prepend=[[0, 0]])
    first_of_owner = _begins(owner)
    steps[first_of_owner] = points[first_of_owner]
    steps = steps << 1 ^ steps >> 63
    # A run is what one pair of commands draws: a line, or all points of a geometry of points.
    begins = np.where(dots[owner], first_of_owner, _begins(of_line))
    starts = np.flatnonzero(begins)
    counts = np.diff(starts, append=len(points))
    dotted, ring = dots[owner[starts]], closed[of_line[starts]]
    lengths = 1 + 2 * counts + ~dotted + ring
    at = np.cumsum(lengths) - lengths

    numbers = np.empty(int(lengths.sum()), np.int64)
    within = np.arange(len(points)) - np.repeat(starts, counts)
    places = np.repeat(at + 1, counts) + 2 * within + ((within > 0) & ~np.repeat(dotted, counts))
    numbers[places], numbers[places + 1] = steps.T
    numbers[at] = _MOVE | np.where(dotted, counts, 1) << 3
    numbers[at[~dotted] + 3] = _LINE | (counts[~dotted] - 1) << 3
    numbers[(at + lengths)[ring] - 1] = _CLOSE
    ends = np.append(at[_begins(owner[starts])], len(numbers))
    return _split(numbers, ends)


def _lines_of(geometries: Geometries) -> tuple[Geometries, Numbers, NDArray[np.bool_]]:
    """All rings, lines and points, the number of the geometry of each, and whether it is a ring."""
    parts, owners = shapely.get_parts(geometries, return_index=True)
    areal = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    rings, of_part = shapely.get_rings(parts[areal], return_index=True)
    lines = np.concatenate([rings, parts[~areal]])
    owners = np.concatenate([owners[areal][of_part], owners[~areal]])
    order = np.argsort(owners, kind="stable")
    return lines[order], owners[order], order < len(rings)


def _begins(numbers: Numbers) -> NDArray[np.bool_]:
    """Where another number begins than stood before."""
    begins: NDArray[np.bool_] = np.diff(numbers, prepend=-1) != 0
    return begins


def _value(value: Any) -> bytes:
    """A value as a layer holds it; what has no type there is told as text."""
    if isinstance(value, str):
        return _block(4, _text(1, value))
    if isinstance(value, float):
        return _DOUBLE.pack(b"\x22\x09\x19", value)
    if isinstance(value, bool):
        return b"\x22\x02\x38%c" % value
    if isinstance(value, int):
        signed = b"\x30" + _varint(~value << 1 | 1) if value < 0 else b"\x28" + _varint(value)
        return _block(4, signed)
    return _block(4, _text(1, str(value)))


def _split(numbers: Numbers, ends: Numbers) -> Iterator[bytes]:
    """Numbers as varints, cut at `ends`, of which the first is 0: in groups of seven bits."""
    unsigned = numbers.astype(np.uint64)
    limits = np.array([1 << 7 * groups for groups in range(1, 10)], np.uint64)
    lengths = np.searchsorted(limits, unsigned, side="right") + 1
    starts = np.append(0, np.cumsum(lengths))
    body = np.zeros(int(starts[-1]), np.uint8)
    for group in range(int(lengths.max(initial=0))):
        held = lengths > group
        more = np.where(lengths[held] > group + 1, 128, 0).astype(np.uint64)
        bits = unsigned[held] >> np.uint64(7 * group) & np.uint64(127)
        body[starts[:-1][held] + group] = bits | more
    written = body.tobytes()
    return (written[begin:end] for begin, end in pairwise(starts[ends].tolist()))


def _text(field: int, text: str) -> bytes:
    return _block(field, text.encode())


def _block(field: int, body: bytes) -> bytes:
    if len(body) < 128:  # most are, and this is done for every value and feature
        return b"%c%c%b" % (field << 3 | 2, len(body), body)
    return b"%c%b%b" % (field << 3 | 2, _varint(len(body)), body)


def _varint(number: int) -> bytes:
    told = bytearray()
    while number > 127:
        told.append(number & 127 | 128)
        number >>= 7
    told.append(number)
    return bytes(told)
