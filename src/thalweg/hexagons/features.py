"""Points, lines and polygons of a vector file, batch by batch: the sound ones, in WGS 84.

Rows that cannot be used are reported as faults, never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from thalweg.errors import UnreadableFeatures
from thalweg.hexagons.faults import Fault, Faults, faults_at
from thalweg.hexagons.records import Records, Source, read_records
from thalweg.hexagons.sphere import (
    Geometries,
    crosses_antimeridian,
    cut_at_antimeridian,
    cut_line_at_antimeridian,
)

type Floats = NDArray[np.float64]
type Indices = NDArray[np.intp]
type Reasons = dict[int, tuple[str, str]]
"""By position why a row cannot be used, and what stands there."""

NO_GEOMETRY = "no geometry"
DAMAGED = "a geometry that cannot be read"
EMPTY = "an empty geometry"
NOT_FINITE = "a coordinate that is not finite, or outside the area of its reference system"
COLLECTION = "neither points, lines nor polygons"
OUT_OF_RANGE = "a coordinate beyond 180 or 90 degrees"
INVALID = "an invalid geometry"
NO_NUMBER = "no number in {}"
TEXT = "text instead of a number in {}"
NUMBER_NOT_FINITE = "a number that is not finite in {}"

_WGS84 = CRS.from_epsg(4326)
_LONGITUDE_LATITUDE = (("EPSG", "4326"), ("OGC", "CRS84"))
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_COLLECTION = 7


@dataclass(frozen=True)
class Features:
    """Sound features [n]: geometries of longitude and latitude, cut at the antimeridian.

    `categories` are texts or None. `numbers` [n, columns] are 0 where a fault was reported.
    """

    geometries: Geometries
    categories: NDArray[np.object_]
    numbers: Floats


def read_features(source: Source, faults: Faults) -> Iterator[Features]:
    """The features of a file, a batch at a time; `faults` takes up what is left out.

    Raises `UnreadableFeatures`, `MissingColumn` or `UnknownFormat`.
    """
    transformer: Transformer | None = None
    for batch in read_records(source, faults):
        if batch.crs is not None:
            transformer = to_wgs84(batch.crs, source.where)
        faults.rows += len(batch.rows)
        geometries, sound = sound_geometries(batch, source, transformer, faults)
        yield Features(
            geometries,
            _categories(batch, source)[sound],
            _all_numbers(batch, source, sound, faults),
        )


def sound_geometries(
    batch: Records, source: Source, transformer: Transformer | None, faults: Faults
) -> tuple[Geometries, Indices]:
    """The sound geometries of a batch, in WGS 84 and cut at the antimeridian, and their positions;
    `faults` takes up the others."""
    geometries, wrong = _geometries(batch, source)
    _reproject(geometries, transformer)
    wrong |= _misplaced(geometries, _without(wrong, len(batch.rows)))
    _cut(geometries, _without(wrong, len(batch.rows)))
    wrong |= _invalid(geometries, _without(wrong, len(batch.rows)))
    told = (Fault(source.where, int(batch.rows[at]), *why) for at, why in wrong.items())
    faults.add(told, whole_rows=True)
    sound = _without(wrong, len(batch.rows))
    return geometries[sound], sound


def _without(wrong: Reasons, count: int) -> Indices:
    """The positions of rows that nothing is known against."""
    return np.setdiff1d(np.arange(count), list(wrong))


def numbers(column: pa.Array, name: str) -> tuple[Floats, Reasons]:
    """The numbers of a column, and by position why some are none: NaN there."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    known = column
    if not _is_numeric(column.type):
        text = pc.utf8_trim_whitespace(column.cast(pa.string()))
        known = pc.if_else(pc.match_substring_regex(text, _NUMBER), text, None)
    values = known.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).copy()
    faulty = np.flatnonzero(~np.isfinite(values))
    values[faulty] = np.nan
    told = [column[at].as_py() for at in faulty.tolist()]
    return values, {at: _why(value, name) for at, value in zip(faulty.tolist(), told, strict=True)}


def _why(value: object, name: str) -> tuple[str, str]:
    if value is None or value == "":
        return NO_NUMBER.format(name), ""
    return (TEXT if isinstance(value, str) else NUMBER_NOT_FINITE).format(name), str(value)


