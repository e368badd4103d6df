"""A delivery on disk: planned, made by several processes, and described by a manifest.

The manifest is written last. Until then `.synth.json` says what is being made, so that a delivery
that was broken off goes on; files that already hold the right bytes are left as they are.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.errors import (
    DeliveryExists,
    DiskFull,
    StorageError,
    UsageError,
    WorkerCrashed,
    WrongTileSize,
)
from thalweg.synth.flood import (
    NODATA,
    PERMANENT_WATER,
    SMALLEST_DEPTH,
    Centimetres,
    Ground,
    Region,
    build_region,
    depth_layer,
    hazard_heights,
    peril_heights,
    stage,
    tile_ground,
)
from thalweg.synth.geotiff import encode_tile
from thalweg.synth.layers import expected_answers, layers_of
from thalweg.synth.presets import (
    DEFAULT_SEED,
    EVERYTHING,
    VARIANTS,
    Hazard,
    Preset,
    Selection,
    Variant,
    find_preset,
)

MANIFEST = "manifest.json"
UNFINISHED = ".synth.json"
FORMAT_VERSION = 1
FINEST = 3600  # pixels a degree: one arc-second
STEP = 16  # TIFF blocks are multiples of 16 pixels

type Record = dict[str, Any]
type Progress = Callable[[int], None]


@dataclass(frozen=True)
class Order:
    """What to make: a preset, or a part of it, at `tile_size` pixels a degree."""

    preset: str
    tile_size: int
    seed: int = DEFAULT_SEED
    variant: str = "region"
    selection: Selection = EVERYTHING

    def __post_init__(self) -> None:
        check_tile_size(self.tile_size)
        if self.variant not in VARIANTS:
            raise UsageError(
                f"no naming variant is called '{self.variant}'",
                hint=f"one of {', '.join(VARIANTS)}",
            )
        if not 0 <= self.seed < 2**31:
            raise UsageError(f"seed {self.seed} is out of range", hint="0 to 2147483647")

    @property
    def delivered(self) -> Preset:
        """The selected part of the preset."""
        part = self.selection.of(find_preset(self.preset))
        if expected_answers(part)["sources"] == 0:
            raise UsageError("the selection holds no file", hint="leave some of the options out")
        return part

    @property
    def files(self) -> int:
        """How many files the delivery holds."""
        return int(expected_answers(self.delivered)["sources"])

    def to_json(self) -> Record:
        """The order as JSON; equal orders make equal bytes."""
        return {"format": FORMAT_VERSION, **json.loads(json.dumps(asdict(self)))}


def check_tile_size(size: int) -> None:
    """`WrongTileSize` unless `size` is a multiple of 16 in 16..3600."""
    if size % STEP == 0 and STEP <= size <= FINEST:
        return
    below = min(max(size // STEP * STEP, STEP), FINEST)
    above = min(below + STEP, FINEST)
    nearest = f"{below} or {above}" if STEP < size < FINEST else str(below)
    raise WrongTileSize(
        f"a tile cannot be {size} pixels wide",
        hint=f"a multiple of {STEP} from {STEP} to {FINEST}: the nearest is {nearest}",
    )


def deliver(
    order: Order, out: Path, *, workers: int = 1, progress: Progress = lambda _: None
) -> Record:
    """Makes the delivery in `out` and gives back its manifest.

    `progress` is called with the number of files done so far. A folder that holds anything but
    this order's own files is refused with `DeliveryExists`.
    """
    preset = order.delivered
    with _storage_errors(out):
        finished = _claim(order, out)
        if finished is not None and _intact(finished, out):
            progress(len(finished["files"]))
            return finished
        region = build_region(find_preset(order.preset), order.seed)
        files = _make(_Job(order, preset, region, out), workers, progress)
        manifest = _manifest(order, preset, files)
        write_aside(out / MANIFEST, json.dumps(manifest, indent=1).encode())
        (out / UNFINISHED).unlink(missing_ok=True)
    return manifest


def write_aside(path: Path, content: bytes) -> None:
    """Writes a whole file or nothing: under a temporary name beside it, then renamed."""
    aside = _aside(path)
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


@contextmanager
def _storage_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = str(error.filename or out)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                where=where, hint="free some space and run the same command again: it goes on"
            ) from error
        raise StorageError(
            f"the delivery cannot be written: {error.strerror}",
            where=where,
            hint="choose a folder that you may write to with --out",
        ) from error


def _claim(order: Order, out: Path) -> Record | None:
    """Marks `out` as this order's; the manifest, where one is there already."""
    out.mkdir(parents=True, exist_ok=True)
    for name in (MANIFEST, UNFINISHED):
        if (out / name).exists():
            held = _read_record(out / name)
            _check_same(order, held["order"], out)
            return held if name == MANIFEST else None
    if any(path != _aside(out / UNFINISHED) for path in out.iterdir()):
        raise DeliveryExists(
            "the folder is not empty and holds no synthetic delivery",
            where=str(out),
            hint="choose an empty folder with --out",
        )
    write_aside(out / UNFINISHED, json.dumps({"order": order.to_json()}).encode())
    return None


def _read_record(path: Path) -> Record:
    try:
        held = json.loads(path.read_bytes())
    except ValueError:
        held = None
    if not isinstance(held, dict) or "order" not in held:
        raise DeliveryExists(
            "the file is not the manifest of a synthetic delivery",
            where=str(path),
            hint="choose an empty folder with --out",
        )
    return held


