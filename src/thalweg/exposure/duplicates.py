"""The same building in two sources: which of the two is kept.

The order of the sources is their priority. Of two buildings of different sources, the one of the
later source is dropped where its centroid lies in the footprint of the other, or where their
centroids lie no farther apart than a distance. Whether the other is itself dropped for the sake of
a third makes no difference, so the outcome depends on nothing but the pairs. Buildings of one
source are never compared.

It is decided block by block (see `order`). A building that reaches into other blocks stands there
as a *ghost* too: it is compared, but not kept.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from thalweg.exposure.order import BLOCK_DEGREES, blocks_of, keys

RANK, GHOST = "rank", "ghost"
METRES_A_DEGREE = 111_194.93  # on the sphere of 6,371,008.8 m

type Floats = NDArray[np.float64]


def with_ghosts(batch: pa.RecordBatch, rank: int, distance_m: float, last: bool) -> pa.RecordBatch:
    """A batch with the columns `rank` and `ghost`, and its ghosts; those of the last source have
    none, because nothing is dropped for their sake."""
    own = _marked(batch, rank, ghost=False)
    if last or not batch.num_rows:
        return own
    west, south, east, north = (batch[side].to_numpy() for side in ("xmin", "ymin", "xmax", "ymax"))
    up = distance_m / METRES_A_DEGREE
    highest = np.minimum(np.maximum(np.abs(south), np.abs(north)) + up, 89.9)
    across = up / np.cos(np.radians(highest))
    rows, places = _blocks_touched(west - across, south - up, east + across, north + up)
    home = blocks_of(batch["key"].to_numpy())
    elsewhere = places != home[rows]
    rows, places = rows[elsewhere], places[elsewhere]
    ghosts = _marked(batch.take(pa.array(rows)), rank, ghost=True)
    ghosts = ghosts.set_column(0, ghosts.schema.field(0), pa.array(places))
    return pa.concat_batches([own, ghosts])


def without_duplicates(
    ordered: Iterator[pa.Table], distance_m: float
) -> Iterator[tuple[pa.Table, int]]:
    """The rows to keep in their order, and how many were dropped for each table."""
    rest: pa.Table | None = None
    for table in ordered:
        table = table if rest is None else pa.concat_tables([rest, table])  # noqa: PLW2901
        blocks = blocks_of(table["key"].to_numpy())
        # The last block may go on in the next table.
        whole = int(np.searchsorted(blocks, blocks[-1]))
        rest = table.slice(whole)
        if whole:
            yield _kept(table.slice(0, whole), distance_m)
    if rest is not None and rest.num_rows:
        yield _kept(rest, distance_m)


def _kept(table: pa.Table, distance_m: float) -> tuple[pa.Table, int]:
    """The rows of whole blocks that are kept."""
    table = table.combine_chunks()
    ranks, ghost = table[RANK].to_numpy(), table[GHOST].to_numpy()
    blocks = blocks_of(table["key"].to_numpy())
    starts = np.flatnonzero(np.diff(blocks, prepend=blocks[:1] + np.uint64(1)))
    dropped = np.zeros(len(ranks), np.bool_)
    for start, stop in zip(starts, [*starts[1:], len(ranks)], strict=True):
        if ranks[start:stop].min() < ranks[start:stop].max():
            dropped[start:stop] = _doubled(table.slice(start, stop - start), distance_m)
    dropped &= ~ghost
    return table.filter(pa.array(~dropped & ~ghost)), int(dropped.sum())


def _doubled(block: pa.Table, distance_m: float) -> NDArray[np.bool_]:
    """Which rows of a block are in an earlier source too."""
    ranks = block[RANK].to_numpy()
    later = np.flatnonzero((ranks > ranks.min()) & ~block[GHOST].to_numpy())
    earlier = np.flatnonzero(ranks < ranks.max())
    longitude, latitude = block["longitude"].to_numpy(), block["latitude"].to_numpy()
    footprints = shapely.from_wkb(block["geometry"].take(pa.array(earlier)).to_numpy())
    centres = shapely.points(longitude[later], latitude[later])
    pairs = [shapely.STRtree(footprints).query(centres, predicate="intersects")]
    if distance_m > 0:
        # A plane in metres around the block: true to a thousandth within it.
        across = METRES_A_DEGREE * np.cos(np.radians(latitude.mean()))
        flat = shapely.points(longitude * across, latitude * METRES_A_DEGREE)
        near = shapely.STRtree(flat[earlier])
        pairs.append(near.query(flat[later], predicate="dwithin", distance=distance_m))
    which, other = np.concatenate(pairs, axis=1)
    found = ranks[later[which]] > ranks[earlier[other]]
    doubled = np.zeros(len(ranks), np.bool_)
    doubled[later[which[found]]] = True
    return doubled


def _marked(batch: pa.RecordBatch, rank: int, *, ghost: bool) -> pa.RecordBatch:
    count = batch.num_rows
    batch = batch.append_column(RANK, pa.array(np.full(count, rank, np.int32)))
    return batch.append_column(GHOST, pa.array(np.full(count, ghost)))


def _blocks_touched(
    west: Floats, south: Floats, east: Floats, north: Floats
) -> tuple[NDArray[np.intp], NDArray[np.uint64]]:
    """(row, least key of the block) of every block that each box touches."""
    first_column, first_row = np.floor(west / BLOCK_DEGREES), np.floor(south / BLOCK_DEGREES)
    columns = (np.floor(east / BLOCK_DEGREES) - first_column + 1).astype(np.int64)
    counts = columns * (np.floor(north / BLOCK_DEGREES) - first_row + 1).astype(np.int64)
    rows = np.repeat(np.arange(len(west)), counts)
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    row, column = np.divmod(place, columns[rows])
    longitude = (first_column[rows] + column + 0.5) * BLOCK_DEGREES
    latitude = np.clip((first_row[rows] + row + 0.5) * BLOCK_DEGREES, -90, 90)
    return rows, blocks_of(keys(longitude, latitude))


def schema_with_marks(schema: pa.Schema) -> pa.Schema:
    """The schema of batches that `with_ghosts` gives."""
    return schema.append(pa.field(RANK, pa.int32())).append(pa.field(GHOST, pa.bool_()))