def _is_numeric(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _geometries(batch: Records, source: Source) -> tuple[Geometries, Reasons]:
    """The geometries as they stand in the file, and those that cannot be read."""
    if batch.geometry is None:
        x, no_x = numbers(batch.table[source.longitude], source.longitude)
        y, no_y = numbers(batch.table[source.latitude], source.latitude)
        return shapely.points(x, y), no_y | no_x
    wkb = batch.geometry.to_numpy(zero_copy_only=False)
    read: Geometries = shapely.from_wkb(wkb, on_invalid="ignore")
    if shapely.has_z(read).any():
        read = shapely.force_2d(read)
    absent = np.flatnonzero(shapely.is_missing(read)).tolist()
    return read, {at: (NO_GEOMETRY if wkb[at] is None else DAMAGED, "") for at in absent}


def _misplaced(geometries: Geometries, chosen: Indices) -> Reasons:
    """Geometries that are nowhere or nothing to count, each with the first of the reasons."""
    points, owner = shapely.get_coordinates(geometries[chosen], return_index=True)
    finite = np.isfinite(points).all(axis=1)
    beyond = finite & (np.abs(points) > (180, 90)).any(axis=1)
    tests = {
        EMPTY: np.flatnonzero(shapely.is_empty(geometries[chosen])),
        NOT_FINITE: owner[~finite],
        COLLECTION: np.flatnonzero(shapely.get_type_id(geometries[chosen]) == _COLLECTION),
        OUT_OF_RANGE: owner[beyond],
    }
    wrong: Reasons = {}
    for reason, found in tests.items():
        for at in chosen[np.unique(found)].tolist():
            wrong.setdefault(at, (reason, ""))
    return wrong


def _invalid(geometries: Geometries, chosen: Indices) -> Reasons:
    """Geometries that break the rules of their kind, and how."""
    held = geometries[chosen]
    broken = chosen[~shapely.is_valid(held) | shapely.is_empty(held)].tolist()
    return {at: (INVALID, str(shapely.is_valid_reason(geometries[at]))) for at in broken}


def _cut(geometries: Geometries, chosen: Indices) -> None:
    """Cuts at the antimeridian what jumps over it, in place."""
    chosen = chosen[shapely.get_dimensions(geometries[chosen]) > 0]
    for at in chosen[crosses_antimeridian(geometries[chosen])].tolist():
        geometries[at] = cut_at_antimeridian(geometries[at])
    for at in chosen[_lines_jump(geometries[chosen])].tolist():
        geometries[at] = cut_line_at_antimeridian(geometries[at])


def _lines_jump(geometries: Geometries) -> NDArray[np.bool_]:
    lines = np.flatnonzero(shapely.get_dimensions(geometries) == 1)
    parts, owner = shapely.get_parts(geometries[lines], return_index=True)
    points, part = shapely.get_coordinates(parts, return_index=True)
    jumps = (part[1:] == part[:-1]) & (np.abs(np.diff(points[:, 0])) > 180)
    found = np.zeros(len(geometries), np.bool_)
    found[lines[owner[part[1:][jumps]]]] = True
    return found


def _categories(batch: Records, source: Source) -> NDArray[np.object_]:
    if not source.category:
        return np.full(len(batch.rows), None, object)
    column = batch.table[source.category]
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    texts: NDArray[np.object_] = column.cast(pa.string()).to_numpy(zero_copy_only=False)
    return texts


def _all_numbers(batch: Records, source: Source, sound: Indices, faults: Faults) -> Floats:
    values = np.zeros((len(sound), len(source.sums)))
    wrong: list[Fault] = []
    for index, name in enumerate(source.sums):
        column, missing = numbers(batch.table[name].take(pa.array(sound)), name)
        values[:, index] = np.nan_to_num(column)
        rows = batch.rows[sound]
        for at, (reason, text) in missing.items():
            wrong += faults_at(source.where, [rows[at]], reason, [text])
    faults.add(wrong, whole_rows=False)
    return values


def _reproject(geometries: Geometries, transformer: Transformer | None) -> None:
    if transformer is not None:
        points = shapely.get_coordinates(geometries)
        moved = np.column_stack(transformer.transform(*points.T))
        shapely.set_coordinates(geometries, moved)


def to_wgs84(name: str, where: str) -> Transformer | None:
    """What brings coordinates of a reference system to longitude and latitude; None: nothing."""
    try:
        crs = CRS.from_user_input(name)
    except CRSError as error:
        raise UnreadableFeatures(f"unknown reference system: {error}", where=where) from error
    if crs.to_authority() in _LONGITUDE_LATITUDE:
        return None
    return Transformer.from_crs(crs, _WGS84, always_xy=True)
