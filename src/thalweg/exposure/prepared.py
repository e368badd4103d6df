"""What of a table of buildings is the same for all rasters on one grid: made once, and kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from thalweg.exposure.aggregate import Groups
from thalweg.exposure.countries import CountryOf
from thalweg.exposure.pixel_lists import PixelLists, Rule, pixel_lists
from thalweg.exposure.placing import Frame, Placement, common_grid
from thalweg.exposure.table import GEOMETRY, read_groups, tiles
from thalweg.hexagons.outlines import read_outlines
from thalweg.hexagons.points import cells_of_places

# Some 40 bytes each are kept, besides a cell for each resolution while they are sorted out.
MOST_BUILDINGS = 6_000_000

type Share = tuple[str, ...]


@dataclass(frozen=True)
class AreasFile:
    """Areas to add buildings up in: a vector file of outlines, and the column of their codes.

    `name` is what the areas are called. `identity` tells one state of the file from another.
    """

    name: str
    path: Path
    column: str
    identity: str = ""


@dataclass(frozen=True)
class Wanted:
    """What buildings are prepared for: where they are placed, and what they are added up in.

    `names` are those of the rasters in errors. With `countries`, each building counts in that of
    its row in the table.
    """

    frames: tuple[Frame, ...]
    names: tuple[str, ...]
    rule: Rule
    buffer_m: float
    resolutions: tuple[int, ...]
    countries: bool
    areas: tuple[AreasFile, ...]


@dataclass(frozen=True)
class Prepared:
    """Buildings [n] of some tiles, in the order of the table.

    `area_m2` is NaN where it is not known. `groupings` are the cells of each resolution, then
    countries if wanted, then the areas of each file.
    """

    placement: Placement
    area_m2: NDArray[np.float64]
    groupings: tuple[Groups, ...]


def shares(table: Path, most: int = MOST_BUILDINGS) -> Iterator[Share]:
    """The tiles of a table, as many at once as may be prepared at once."""
    held: list[str] = []
    buildings = 0
    for tile, count in tiles(table).items():
        if held and buildings + count > most:
            yield tuple(held)
            held, buildings = [], 0
        held.append(tile)
        buildings += count
    if held:
        yield tuple(held)


@lru_cache(maxsize=1)
def prepared(table: Path, share: Share, wanted: Wanted) -> Prepared:
    """The buildings of a share of a table; kept for the next scenario.

    Raises `UnreadableBuildings`, `WrongGrid`, `WrongCrs`, and what `read_outlines` raises.
    """
    grid = common_grid(wanted.frames, wanted.names)
    finders = [CountryOf(read_outlines(one.path, one.column)) for one in wanted.areas]
    lists: list[PixelLists] = []
    areas: list[NDArray[np.float64]] = []
    cells: list[list[NDArray[np.uint64]]] = [[] for _ in wanted.resolutions]
    countries: list[pa.ChunkedArray] = []
    codes: list[list[pa.Array]] = [[] for _ in finders]
    columns = ["longitude", "latitude", "area_m2", "country"]
    columns += [GEOMETRY] if wanted.rule.needs_footprint else []
    for group in read_groups(table, frozenset(share), columns):
        longitude, latitude = group["longitude"].to_numpy(), group["latitude"].to_numpy()
        shapes = None
        if wanted.rule.needs_footprint:
            shapes = shapely.from_wkb(group[GEOMETRY].to_numpy(zero_copy_only=False))
        lists.append(pixel_lists(grid, longitude, latitude, shapes, wanted.rule, wanted.buffer_m))
        areas.append(group["area_m2"].to_numpy(zero_copy_only=False).astype(np.float64))
        for kept, resolution in zip(cells, wanted.resolutions, strict=True):
            kept.append(cells_of_places(longitude, latitude, resolution))
        countries += [group["country"]] if wanted.countries else []
        for found, finder in zip(codes, finders, strict=True):
            found.append(pa.array(finder.codes(longitude, latitude), pa.string()))
    texts = [pa.chunked_array([one for c in countries for one in c.chunks], pa.string())]
    texts = texts if wanted.countries else []
    texts += [pa.chunked_array(found, pa.string()) for found in codes]
    return Prepared(
        Placement.of(PixelLists.joined(lists), wanted.frames),
        np.concatenate(areas),
        (
            *(Groups.of(np.concatenate(kept)) for kept in cells),
            *(_groups_of_texts(one) for one in texts),
        ),
    )


def _groups_of_texts(texts: pa.ChunkedArray) -> Groups:
    encoded = pa.concat_arrays(texts.chunks).dictionary_encode()
    keys = np.array(encoded.dictionary.to_pylist(), object)
    order = np.argsort(keys) if len(keys) else np.zeros(0, np.intp)
    rank = np.empty(len(keys) + 1, np.int32)
    rank[order], rank[len(keys)] = np.arange(len(keys)), -1
    indices = encoded.indices.fill_null(len(keys)).to_numpy()
    return Groups(keys[order], rank[indices])
