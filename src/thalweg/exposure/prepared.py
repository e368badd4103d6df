"""What of a table of buildings is the same for all rasters on one grid.

It is made once, share by share, and kept in files that all processes map into their memory: so the
next scenario finds it, and two processes need it but once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from thalweg.exposure.aggregate import FIXED, Groups, Keys, Sums, fixed_sums
from thalweg.exposure.countries import CountryOf
from thalweg.exposure.footprints import Rings
from thalweg.exposure.pixel_lists import PixelLists, Rule, pixel_lists
from thalweg.exposure.placing import BlockLists, Frame, Placement, common_grid
from thalweg.exposure.shelf import shelved
from thalweg.exposure.table import GEOMETRY, read_groups, tiles
from thalweg.hexagons.outlines import read_outlines
from thalweg.hexagons.points import cells_of_places
from thalweg.raster.grid import Grid

# What a process works at at once: some 30 MB of depths, and 200 MB while footprints are placed.
MOST_BUILDINGS = 1_000_000
_FORMAT = 1

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
class Shelf:
    """Where preparations are kept, on a local disk. `identity` tells one state of the table of
    buildings from another."""

    folder: Path
    identity: str


@dataclass(frozen=True)
class Grouping:
    """The groups of buildings, and the sums of each that no raster's depths change."""

    groups: Groups
    fixed: Sums


@dataclass(frozen=True)
class Prepared:
    """Buildings [n] of some tiles, in the order of the table.

    `area_m2` is NaN where it is not known. `groupings` are the cells of each resolution, then
    countries if wanted, then the areas of each file.
    """

    share: Share
    placement: Placement
    area_m2: NDArray[np.float64]
    groupings: tuple[Grouping, ...]


def shares(table: Path, most: int = MOST_BUILDINGS) -> Iterator[Share]:
    """The tiles of a table, as many at once as may be worked at at once."""
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


@contextmanager
def preparation(
    table: Path, wanted: Wanted, shelf: Shelf | None = None
) -> Iterator[list[Prepared]]:
    """All buildings of a table, share by share; their arrays are mapped from files and stay as long
    as the block lasts. Without a shelf nothing is kept.

    Raises `UnreadableBuildings`, `WrongGrid`, `WrongCrs`, and what `read_outlines` raises.
    """
    grid = common_grid(wanted.frames, wanted.names)
    parts = list(shares(table))
    makes = {
        f"{number}": partial(_make, table, share, wanted, grid)
        for number, share in enumerate(parts)
    }
    with TemporaryDirectory(prefix="thalweg-") as aside:
        folder, name = (shelf.folder, _name(wanted, shelf)) if shelf else (Path(aside), "made")
        with shelved(folder, name, makes) as made:
            yield [
                _loaded(made / number, share, wanted)
                for number, share in zip(makes, parts, strict=True)
            ]


