"""Features from the workspace's GeoPackages."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import orjson
import shapely
from fastapi.concurrency import run_in_threadpool
from morecantile import Tile, TileMatrixSet
from pyproj import CRS, Transformer
from tipg.collections import Collection, ItemList

from thalweg.api.features.asked import MOST_ON_TILE, Asked, asked_of
from thalweg.api.features.collections import check_tile, described, queryables
from thalweg.features import mvt
from thalweg.features.geopackage import GeoPackages
from thalweg.features.rows import Row
from thalweg.features.selecting import Geometries, Selection, geometries
from thalweg.features.tables import Bounds, FeatureTable

_DIGITS = 9  # as many as PostGIS tells
_LAYER = "default"  # as tipg names it


class Embedded:
    """Stands where tipg has a pool: what it gives is the store itself."""

    def __init__(self, store: GeoPackages) -> None:
        self.store = store

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[GeoPackages]:
        yield self.store

    async def collections(self) -> list[EmbeddedCollection]:
        tables = await run_in_threadpool(self.store.tables)
        return [EmbeddedCollection.of(table) for table in tables]

    async def collection(self, name: str) -> EmbeddedCollection:
        """Raises `FeatureTableNotFound`."""
        return EmbeddedCollection.of(await run_in_threadpool(self.store.table, name))


class EmbeddedCollection(Collection):
    """A table of a GeoPackage."""

    held: FeatureTable

    @classmethod
    def of(cls, table: FeatureTable) -> EmbeddedCollection:
        return cls(held=table, **described(table))

    @property
    def queryables(self) -> dict[str, Any]:
        return queryables(self.held)

    async def features(
        self,
        conn: GeoPackages,
        *,
        bbox_only: bool | None = None,
        geom_as_wkt: bool = False,
        function_parameters: Any = None,  # noqa: ARG002 - tipg gives it to all
        **given: Any,
    ) -> ItemList:
        asked = asked_of(self.held, **given)
        return await run_in_threadpool(
            self._features, conn, asked, bbox_only=bool(bbox_only), as_text=geom_as_wkt
        )

    async def get_tile(
        self,
        conn: GeoPackages,
        *,
        tms: TileMatrixSet,
        tile: Tile,
        function_parameters: Any = None,  # noqa: ARG002 - tipg gives it to all
        **given: Any,
    ) -> bytes:
        check_tile(tms, tile)
        asked = asked_of(self.held, **given)
        return await run_in_threadpool(self._tile, conn, asked, tms, tile)

    def _features(
        self, store: GeoPackages, asked: Asked, *, bbox_only: bool, as_text: bool
    ) -> ItemList:
        selection = Selection(
            store.connection(self.id), self.held, asked.where, asked.sort, columns=asked.properties
        )
        limit = asked.limit or 10
        rows = list(selection.rows(limit, asked.offset))
        matched = self.held.count if asked.where is None else selection.count()
        beyond = asked.offset + len(rows)
        shown: Sequence[Any] = [None] * len(rows)
        if rows and asked.geometry:
            shapes = _simplified(geometries(rows), asked.simplify, bbox_only=bbox_only)
            shown = _as_wkt(shapes) if as_text else _as_geojson(shapes)
        columns = self._wanted(selection, asked, rows)
        items: list[Any] = [
            {
                "type": "Feature",
                "geometry": geometry,
                "id": row[0],
                "properties": {name: held[at] for name, held in columns.items()},
            }
            for at, (row, geometry) in enumerate(zip(rows, shown, strict=True))
        ]
        return ItemList(
            items=items,
            matched=matched,
            next=beyond if beyond < matched and rows else None,
            prev=max(asked.offset - limit, 0) if asked.offset else None,
        )

    def _tile(self, store: GeoPackages, asked: Asked, tms: TileMatrixSet, tile: Tile) -> bytes:
        box = tms.xy_bounds(tile)
        system = _system(tms)
        around = system.backwards.transform_bounds(*box)
        selection = Selection(
            store.connection(self.id),
            self.held,
            asked.where,
            asked.sort,
            columns=asked.properties,
            near=around,
        )
        rows, shapes = _touching(selection, around, min(asked.limit or MOST_ON_TILE, MOST_ON_TILE))
        if not rows:
            return b""
        shapes = _simplified(shapes, asked.simplify, bbox_only=False)
        placed = mvt.on_tile(_projected(shapes, system), (*box,))
        columns = self._wanted(selection, asked, rows)
        return mvt.layer(_LAYER, placed, {name: _told(held) for name, held in columns.items()})

    def _wanted(
        self, selection: Selection, asked: Asked, rows: Sequence[Row]
    ) -> dict[str, list[Any]]:
        """The values of the columns that are asked for."""
        columns = selection.columns(rows)
        wanted = self.columns(None if asked.properties is None else list(asked.properties))
        return {name: columns[name] for name in wanted}


def _touching(selection: Selection, box: Bounds, limit: int) -> tuple[list[Row], Geometries]:
    """The first rows, and their geometries, that share a point with a box."""
    area = shapely.box(*box)
    shapely.prepare(area)
    found: list[Row] = []
    shapes: list[Geometries] = [np.array([], object)]
    cursor = selection.rows()
    while len(found) < limit and (rows := cursor.fetchmany(limit)):  # type: ignore[attr-defined]
        read = geometries(rows)
        hits = np.flatnonzero(shapely.intersects(area, read))[: limit - len(found)]
        found += [rows[at] for at in hits]
        shapes.append(read[hits])
    return found, np.concatenate(shapes)


def _projected(shapes: Geometries, system: _System) -> Geometries:
    """Geometries in the tile's own reference system; no further than that reaches."""
    west, south, east, north = system.reach
    points = shapely.get_coordinates(shapes)
    points = np.clip(points, (west, south), (east, north))
    moved = np.column_stack(system.forwards.transform(*points.T))
    projected: Geometries = shapely.set_coordinates(shapes.copy(), moved)
    return projected


