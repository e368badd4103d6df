"""Outlines of countries and other areas by code: Natural Earth's, or a file of the user's."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform as reproject
from shapely.geometry.base import BaseGeometry

from thalweg.errors import MissingColumn, OutlinesMissing, UnknownPlace, UnreadableOutlines
from thalweg.hexagons.bounds import Degrees, ancestor_boxes
from thalweg.hexagons.cells import Cells, cell_centres
from thalweg.hexagons.sphere import (
    Geometries,
    crosses_antimeridian,
    cut_at_antimeridian,
)

type Scale = Literal["10m", "50m"]

SCALES: tuple[Scale, ...] = ("10m", "50m")
DATA_FOLDER = Path(__file__).parent / "data"
_CELLS_AT_ONCE = 1 << 16
_UNDECIDED = -1
_LONGITUDE_LATITUDE = ("EPSG:4326", "OGC:CRS84")
_WGS84 = CRS.from_epsg(4326)


@dataclass(frozen=True)
class Outlines:
    """Areas with a code each, in WGS 84, valid and cut at the antimeridian.

    An area without a code (disputed land, in Natural Earth) has None; one code may have several
    outlines.
    """

    codes: tuple[str | None, ...]
    geometries: Geometries
    where: str

    def of(self, code: str) -> BaseGeometry:
        """The whole outline of a code, upper or lower case; raises `UnknownPlace`."""
        known = {one.casefold() for one in self.codes if one is not None}
        wanted = code.casefold()
        if wanted not in known:
            near = difflib.get_close_matches(wanted, known, n=3)
            hint = ", ".join(one for one in self.codes if one and one.casefold() in near)
            raise UnknownPlace(
                f"no outline has the code {code!r}",
                hint=f"did you mean {hint}?" if near else f"it holds {len(known)} other codes",
                where=self.where,
            )
        chosen = [one is not None and one.casefold() == wanted for one in self.codes]
        return shapely.union_all(self.geometries[np.array(chosen)])

    def codes_around(self, codes: Iterable[str], around: Outlines) -> list[str | None]:
        """The code of the area of other outlines that each of these areas lies in, if any.

        A point on the surface of its largest outline tells, for outlines of two files never agree
        on a border.
        """
        largest = dict[str | None, int]()
        for index in np.argsort(shapely.area(self.geometries), kind="stable").tolist():
            largest[self.codes[index]] = index
        chosen = self.geometries[[largest[code] for code in codes]]
        return around.codes_at(shapely.get_coordinates(shapely.point_on_surface(chosen)))

    def codes_at(self, points: NDArray[np.float64]) -> list[str | None]:
        """The code of the area that each point [n, 2] (longitude, latitude) lies in, if any.

        On a common border the first area in the order of the file has it.
        """
        return self.codes_of(self.areas_at(points))

    def codes_of(self, areas: NDArray[np.intp]) -> list[str | None]:
        """The codes of areas by their number, as many as there are for none."""
        codes = (*self.codes, None)
        return [codes[index] for index in areas.tolist()]

    def areas_at(self, points: NDArray[np.float64]) -> NDArray[np.intp]:
        """As `codes_at`, the areas by number."""
        area = np.full(len(points), len(self.codes), np.intp)
        if len(points):
            around = shapely.box(*points.min(axis=0), *points.max(axis=0))
            boxes = self._boxes()
            for index in np.flatnonzero(shapely.intersects(boxes, around))[::-1]:
                near = np.flatnonzero(shapely.intersects_xy(boxes[index], points))
                shapely.prepare(self.geometries[index])
                area[near[shapely.intersects_xy(self.geometries[index], points[near])]] = index
        return area

    def areas_around(
        self, west: Degrees, south: Degrees, east: Degrees, north: Degrees
    ) -> NDArray[np.intp]:
        """The area by number that all points of each box lie in, or `_UNDECIDED`: they may differ.

        Boxes that reach over the antimeridian are left undecided.
        """
        asked = shapely.box(west, south, east, north)
        area = np.full(len(asked), len(self.codes), np.intp)
        boxes = self._boxes()
        around = shapely.box(west.min(), south.min(), east.max(), north.max())
        for index in np.flatnonzero(shapely.intersects(boxes, around)):
            shapely.prepare(self.geometries[index])
            near = np.flatnonzero(shapely.intersects(self.geometries[index], asked))
            within = shapely.contains_properly(self.geometries[index], asked[near])
            first = area[near] == len(self.codes)
            area[near] = np.where(within & first, index, _UNDECIDED)
        area[(west < -180) | (east > 180)] = _UNDECIDED
        return area

    def _boxes(self) -> Geometries:
        boxes: Geometries = shapely.box(*shapely.bounds(self.geometries).T)
        return boxes


def cell_codes(cells: Cells, outlines: Outlines) -> list[str | None]:
    """The code of the area that each cell's own centre lies in; None at sea."""
    if len(cells) == 0:
        return []
    ancestors = ancestor_boxes(cells)
    known = outlines.areas_around(*ancestors.boxes)[ancestors.box_of_cell]
    undecided = np.flatnonzero(known == _UNDECIDED)
    for start in range(0, len(undecided), _CELLS_AT_ONCE):
        some = undecided[start : start + _CELLS_AT_ONCE]
        known[some] = outlines.areas_at(cell_centres(cells[some]))
    return outlines.codes_of(known)


