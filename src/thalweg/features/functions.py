"""What SQLite lacks to answer filters of features, and how a GeoPackage writes a geometry."""

from __future__ import annotations

import sqlite3

from thalweg.catalog import functions
from thalweg.catalog.cql2 import SPATIAL

_ENVELOPES = (0, 32, 48, 48, 64)
_HEADER = 8


def add_functions(connection: sqlite3.Connection) -> None:
    """Adds them, and those of the catalogue's connections."""
    functions.add_functions(connection)
    connection.create_function("relates", 3, _relates, deterministic=True)


def wkb_of(blob: bytes) -> bytes:
    """The WKB in a geometry of a GeoPackage (OGC 12-128, clause 2.1.3)."""
    return blob[_HEADER + _ENVELOPES[blob[3] >> 1 & 7] :]


def _relates(op: str, blob: bytes, other: bytes) -> bool:
    """Whether a feature relates so to a shape, which is prepared and therefore comes first."""
    import shapely

    relation = getattr(shapely, SPATIAL[op].removeprefix("s_"))
    return bool(relation(functions.shape(other), shapely.from_wkb(wkb_of(blob))))
