"""Sorting more rows than memory holds: sorted runs on disk, then merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

KEY = "key"
RUN_BYTES = 48 << 20
MERGED_ROWS = 1 << 13
RUNS_AT_ONCE = 32


class ExternalSort:
    """Sorts rows by their uint64 column `key`; no more than a run is in memory at once.

    The same batches in the same order give the same rows in the same order.
    """

    def __init__(self, schema: pa.Schema, folder: Path, run_bytes: int = RUN_BYTES) -> None:
        self._schema = schema
        self._folder = folder
        self._run_bytes = run_bytes
        self._held: list[pa.RecordBatch] = []
        self._held_bytes = 0
        self._runs: list[Path] = []
        self._files = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self._held.append(batch)
        self._held_bytes += batch.nbytes
        if self._held_bytes >= self._run_bytes:
            self._spill()

    def batches(self) -> Iterator[pa.Table]:
        """All rows in order, in tables of bounded size; to be called once."""
        if not self._runs:
            table = self._taken()
            for start in range(0, table.num_rows, MERGED_ROWS):
                yield table.slice(start, MERGED_ROWS)
            return
        self._spill()
        while len(self._runs) > RUNS_AT_ONCE:
            starts = range(0, len(self._runs), RUNS_AT_ONCE)
            groups = [self._runs[start : start + RUNS_AT_ONCE] for start in starts]
            self._runs = [self._written(_merged_files(group)) for group in groups]
        yield from _merged_files(self._runs)

    def _taken(self) -> pa.Table:
        table = _sorted(pa.Table.from_batches(self._held, self._schema))
        self._held, self._held_bytes = [], 0
        return table

    def _spill(self) -> None:
        if self._held:
            self._runs.append(self._written([self._taken()]))

    def _written(self, tables: Iterable[pa.Table]) -> Path:
        self._files += 1
        path = self._folder / f"run-{self._files}.arrow"
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with (
            pa.OSFile(str(path), "wb") as sink,
            pa.ipc.new_stream(sink, self._schema, options=options) as writer,
        ):
            for table in tables:
                writer.write_table(table.combine_chunks(), MERGED_ROWS)
        return path


class _Run:
    """A sorted run that is read batch by batch; `pending` is what is read and not yet merged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._batches = _stream(path)
        self.pending = pa.table({})
        self.ended = False

    def fill(self) -> None:
        while not self.ended and not self.pending.num_rows:
            batch = next(self._batches, None)
            if batch is None:
                self.ended = True
                self._path.unlink()
            else:
                self.pending = pa.Table.from_batches([batch])

    @property
    def keys(self) -> NDArray[np.uint64]:
        keys: NDArray[np.uint64] = self.pending[KEY].to_numpy()
        return keys

    def take_until(self, bound: np.uint64) -> pa.Table:
        """The pending rows up to and with a key."""
        count = int(np.searchsorted(self.keys, bound, side="right"))
        taken = self.pending.slice(0, count)
        self.pending = self.pending.slice(count)
        return taken


def _stream(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as reader:
        yield from reader


def _merged_files(paths: Iterable[Path]) -> Iterator[pa.Table]:
    return _merged([_Run(path) for path in paths])


def _merged(runs: list[_Run]) -> Iterator[pa.Table]:
    """What all runs hold up to the least of their last pending keys is next."""
    while True:
        for run in runs:
            run.fill()
        runs = [run for run in runs if not run.ended]
        if not runs:
            return
        bound = min(run.keys[-1] for run in runs)
        yield _sorted(pa.concat_tables([run.take_until(bound) for run in runs]))


def _sorted(table: pa.Table) -> pa.Table:
    order = np.argsort(table[KEY].to_numpy(), kind="stable")
    return table.combine_chunks().take(pa.array(order))