@dataclass(frozen=True)
class _System:
    """The reference system of some tiles: how far it reaches in degrees, and the ways between."""

    reach: Bounds
    forwards: Transformer
    backwards: Transformer


_systems: dict[str, _System] = {}


def _system(tms: TileMatrixSet) -> _System:
    """Kept by name, as every request gets a new `TileMatrixSet`, which would look it all up."""
    found = _systems.get(str(tms.id))
    if found is None:
        here, there = CRS.from_epsg(4326), CRS.from_epsg(tms.crs.to_epsg() or 4326)
        found = _systems[str(tms.id)] = _System(
            (*tms.bbox,),
            Transformer.from_crs(here, there, always_xy=True),
            Transformer.from_crs(there, here, always_xy=True),
        )
    return found


def _simplified(shapes: Geometries, tolerance: float, *, bbox_only: bool) -> Geometries:
    """As `ST_Envelope`, or `ST_SnapToGrid` of `ST_SimplifyPreserveTopology`."""
    if bbox_only:
        return np.asarray(shapely.envelope(shapes), object)
    if not tolerance:
        return shapes
    simple = shapely.simplify(shapes, tolerance, preserve_topology=True)
    snapped = shapely.set_precision(simple, tolerance, mode="pointwise")
    return np.where(shapely.is_empty(snapped), simple, snapped)  # type: ignore[no-any-return]


def _as_geojson(shapes: Geometries) -> list[orjson.Fragment]:
    rounded = np.round(shapely.get_coordinates(shapes), _DIGITS)
    texts = shapely.to_geojson(shapely.set_coordinates(shapes.copy(), rounded))
    return [orjson.Fragment(text) for text in texts]


def _as_wkt(shapes: Geometries) -> list[str]:
    """Spelled as PostGIS does."""
    texts = shapely.to_wkt(shapes, rounding_precision=15)
    return [f"SRID=4326;{text.replace(', ', ',').replace(' (', '(')}" for text in texts]


def _told(values: list[Any]) -> list[Any]:
    """The values of a column as a tile has them: times as PostgreSQL writes them."""
    kind = next((type(value) for value in values if value is not None), None)
    tell = _TELL.get(kind)
    return values if tell is None else [None if value is None else tell(value) for value in values]


def _moment(value: datetime) -> str:
    text = value.strftime("%Y-%m-%d %H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"{text}+00"


_TELL: dict[type | None, Callable[[Any], Any]] = {
    datetime: _moment,
    date: date.isoformat,
    float: lambda value: None if math.isnan(value) else value,
}