def _check_same(order: Order, held: Record, out: Path) -> None:
    wanted = order.to_json()
    differing = [key for key in wanted if held.get(key) != wanted[key]]
    if differing:
        told = ", ".join(f"{key} {held.get(key)}, not {wanted[key]}" for key in differing)
        raise DeliveryExists(
            f"the folder holds another delivery ({told})",
            where=str(out),
            hint="choose another folder with --out, or delete this one",
        )


def _intact(manifest: Record, out: Path) -> bool:
    return all(
        (out / file["path"]).is_file() and (out / file["path"]).stat().st_size == file["size"]
        for file in manifest["files"]
    )


@dataclass(frozen=True)
class _Job:
    """All that a process needs to make any tile of the delivery."""

    order: Order
    preset: Preset
    region: Region
    out: Path

    @property
    def variant(self) -> Variant:
        return VARIANTS[self.order.variant]

    def tile(self, tile: str) -> Iterator[Record]:
        """Makes a tile's files one after the other; what the manifest says of each."""
        ground = tile_ground(self.region.terrain, tile, self.order.tile_size)
        hazards = [hazard for hazard in self.preset.hazards if tile in hazard.tiles]
        for peril, group in itertools.groupby(hazards, lambda hazard: hazard.peril):
            undefended = peril_heights(self.region, peril, ground)
            for hazard in group:
                heights = hazard_heights(self.region, hazard, ground, undefended)
                yield from self._layers(tile, hazard, ground, heights)

    def _layers(
        self, tile: str, hazard: Hazard, ground: Ground, heights: Centimetres
    ) -> Iterator[Record]:
        nodata = int(np.count_nonzero(heights == NODATA))
        water = int(np.count_nonzero(heights == PERMANENT_WATER))
        depth = np.empty_like(heights)
        for layer in layers_of(self.preset, hazard):
            level = stage(self.region, hazard, layer.return_period, layer.year, layer.scenario)
            statistics = depth_layer(heights, hazard, level, depth)
            content = encode_tile(depth, ground.west, ground.north)
            path = layer.path(self.variant, self.preset.region, tile)
            _write_if_other(self.out / path, content)
            yield {
                "path": path,
                **layer.to_json(),
                "tile": tile,
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "valid": heights.size - nodata - water,
                "nodata": nodata,
                "permanent_water": water,
                **statistics._asdict(),
            }


def _write_if_other(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_aside(path, content)


def _make(job: _Job, workers: int, progress: Progress) -> list[Record]:
    tiles = job.preset.tiles
    if workers <= 1 or len(tiles) == 1:
        return list(_counted((file for tile in tiles for file in job.tile(tile)), progress))
    return _make_in_processes(job, min(workers, len(tiles)), progress)


def _counted(files: Iterable[Record], progress: Progress) -> Iterator[Record]:
    for done, file in enumerate(files, 1):
        progress(done)
        yield file


def _make_in_processes(job: _Job, workers: int, progress: Progress) -> list[Record]:
    context = multiprocessing.get_context("spawn")
    done, halt = context.Value("q", 0), context.Event()
    pool = ProcessPoolExecutor(workers, context, _start_worker, (job, done, halt))
    try:
        futures = [pool.submit(_make_tile, tile) for tile in job.preset.tiles]
        pending = set(futures)
        while pending:
            finished, pending = wait(pending, timeout=0.2, return_when=FIRST_EXCEPTION)
            progress(done.value)
            for future in finished:
                future.result()
        return [file for future in futures for file in future.result()]
    except BrokenProcessPool as error:
        raise WorkerCrashed(
            "a process that makes tiles died",
            hint="run the same command again: it goes on; with less memory, use fewer --workers",
        ) from error
    finally:
        halt.set()
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _Worker:
    job: _Job
    done: Synchronized[int]
    halt: Event


_worker: _Worker | None = None


def _start_worker(job: _Job, done: Synchronized[int], halt: Event) -> None:
    global _worker  # noqa: PLW0603 - a process pool's initializer has nowhere else to leave it
    _worker = _Worker(job, done, halt)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _make_tile(tile: str) -> list[Record]:
    assert _worker is not None
    files = []
    for file in _worker.job.tile(tile):
        files.append(file)
        with _worker.done.get_lock():
            _worker.done.value += 1
        if _worker.halt.is_set():
            break
    return files


def _end_with_parent() -> None:
    """A pool's processes wait for work for ever when the one that started them is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _manifest(order: Order, preset: Preset, files: list[Record]) -> Record:
    totals = ("size", "valid", "nodata", "permanent_water", "wet", "sum_cm")
    return {
        "order": order.to_json(),
        "pixels": {
            "dtype": "int16",
            "crs": "EPSG:4326",
            "pixel_size": 1 / order.tile_size,
            "unit": "cm",
            "nodata": NODATA,
            "permanent_water": PERMANENT_WATER,
            "smallest_depth": SMALLEST_DEPTH,
        },
        "expected": expected_answers(preset),
        "totals": {
            **{key: sum(file[key] for file in files) for key in totals},
            "max_cm": max(file["max_cm"] for file in files),
        },
        "files": sorted(files, key=lambda file: str(file["path"])),
    }
