"""Makes the files of tiles, in this process or in several, each file whole or not at all."""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.errors import WorkerCrashed
from thalweg.synth.flood import (
    NODATA,
    PERMANENT_WATER,
    Centimetres,
    Ground,
    Region,
    depth_layer,
    hazard_heights,
    peril_heights,
    stage,
    tile_ground,
)
from thalweg.synth.geotiff import encode_tile
from thalweg.synth.layers import layers_of
from thalweg.synth.order import Order
from thalweg.synth.presets import VARIANTS, Hazard, Preset, Variant

type Record = dict[str, Any]
type Progress = Callable[[int], None]


@dataclass(frozen=True)
class Job:
    """All that a process needs to make any tile of the delivery."""

    order: Order
    preset: Preset
    region: Region
    out: Path

    @property
    def variant(self) -> Variant:
        return VARIANTS[self.order.variant]

    def make(self, tile: str) -> Iterator[Record]:
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


def make_tiles(job: Job, workers: int, progress: Progress) -> list[Record]:
    """Makes every tile of the job; the manifest's records of all files, tile by tile."""
    tiles = job.preset.tiles
    if workers <= 1 or len(tiles) == 1:
        return list(_counted((file for tile in tiles for file in job.make(tile)), progress))
    return _make_in_processes(job, min(workers, len(tiles)), progress)


def _counted(files: Iterable[Record], progress: Progress) -> Iterator[Record]:
    for done, file in enumerate(files, 1):
        progress(done)
        yield file


def _make_in_processes(job: Job, workers: int, progress: Progress) -> list[Record]:
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
    job: Job
    done: Synchronized[int]
    halt: Event


_worker: _Worker | None = None


def _start_worker(job: Job, done: Synchronized[int], halt: Event) -> None:
    global _worker  # noqa: PLW0603 - a process pool's initializer has nowhere else to leave it
    _worker = _Worker(job, done, halt)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _make_tile(tile: str) -> list[Record]:
    assert _worker is not None
    files = []
    for file in _worker.job.make(tile):
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


def write_aside(path: Path, content: bytes) -> None:
    """Writes a whole file or nothing: under a temporary name beside it, then renamed."""
    aside = aside_of(path)
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def aside_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")
