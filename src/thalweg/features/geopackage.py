"""Tables of features in the workspace: a GeoPackage each, replaced whole."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from thalweg.errors import DiskFull, FeaturesError, UnreadableFeatureTable
from thalweg.features.functions import add_functions
from thalweg.features.tables import GEOMETRY, ID, Column, FeatureTable, Kind, check_name, no_table

ROWS_AT_ONCE = 1 << 14
_SUFFIX = ".gpkg"
_KINDS: dict[str, Kind] = {
    "INTEGER": "integer",
    "MEDIUMINT": "integer",
    "REAL": "number",
    "DOUBLE": "number",
    "TEXT": "text",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DATETIME": "timestamp",
}
_CONTENTS = """
SELECT identifier, description, min_x, min_y, max_x, max_y, column_name, feature_count
FROM gpkg_contents JOIN gpkg_geometry_columns USING (table_name)
JOIN gpkg_ogr_contents USING (table_name)
WHERE table_name = ? AND data_type = 'features'
"""


class GeoPackages:
    """`FeatureStore` over a folder: `NAME.gpkg` holds the table `NAME`.

    A file is never changed, but replaced as a whole: who reads the earlier one reads on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held = threading.local()
        self._open: list[sqlite3.Connection] = []
        weakref.finalize(self, _close_all, self._open)

    def tables(self) -> list[FeatureTable]:
        return [self.table(name) for name in self._names()]

    def table(self, name: str) -> FeatureTable:
        connection = self.connection(name)
        known: dict[int, FeatureTable] = self._held.tables
        if id(connection) not in known:
            known[id(connection)] = _described(connection, name, self._path(name))
        return known[id(connection)]

    def connection(self, name: str) -> sqlite3.Connection:
        """This thread's connection to a table's file, for reading; raises `FeatureTableNotFound`.

        A file that was replaced is opened anew.
        """
        if not hasattr(self._held, "open"):
            self._held.open, self._held.tables = {}, {}
        held: dict[str, tuple[tuple[int, int], sqlite3.Connection]] = self._held.open
        stamp = self._stamp(name)
        found = held.get(name)
        if found is not None and found[0] == stamp:
            return found[1]
        if found is not None:
            del held[name]
            self._held.tables.pop(id(found[1]), None)
            self._open.remove(found[1])
            found[1].close()
        connection = _opened(self._path(name))
        self._open.append(connection)
        held[name] = (stamp, connection)
        return connection

    def put(self, table: FeatureTable, rows: Iterable[pa.RecordBatch]) -> FeatureTable:
        import pyogrio

        path = self._path(check_name(table.name))
        failed: list[Exception] = []
        stream = pa.RecordBatchReader.from_batches(table.schema, _watched(rows, failed))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(prefix=".new-", dir=self.folder) as folder:
                new = Path(folder) / path.name
                pyogrio.write_arrow(
                    stream,
                    new,
                    driver="GPKG",
                    layer=table.name,
                    geometry_name=GEOMETRY,
                    geometry_type="Unknown",
                    crs="EPSG:4326",
                    layer_options={
                        "FID": ID,
                        "GEOMETRY_NAME": GEOMETRY,
                        "IDENTIFIER": table.title or table.name,
                        "DESCRIPTION": table.description,
                    },
                )
                with closing(_opened(new)) as written:
                    _described(written, table.name, new)
                _sync(new)
                new.replace(path)
        except (OSError, RuntimeError) as error:
            if failed:
                raise failed[0] from None  # GDAL says only that its stream broke off
            full = isinstance(error, OSError) and error.errno == errno.ENOSPC
            raise (DiskFull if full else FeaturesError)(str(error), where=str(path)) from error
        return self.table(table.name)

    def rows(self, name: str) -> Iterator[pa.RecordBatch]:
        from thalweg.features.rows import arrow_rows

        table = self.table(name)
        names = ", ".join(_quoted(one) for one in table.schema.names)
        cursor = self.connection(name).execute(
            f"SELECT {names} FROM {_quoted(name)} ORDER BY {ID}"  # noqa: S608 - of quoted names
        )
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield arrow_rows(table, rows)

    def remove(self, name: str) -> None:
        self._stamp(name)
        self._path(name).unlink(missing_ok=True)

    def close(self) -> None:
        """Closes what every thread holds open."""
        self._held = threading.local()
        _close_all(self._open)

    def _names(self) -> list[str]:
        with suppress(FileNotFoundError):
            return sorted(path.stem for path in self.folder.iterdir() if path.suffix == _SUFFIX)
        return []

    def _stamp(self, name: str) -> tuple[int, int]:
        """What a file that took the place of another differs in."""
        # As names are checked when tables are made, no other path can be meant.
        if "/" in name or name.startswith("."):
            raise no_table(name, self._names())
        try:
            status = self._path(name).stat()
        except OSError as error:
            raise no_table(name, self._names()) from error
        return status.st_ino, status.st_mtime_ns

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{_SUFFIX}"


def _watched(rows: Iterable[pa.RecordBatch], failed: list[Exception]) -> Iterator[pa.RecordBatch]:
    """The rows; what goes wrong with them is kept."""
    try:
        yield from rows
    except Exception as error:
        failed.append(error)
        raise


def _opened(path: Path) -> sqlite3.Connection:
    # `immutable`: no lock is needed on what never changes.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
    )
    add_functions(connection)
    return connection


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


def _described(connection: sqlite3.Connection, name: str, path: Path) -> FeatureTable:
    try:
        found = connection.execute(_CONTENTS, [name]).fetchone()
        columns = connection.execute(f"PRAGMA table_info({_quoted(name)})").fetchall()
    except sqlite3.DatabaseError as error:
        raise UnreadableFeatureTable(str(error), where=str(path)) from error
    held = {column[1]: column[2] for column in columns}
    if found is None or found[6] != GEOMETRY or ID not in held:
        raise UnreadableFeatureTable(
            f"it holds no table {name!r} with {ID} and {GEOMETRY}",
            hint="add the file by thalweg features add",
            where=str(path),
        )
    title, description, *box, _, count = found
    return FeatureTable(
        name,
        tuple(
            Column(column, _KINDS[kind.partition("(")[0]])
            for column, kind in held.items()
            if column not in (ID, GEOMETRY)
        ),
        title,
        description,
        None if box[0] is None else (box[0], box[1], box[2], box[3]),
        count,
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
