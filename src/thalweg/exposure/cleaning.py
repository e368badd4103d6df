"""From what a reader gives to sound buildings, and a report of every row that was not.

A row is dropped for the first of the reasons that holds, in the order of `Reason`. A footprint that
is invalid is repaired to its polygonal part; one that has no area becomes a point.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from thalweg.domain.tiles import BoundingBox
from thalweg.exposure.ellipsoid import area_m2
from thalweg.exposure.order import keys
from thalweg.exposure.readers.reading import SourceFile
from thalweg.exposure.reasons import MENDED, REPORT, Reason

type Mask = NDArray[np.bool_]
type Floats = NDArray[np.float64]
type Rows = NDArray[np.intp]

_POINT, _POLYGON, _MULTIPOLYGON = 0, 3, 6
_PLAIN_WKB = [np.array([1, kind, 0, 0, 0], np.uint8) for kind in (1, 3, 6)]
# The widest a building may be in degrees; what is wider was drawn the long way round the globe.
_WIDEST = 180.0

CLEAN = pa.schema(
    [
        pa.field("key", pa.uint64()),
        pa.field("id", pa.string()),
        pa.field("longitude", pa.float64()),
        pa.field("latitude", pa.float64()),
        pa.field("area_m2", pa.float64()),
        pa.field("height_m", pa.float32()),
        pa.field("confidence", pa.float32()),
        pa.field("source", pa.string()),
        pa.field("geometry", pa.binary()),
        *(pa.field(side, pa.float64()) for side in ("xmin", "ymin", "xmax", "ymax")),
    ]
)


@dataclass(frozen=True)
class Wanted:
    """Which buildings of a file are wanted.

    `bounds` hold the centroid. `confidence` is the least that is taken; a building of which none is
    known is taken. `unknown` is the number that stands for no height and no confidence.
    """

    bounds: BoundingBox | None = None
    confidence: float | None = None
    unknown: float | None = None


@dataclass(frozen=True)
class Cleaned:
    """`buildings` of the schema `CLEAN`, `report` of `REPORT`; `outside` and `unconfident` count
    the sound rows that were not wanted."""

    buildings: pa.RecordBatch
    report: pa.RecordBatch
    outside: int = 0
    unconfident: int = 0


@dataclass
class _Verdicts:
    """The reason for each row, and which rows still stand."""

    reasons: NDArray[np.object_]
    standing: Mask = field(init=False)

    def __post_init__(self) -> None:
        self.standing = self.reasons == None  # noqa: E711

    def drop(self, which: Mask, reason: Reason) -> None:
        which = which & self.standing
        self.reasons[which] = reason.value
        self.standing &= ~which

    def note(self, which: Mask, reason: Reason) -> None:
        """A row that is kept has room for one reason, the first."""
        self.reasons[which & self.standing & (self.reasons == None)] = reason.value  # noqa: E711


def clean(batch: pa.RecordBatch, file: SourceFile, wanted: Wanted) -> Cleaned:
    """Sorts the rows of a reader's batch into buildings, reported rows and those not wanted."""
    verdicts = _Verdicts(batch["problem"].to_numpy(zero_copy_only=False))
    raw = batch["geometry"].to_numpy(zero_copy_only=False)
    geometries = shapely.from_wkb(raw, on_invalid="ignore")
    deep = shapely.has_z(geometries)
    geometries[deep] = shapely.force_2d(geometries[deep])
    absent = shapely.is_missing(geometries)
    given = batch["geometry"].is_valid().to_numpy(zero_copy_only=False)
    verdicts.drop(absent & given, Reason.DAMAGED_GEOMETRY)
    verdicts.drop(absent | shapely.is_empty(geometries), Reason.NO_GEOMETRY)
    _judge_places(geometries, wanted, verdicts)
    kinds = shapely.get_type_id(geometries)
    verdicts.drop(~np.isin(kinds, (_POINT, _POLYGON, _MULTIPOLYGON)), Reason.WRONG_KIND)
    confidence = _known(batch["confidence"], wanted)
    verdicts.drop((confidence < 0) | (confidence > 1), Reason.CONFIDENCE)
    geometries[~verdicts.standing] = None
    areas = _mend(geometries, verdicts)
    centres = shapely.centroid(geometries)
    longitude, latitude = shapely.get_x(centres), shapely.get_y(centres)
    inside = verdicts.standing & _within(longitude, latitude, wanted.bounds)
    least = -np.inf if wanted.confidence is None else wanted.confidence
    taken = inside & ~(confidence < least)
    height = _known(batch["height"], wanted)
    unusable = (height < 0) | np.isinf(height)
    verdicts.note(unusable, Reason.HEIGHT)
    height[unusable] = np.nan
    declared = _plain(batch["area"].fill_null(np.nan))
    rows = np.flatnonzero(taken)
    buildings = pa.RecordBatch.from_arrays(
        [
            pa.array(keys(longitude[rows], latitude[rows])),
            _ids(batch, file, rows),
            pa.array(longitude[rows]),
            pa.array(latitude[rows]),
            pa.array(np.where(areas > 0, areas, declared)[rows], from_pandas=True),
            pa.array(height[rows].astype(np.float32), from_pandas=True),
            pa.array(confidence[rows].astype(np.float32), from_pandas=True),
            batch["source"].take(pa.array(rows)),
            _wkb(geometries, batch["geometry"], deep | (verdicts.reasons != None), rows),  # noqa: E711
            *(pa.array(side) for side in shapely.bounds(geometries[rows]).T),
        ],
        schema=CLEAN,
    )
    # What was mended in a row that nobody wanted is nobody's concern.
    told = (verdicts.reasons != None) & (taken | ~verdicts.standing)  # noqa: E711
    return Cleaned(
        buildings,
        _report(batch, file, verdicts.reasons, told),
        outside=int((verdicts.standing & ~inside).sum()),
        unconfident=int((inside & ~taken).sum()),
    )


