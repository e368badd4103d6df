"""The exposure of a table of buildings to the rasters of one scenario."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from thalweg.domain.units import convert
from thalweg.errors import NoBuildings
from thalweg.exposure.aggregate import Aggregation, Exposure, Question, merged
from thalweg.exposure.prepared import AreasFile, Share, Wanted, prepared, shares
from thalweg.exposure.sampling import (
    MEASURED,
    OUTSIDE,
    SPECIAL,
    UNKNOWN,
    Depths,
    Raster,
    Sampler,
    sampler,
)
from thalweg.exposure.table import read_groups, tiles
from thalweg.hexagons.layers import Series, column_name

_KEPT = ("id", "longitude", "latitude", "area_m2", "source", "cell", "country", "tile")


@dataclass(frozen=True)
class Places:
    """What buildings are added up in: H3 cells of `resolutions`, countries, and other areas."""

    resolutions: tuple[int, ...]
    countries: bool = True
    areas: tuple[AreasFile, ...] = ()


@dataclass(frozen=True)
class Exposed:
    """The exposure in the cells of each resolution, and in each kind of areas by name.

    `buildings` is how many there are, wherever they lie.
    """

    buildings: int
    cells: dict[int, Exposure]
    areas: dict[str, Exposure]


COUNTRIES = "countries"


def expose(
    table: Path,
    rasters: Sequence[Raster],
    question: Question,
    places: Places,
    series: Series,
    keep: Path | None = None,
) -> Exposed:
    """Adds up all buildings of a table over the rasters, whose bands are the series' layers.

    A file `keep` is written with every building and its depth in each layer. Rasters of one
    scenario lie on one grid. Memory grows with the buildings up to `prepared.MOST_BUILDINGS`, and
    not beyond; blocks that several such shares of them lie in are decoded for each. Raises what
    `sampler`, `Sampler.sample` and `prepared` raise.
    """
    with sampler(rasters, question.rules) as opened, ExitStack() as stack:
        wanted = Wanted(
            opened.frames,
            tuple(opened.names),
            question.rule,
            question.buffer_m,
            places.resolutions,
            places.countries,
            places.areas,
        )
        writer = _Writer(table, keep, series, question, stack) if keep else None
        parts = [
            _expose_share(table, share, opened, question, wanted, writer) for share in shares(table)
        ]
    if not parts:
        raise NoBuildings("the table holds no building", where=str(table))
    every = [merged(one) for one in zip(*parts, strict=True)]
    names = [*([COUNTRIES] if places.countries else []), *(one.name for one in places.areas)]
    count = len(places.resolutions)
    return Exposed(
        sum(tiles(table).values()),
        dict(zip(places.resolutions, every[:count], strict=True)),
        dict(zip(names, every[count:], strict=True)),
    )


def _expose_share(
    table: Path,
    share: Share,
    opened: Sampler,
    question: Question,
    wanted: Wanted,
    writer: _Writer | None,
) -> list[Exposure]:
    ready = prepared(table, share, wanted)
    aggregation = Aggregation(question, ready.groupings, ready.area_m2)
    kept: list[tuple[pa.Array, pa.Array]] = []
    for depths in opened.sample(ready.placement, question.rule, question.nodata):
        aggregation.add(depths)
        if writer:
            kept.append(writer.columns(depths))
    if writer:
        writer.write(share, kept)
    return aggregation.exposures()


class _Writer:
    """Writes buildings with their depths in metres and what is known of them."""

    def __init__(
        self, table: Path, path: Path, series: Series, question: Question, stack: ExitStack
    ) -> None:
        self._table = table
        self._question = question
        self._names = [
            (column_name("depth_m", label), column_name("state", label)) for label in series.labels
        ]
        self._words = {MEASURED: "measured", UNKNOWN: "unknown", OUTSIDE: "outside"}
        for index, special in enumerate(question.rules.special):
            self._words[SPECIAL + index] = special.meaning
        held = pq.read_schema(table)
        self._schema = pa.schema(
            [
                *(held.field(name) for name in _KEPT),
                *(
                    pa.field(name, kind)
                    for depth, state in self._names
                    for name, kind in (
                        (depth, pa.float32()),
                        (state, pa.dictionary(pa.int8(), pa.string())),
                    )
                ),
            ]
        )
        self._writer = stack.enter_context(
            pq.ParquetWriter(path, self._schema, compression="zstd", store_schema=False)
        )

    def columns(self, depths: Depths) -> tuple[pa.Array, pa.Array]:
        """A band's depths, null where not measured, and states in words."""
        metres = depths.depth * convert(1, self._question.rules.unit, "m")
        depth = pa.array(metres.astype(np.float32), mask=depths.state != MEASURED)
        words = pa.array([self._words[code] for code in sorted(self._words)])
        state = pa.DictionaryArray.from_arrays(depths.state.astype(np.int8), words)
        return depth, state

    def write(self, share: Share, bands: Sequence[tuple[pa.Array, pa.Array]]) -> None:
        start = 0
        for group in read_groups(self._table, frozenset(share), _KEPT):
            columns = [column for pair in bands for column in pair]
            parts = [column.slice(start, group.num_rows) for column in columns]
            whole = pa.Table.from_arrays([*group.columns, *parts], schema=self._schema)
            self._writer.write_table(whole)
            start += group.num_rows
