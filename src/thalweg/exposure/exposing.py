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
from thalweg.exposure.aggregate import Aggregation, Exposure, Question, losses_of
from thalweg.exposure.prepared import (
    AreasFile,
    Prepared,
    Share,
    Shelf,
    Wanted,
    all_keys,
    preparation,
)
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
from thalweg.exposure.table import read_groups
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
    shelf: Shelf | None = None,
) -> Exposed:
    """Adds up all buildings of a table over the rasters, whose bands are the series' layers.

    A building counts in the cell of its own centroid at each resolution, which need not lie in the
    parent of its cell at a finer one. A file `keep` is written with every building and its depth in
    each layer. Rasters of one scenario lie on one grid. What is the same for the next scenario on
    that grid is kept on the `shelf`. Memory grows with the cells, and with the buildings up to
    `prepared.MOST_BUILDINGS`; blocks that several such shares of them lie in are decoded for each.
    Raises what `sampler`, `Sampler.sample` and `preparation` raise.
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
        shares = stack.enter_context(preparation(table, wanted, shelf))
        if not shares:
            raise NoBuildings("the table holds no building", where=str(table))
        groupings = range(len(shares[0].groupings))
        sums = [Aggregation(question, all_keys(shares, one), opened.bands) for one in groupings]
        writer = _Writer(table, keep, series, question, stack) if keep else None
        for share in shares:
            _add_share(share, opened, question, sums, writer)
        every = [one.exposure() for one in sums]
        buildings = sum(len(share.area_m2) for share in shares)
    names = [*([COUNTRIES] if places.countries else []), *(one.name for one in places.areas)]
    count = len(places.resolutions)
    return Exposed(
        buildings,
        dict(zip(places.resolutions, every[:count], strict=True)),
        dict(zip(names, every[count:], strict=True)),
    )


def _add_share(
    ready: Prepared,
    opened: Sampler,
    question: Question,
    sums: Sequence[Aggregation],
    writer: _Writer | None,
) -> None:
    groupings = [one.groups for one in ready.groupings]
    places = [one.place(groups.keys) for one, groups in zip(sums, groupings, strict=True)]
    for one, place, grouping in zip(sums, places, ready.groupings, strict=True):
        one.add_fixed(place, grouping.fixed)
    kept: list[tuple[pa.Array, pa.Array]] = []
    for band, depths in enumerate(opened.sample(ready.placement, question.rule, question.nodata)):
        losses = losses_of(question, depths, ready.area_m2)
        for one, groups, place in zip(sums, groupings, places, strict=True):
            one.add(band, depths, groups.labels, place, ready.area_m2, losses)
        if writer:
            kept.append(writer.columns(depths))
    if writer:
        writer.write(ready.share, kept)


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