def _judge_places(geometries: NDArray[np.object_], wanted: Wanted, verdicts: _Verdicts) -> None:
    points, owner = shapely.get_coordinates(geometries, return_index=True)
    finite = np.isfinite(points)
    if not finite.all():
        not_finite = np.zeros(len(geometries), np.bool_)
        not_finite[owner[~finite.all(axis=1)]] = True
        verdicts.drop(not_finite, Reason.NOT_FINITE)
        geometries[not_finite] = None
    west, south, east, north = shapely.bounds(geometries).T
    beyond = ~_on_globe(west, south, east, north)
    swapped = beyond & _on_globe(south, west, north, east)
    if wanted.bounds is not None:
        longitude, latitude = (west + east) / 2, (south + north) / 2
        here = _within(longitude, latitude, wanted.bounds)
        swapped |= ~here & _within(latitude, longitude, wanted.bounds)
    verdicts.drop(swapped, Reason.SWAPPED)
    verdicts.drop(beyond, Reason.OUT_OF_RANGE)
    verdicts.drop(east - west > _WIDEST, Reason.ANTIMERIDIAN)


def _on_globe(west: Floats, south: Floats, east: Floats, north: Floats) -> Mask:
    return (west >= -180) & (east <= 180) & (south >= -90) & (north <= 90)


def _within(longitude: Floats, latitude: Floats, bounds: BoundingBox | None) -> Mask:
    """Whether points lie in a box; its west and south sides belong to it, the others do not."""
    if bounds is None:
        return np.ones(len(longitude), np.bool_)
    east, west = longitude < bounds.east, longitude >= bounds.west
    across = (east & west) if bounds.west <= bounds.east else (east | west)
    return across & (latitude >= bounds.south) & (latitude < bounds.north)


