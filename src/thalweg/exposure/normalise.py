"""From sources of any layout to one normalised table of buildings, with bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import h3.api.numpy_int as h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from thalweg.errors import NoBuildings
from thalweg.exposure.cleaning import CLEAN, Wanted, clean
from thalweg.exposure.countries import CountryOf
from thalweg.exposure.duplicates import schema_with_marks, with_ghosts, without_duplicates
from thalweg.exposure.order import tile_name, tiles_of
from thalweg.exposure.readers.layouts import READERS, Layout
from thalweg.exposure.readers.reading import SourceFile
from thalweg.exposure.reasons import MENDED, REPORT, Reason
from thalweg.exposure.sorting import ExternalSort
from thalweg.exposure.table import BUILDINGS, write_buildings
from thalweg.hexagons.outlines import Outlines

type Keep = Literal["all", "first"]


@dataclass(frozen=True)
class Source:
    """Files of one layout, and which of their buildings are wanted."""

    name: str
    layout: Layout
    files: Sequence[tuple[SourceFile, Wanted]]


@dataclass(frozen=True)
class Rules:
    """How sources become one table.

    `keep` is `all` buildings, or the `first` of those that several sources have, in the sources'
    order (see `duplicates`, also for `distance_m`). `resolution` is that of the column `cell`.
    Without `outlines` no building has a country.
    """

    resolution: int = 12
    keep: Keep = "all"
    distance_m: float = 0.0
    outlines: Outlines | None = None


@dataclass
class Summary:
    """What became of the rows: `read` of each source is the sum of all the others.

    `dropped` and `mended` are by reason; those that were mended are among the `buildings`.
    """

    buildings: int = 0
    area_m2: float = 0.0
    read: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)
    outside: int = 0
    unconfident: int = 0
    duplicates: int = 0
    tiles: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        counted = {name: dict(sorted(one.items())) for name, one in self._counters()}
        return {**vars(self), **counted}

    def _counters(self) -> Iterator[tuple[str, Counter[str]]]:
        return ((name, one) for name, one in vars(self).items() if isinstance(one, Counter))


def normalise(
    sources: Sequence[Source], target: Path, report: Path, rules: Rules, scratch: Path
) -> Summary:
    """Writes the table of buildings and the report of rows that were dropped or mended (Parquet).

    `scratch` is a folder for sorted runs, of about the size of what is read; they are removed on
    the way. Raises what readers raise, and `NoBuildings`.
    """
    summary = Summary()
    compared = rules.keep == "first" and len(sources) > 1
    schema = schema_with_marks(CLEAN) if compared else CLEAN
    sort = ExternalSort(schema, scratch)
    with pq.ParquetWriter(report, REPORT, compression="zstd") as reporter:
        for rank, source in enumerate(sources):
            for batch in _cleaned(source, summary, reporter):
                if compared:
                    last = rank == len(sources) - 1
                    batch = with_ghosts(batch, rank, rules.distance_m, last)  # noqa: PLW2901
                sort.add(batch)
    ordered = sort.batches()
    if compared:
        ordered = _counted(without_duplicates(ordered, rules.distance_m), summary)
    summary.buildings = write_buildings(_finished(ordered, rules, summary), target)
    if not summary.buildings:
        raise NoBuildings(_why(summary), hint="the report tells of every row", where=str(report))
    return summary


def _cleaned(
    source: Source, summary: Summary, reporter: pq.ParquetWriter
) -> Iterator[pa.RecordBatch]:
    read = READERS[source.layout]
    for file, wanted in source.files:
        for batch in read(file):
            cleaned = clean(batch, file, wanted)
            summary.read[source.name] += batch.num_rows
            summary.outside += cleaned.outside
            summary.unconfident += cleaned.unconfident
            if cleaned.report.num_rows:
                reporter.write_batch(cleaned.report)
                for reason, count in Counter(cleaned.report["reason"].to_pylist()).items():
                    told = summary.mended if Reason(reason) in MENDED else summary.dropped
                    told[reason] += count
            if cleaned.buildings.num_rows:
                yield cleaned.buildings


def _counted(kept: Iterable[tuple[pa.Table, int]], summary: Summary) -> Iterator[pa.Table]:
    for table, dropped in kept:
        summary.duplicates += dropped
        yield table


def _finished(tables: Iterable[pa.Table], rules: Rules, summary: Summary) -> Iterator[pa.Table]:
    """Tables of the schema `BUILDINGS` from sorted ones of `CLEAN`."""
    country_of = CountryOf(rules.outlines) if rules.outlines else None
    for table in tables:
        if not table.num_rows:
            continue
        longitude, latitude = table["longitude"].to_numpy(), table["latitude"].to_numpy()
        numbers, which = np.unique(tiles_of(table["key"].to_numpy()), return_inverse=True)
        names = pa.array([tile_name(number) for number in numbers.tolist()])
        cells = map(
            h3.latlng_to_cell,
            latitude.tolist(),
            longitude.tolist(),
            [rules.resolution] * table.num_rows,
        )
        made = {
            "cell": pa.array(np.fromiter(cells, np.uint64, table.num_rows)),
            "country": pa.array(country_of.codes(longitude, latitude), pa.string())
            if country_of
            else pa.nulls(table.num_rows, pa.string()),
            "tile": names.take(pa.array(which)),
            "bbox": pa.StructArray.from_arrays(
                [table[side].combine_chunks() for side in ("xmin", "ymin", "xmax", "ymax")],
                fields=list(BUILDINGS.field("bbox").type),
            ),
        }
        columns = [made[name] if name in made else table[name] for name in BUILDINGS.names]
        finished = pa.Table.from_arrays(columns, schema=BUILDINGS)
        summary.area_m2 += float(np.nansum(finished["area_m2"].to_numpy()))
        summary.tiles.update(dict(_counts(finished["tile"])))
        summary.sources.update(dict(_counts(finished["source"])))
        yield finished


def _counts(column: pa.ChunkedArray) -> Iterator[tuple[str, int]]:
    for one in pa.compute.value_counts(column).to_pylist():
        yield one["values"], one["counts"]


def _why(summary: Summary) -> str:
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in summary.dropped.items())
    return (
        f"of {sum(summary.read.values()):,} rows none is a building that is wanted "
        f"({summary.outside:,} outside, {summary.unconfident:,} below the confidence"
        f"{', ' + dropped if dropped else ''})"
    )