def _name(wanted: Wanted, shelf: Shelf) -> str:
    """What tells one preparation from another: the names of rasters do not matter."""
    areas = [(one.name, one.column, one.identity or str(one.path)) for one in wanted.areas]
    frames = [astuple(frame) for frame in wanted.frames]
    rule = wanted.rule.value, wanted.buffer_m, wanted.resolutions, wanted.countries
    told = repr((_FORMAT, MOST_BUILDINGS, shelf.identity, frames, rule, areas))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _make(table: Path, share: Share, wanted: Wanted, grid: Grid, folder: Path) -> None:
    """Prepares a share, and writes it to a folder."""
    finders = [CountryOf(read_outlines(one.path, one.column)) for one in wanted.areas]
    lists: list[PixelLists] = []
    areas: list[NDArray[np.float64]] = []
    places: list[list[NDArray[np.float64]]] = [[], []]
    countries: list[pa.ChunkedArray] = []
    codes: list[list[pa.Array]] = [[] for _ in finders]
    columns = ["longitude", "latitude", "area_m2", "country"]
    columns += [GEOMETRY] if wanted.rule.needs_footprint else []
    for group in read_groups(table, frozenset(share), columns):
        longitude, latitude = group["longitude"].to_numpy(), group["latitude"].to_numpy()
        footprints = _footprints(group, wanted) if wanted.rule.needs_footprint else None
        lists.append(
            pixel_lists(grid, longitude, latitude, footprints, wanted.rule, wanted.buffer_m)
        )
        areas.append(group["area_m2"].to_numpy(zero_copy_only=False).astype(np.float64))
        for held, one in zip(places, (longitude, latitude), strict=True):
            held.append(one)
        countries += [group["country"]] if wanted.countries else []
        for found, finder in zip(codes, finders, strict=True):
            found.append(pa.array(finder.codes(longitude, latitude), pa.string()))
    texts = [pa.chunked_array([one for c in countries for one in c.chunks], pa.string())]
    texts = texts if wanted.countries else []
    texts += [pa.chunked_array(found, pa.string()) for found in codes]
    # All places at once: the library is asked once for each cell.
    longitudes, latitudes = (np.concatenate(held) for held in places)
    groups = [
        *(Groups.of(cells_of_places(longitudes, latitudes, one)) for one in wanted.resolutions),
        *(_groups_of_texts(one) for one in texts),
    ]
    _save(
        Placement.of(PixelLists.joined(lists), wanted.frames), np.concatenate(areas), groups, folder
    )


def _footprints(group: pa.Table, wanted: Wanted) -> Rings | NDArray[np.object_]:
    wkb = group[GEOMETRY].combine_chunks()
    if wanted.buffer_m or wanted.rule.needs_geometries:
        geometries: NDArray[np.object_] = shapely.from_wkb(wkb.to_numpy(zero_copy_only=False))
        return geometries
    return Rings.of_wkb(wkb)


def _groups_of_texts(texts: pa.ChunkedArray) -> Groups:
    encoded = pa.concat_arrays(texts.chunks).dictionary_encode()
    keys = np.array(encoded.dictionary.to_pylist(), str)
    order = np.argsort(keys) if len(keys) else np.zeros(0, np.intp)
    rank = np.empty(len(keys) + 1, np.int32)
    rank[order], rank[len(keys)] = np.arange(len(keys)), -1
    indices = encoded.indices.fill_null(len(keys)).to_numpy()
    return Groups(keys[order], rank[indices])


def _save(
    placement: Placement, area_m2: NDArray[np.float64], groups: list[Groups], folder: Path
) -> None:
    arrays: dict[str, NDArray[Any]] = {"first": placement.first, "area": area_m2}
    for number, lists in enumerate(placement.rasters):
        arrays |= {f"raster{number}-{name}": values for name, values in vars(lists).items()}
    outside = placement.first[1:] == placement.first[:-1]
    for number, one in enumerate(groups):
        fixed = fixed_sums(one.labels, len(one.keys), area_m2, outside)
        held = {"keys": one.keys, "labels": one.labels, **fixed}
        arrays |= {f"groups{number}-{name}": values for name, values in held.items()}
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values, allow_pickle=False)


def _loaded(folder: Path, share: Share, wanted: Wanted) -> Prepared:
    def array(name: str) -> NDArray[Any]:
        # Copy-on-write: of the type that the kernels are compiled for, and nothing is written.
        values = np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)
        return np.asarray(values)

    rasters = [
        BlockLists(*(array(f"raster{number}-{name}") for name in BlockLists.__annotations__))
        for number in range(len(wanted.frames))
    ]
    groupings = []
    for number in range(len(wanted.resolutions) + wanted.countries + len(wanted.areas)):
        groups = Groups(array(f"groups{number}-keys"), array(f"groups{number}-labels"))
        groupings.append(Grouping(groups, {one: array(f"groups{number}-{one}") for one in FIXED}))
    return Prepared(
        share, Placement(array("first"), tuple(rasters)), array("area"), tuple(groupings)
    )


def all_keys(shares: list[Prepared], grouping: int) -> Keys:
    """The keys of a grouping in all shares, rising."""
    return np.unique(np.concatenate([one.groupings[grouping].groups.keys for one in shares]))