def _mend(geometries: NDArray[np.object_], verdicts: _Verdicts) -> Floats:
    """Repairs footprints in place, makes points of those that have no area; gives the areas."""
    invalid = verdicts.standing & ~shapely.is_valid(geometries)
    broken = np.flatnonzero(invalid)
    whole = shapely.make_valid(geometries[broken])
    geometries[broken] = [_areal(one) for one in whole]
    areas = area_m2(geometries)
    flat = verdicts.standing & (shapely.get_dimensions(geometries) == 2) & ~(areas > 0)
    lost = invalid & (shapely.is_empty(geometries) | shapely.is_missing(geometries))
    flat |= lost
    geometries[broken[lost[broken]]] = whole[lost[broken]]
    geometries[flat] = shapely.centroid(geometries[flat])
    verdicts.note(flat, Reason.NO_AREA)
    verdicts.note(invalid, Reason.REPAIRED)
    return areas


def _areal(geometry: shapely.Geometry) -> shapely.Geometry:
    """The polygons of a geometry."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    areal = parts[shapely.get_dimensions(parts) == 2]
    return areal[0] if len(areal) == 1 else shapely.multipolygons(areal)


def _known(column: pa.Array, wanted: Wanted) -> Floats:
    """NaN where nothing is known; what is given as NaN is held as minus infinity."""
    known = _plain(column.fill_null(np.inf))
    known = np.where(np.isnan(known), -np.inf, known)
    known[~np.array(column.is_valid())] = np.nan
    if wanted.unknown is not None:
        known[known == wanted.unknown] = np.nan
    return known


def _plain(column: pa.Array) -> Floats:
    floats: Floats = column.to_numpy(zero_copy_only=False).astype(np.float64)
    return floats


def _wkb(
    geometries: NDArray[np.object_], given: pa.BinaryArray, changed: Mask, rows: Rows
) -> pa.Array:
    """The geometries of rows as little-endian WKB; what came so and was not changed stays as is."""
    anew = (changed | ~_is_plain(given))[rows]
    kept = given.take(pa.array(rows))
    if not anew.any():
        return kept
    written = kept.to_numpy(zero_copy_only=False)
    written[anew] = shapely.to_wkb(geometries[rows[anew]])
    return pa.array(written, pa.binary())


def _is_plain(wkb: pa.BinaryArray) -> Mask:
    """Which are little-endian WKB of two dimensions, by their first bytes."""
    _, offsets, data = wkb.buffers()
    starts = np.frombuffer(offsets, np.int32)[wkb.offset : wkb.offset + len(wkb) + 1]
    octets = np.frombuffer(data or b"", np.uint8)
    long_enough = np.diff(starts) >= len(_PLAIN_WKB[0])
    found = np.zeros(len(wkb), np.bool_)
    at = starts[:-1][long_enough, None] + np.arange(len(_PLAIN_WKB[0]))
    heads = octets[at]
    found[long_enough] = np.logical_or.reduce([(heads == head).all(axis=1) for head in _PLAIN_WKB])
    return found


def _ids(batch: pa.RecordBatch, file: SourceFile, rows: Rows) -> pa.Array:
    """The source's own ids; the file and row where it has none."""
    ids = batch["id"].take(pa.array(rows))
    if not ids.null_count:
        return ids
    numbers = batch["row"].take(pa.array(rows)).cast(pa.string())
    made = pa.compute.binary_join_element_wise(file.key, numbers, "#")
    return pa.compute.coalesce(ids, made)


def _report(
    batch: pa.RecordBatch, file: SourceFile, reasons: NDArray[np.object_], told: Mask
) -> pa.RecordBatch:
    rows = np.flatnonzero(told)
    at = pa.array(rows)
    names = reasons[rows]
    kept = np.isin(names.astype(str), [reason.value for reason in MENDED])
    return pa.RecordBatch.from_arrays(
        [
            batch["source"].take(at),
            pa.repeat(pa.scalar(file.key), len(rows)),
            batch["row"].take(at),
            batch["id"].take(at),
            pa.array(names, pa.string()),
            pa.array(kept),
        ],
        schema=REPORT,
    )