def outlines_file(scale: Scale) -> Path:
    """Where the outlines of countries lie, if they were made."""
    return DATA_FOLDER / f"countries-{scale}.parquet"


def countries(scale: Scale = "10m") -> Outlines:
    """Natural Earth's countries by ISO 3166-1 alpha-3 code, at 1:10 or 1:50 million.

    Kosovo has XKX. Disputed areas have no code. Raises `OutlinesMissing`.
    """
    path = outlines_file(scale)
    if not path.exists():
        raise OutlinesMissing(
            hint="install Node.js with npm and call script/outlines in a checkout, or name a file "
            "of outlines of your own and the column of its codes",
            where=str(path),
        )
    return _countries(path)


@lru_cache
def _countries(path: Path) -> Outlines:
    # They were made valid, and cut at the antimeridian, when the file was.
    codes, geometries, _ = _read(path, "iso3")
    return Outlines(tuple(codes), geometries, str(path))


def country_codes(cells: Cells) -> Sequence[str | None]:
    """As `cell_codes` of the countries; kept, as most tables of a run are of the same cells."""
    return _kept_codes(cells.tobytes())


@lru_cache(maxsize=16)
def _kept_codes(cells: bytes) -> Sequence[str | None]:
    return cell_codes(np.frombuffer(cells, np.uint64), countries())


def read_outlines(path: Path, column: str) -> Outlines:
    """The areas of a vector file in any CRS, with their codes from a column.

    Reads GeoParquet, and what GDAL reads: GeoPackage, GeoJSON, FlatGeobuf, Shapefile and others.
    Raises `UnreadableOutlines` or `MissingColumn`.
    """
    codes, geometries, crs = _read(path, column)
    if crs not in _LONGITUDE_LATITUDE:
        geometries = shapely.transform(geometries, _to_wgs84(CRS.from_user_input(crs)))
    areal = np.isin(shapely.get_type_id(geometries), (3, 6))
    if not areal.all():
        raise UnreadableOutlines(
            f"feature {np.flatnonzero(~areal)[0] + 1} is no polygon",
            hint="outlines are polygons or multipolygons",
            where=str(path),
        )
    for index in np.flatnonzero(~shapely.is_valid(geometries) | crosses_antimeridian(geometries)):
        geometries[index] = cut_at_antimeridian(geometries[index])
    return Outlines(tuple(codes), geometries, str(path))


def _read(path: Path, column: str) -> tuple[list[str | None], Geometries, str]:
    if not path.exists():
        raise UnreadableOutlines("there is no such file", where=str(path))
    table, geometry, crs = (_read_parquet if path.suffix == ".parquet" else _read_gdal)(path)
    if column not in table.column_names:
        held = ", ".join(name for name in table.column_names if name != geometry)
        raise MissingColumn(f"no column {column!r}", hint=f"it holds {held}", where=str(path))
    codes = [None if code is None else str(code) for code in table[column].to_pylist()]
    # Not by pyarrow's `to_numpy`, which would load pandas.
    wkb = np.array(table[geometry].to_pylist(), np.object_)
    return codes, shapely.force_2d(shapely.from_wkb(wkb)), crs


def _read_gdal(path: Path) -> tuple[pa.Table, str, str]:
    # Here, as it brings a GDAL of its own, and most processes read the countries alone.
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        meta, table = pyogrio.read_arrow(path)
    except (DataSourceError, DataLayerError) as error:
        raise UnreadableOutlines(str(error), where=str(path)) from error
    return table, meta["geometry_name"] or "wkb_geometry", meta["crs"] or "OGC:CRS84"


def _read_parquet(path: Path) -> tuple[pa.Table, str, str]:
    try:
        with pq.ParquetFile(path) as file:
            table = file.read(use_threads=False)
    except pa.ArrowInvalid as error:
        raise UnreadableOutlines(str(error), where=str(path)) from error
    metadata = (table.schema.metadata or {}).get(b"geo")
    if metadata is None:
        raise UnreadableOutlines("the file is Parquet, but not GeoParquet", where=str(path))
    geo = json.loads(metadata)
    crs = geo["columns"][geo["primary_column"]].get("crs")
    return table, geo["primary_column"], json.dumps(crs) if crs else "OGC:CRS84"


def _to_wgs84(crs: CRS) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    def transform(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(reproject(crs, _WGS84, *points.T))

    return transform
