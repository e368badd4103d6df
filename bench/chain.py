"""The whole chain, from raw files to catalogued COGs: ours against the usual way, and the limit.

python bench/chain.py [TILE_SIZE]

Two hazards, today and one future, six tiles, eight return periods: 192 files to 24 stacks and 4
mosaics. Ours is the command `thalweg run`, with start, inventory, the check of every pixel,
verification, catalogue and all; the usual way stacks and merges with rasterio and rio-cogeo, or
with GDAL's COG driver, in as many processes as there are processors. The limit is to decode every
source once and to encode it once.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
import rasterio
import run
import usual
from imagecodecs import delta_encode, zstd_encode

from thalweg.synth.delivery import deliver
from thalweg.synth.order import Order
from thalweg.synth.presets import Selection

HAZARDS = ("FLUVIAL_DEFENDED", "PLUVIAL_DEFENDED")
YEARS = (2020, 2050)
SCENARIO = "SSP2_4.5"
PROCESSES = os.cpu_count() or 1
CHOICE = (
    "region=rwa",
    "defence=defended",
    "year=2020,2050",
    "scenario=none,ssp245",
)


def ours(source: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "thalweg.cli.main", "run", "fathom"]
    choice = [part for setting in CHOICE for part in ("--set", setting)]
    command += ["--source", str(source), "--workspace", str(folder), *choice]
    subprocess.run(command, check=True, capture_output=True)


def usual_way(
    stack: Callable[[Sequence[Path], Path], None], merge: Callable[[Sequence[Path], Path], None]
) -> Callable[[Path, Path], None]:
    def work(source: Path, folder: Path) -> None:
        layers: dict[str, list[tuple[list[Path], Path]]] = defaultdict(list)
        for (layer, tile), files in sets(source).items():
            layers[layer].append((files, folder / f"{layer}-{tile}.tif"))
        with multiprocessing.Pool(PROCESSES) as pool:
            pool.starmap(stack, [job for jobs in layers.values() for job in jobs])
            merges = [
                ([path for _, path in jobs], folder / f"{n}.tif") for n, jobs in layers.items()
            ]
            pool.starmap(merge, merges)

    return work


def limit(source: Path, folder: Path) -> None:  # noqa: ARG001
    with multiprocessing.Pool(PROCESSES) as pool:
        pool.map(decode_and_encode, sorted(source.rglob("*.tif")))


def decode_and_encode(path: Path) -> None:
    with rasterio.open(path) as dataset:
        pixels = dataset.read(1)
    for row in range(0, pixels.shape[0], 400):
        for col in range(0, pixels.shape[1], 400):
            block = np.ascontiguousarray(pixels[row : row + 400, col : col + 400])
            zstd_encode(delta_encode(block, axis=-1), 3)


def sets(source: Path) -> dict[tuple[str, str], list[Path]]:
    """The files of each layer and tile, by return period."""
    found: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for path in source.rglob("*.tif"):
        _, rest = path.stem.split("-", 1)
        layer, tile = rest.rsplit("_", 1)
        found[layer, tile].append(path)
    return {
        key: sorted(files, key=lambda path: int(path.stem.split("-")[0].removeprefix("1in")))
        for key, files in found.items()
    }


def measure(method: str, source: Path) -> tuple[float, int]:
    """Seconds, and the peak memory in MB of the largest of the processes, sampled."""
    with tempfile.TemporaryDirectory() as folder:
        work = multiprocessing.Process(target=METHODS[method], args=(source, Path(folder)))
        began = time.perf_counter()
        work.start()
        peak = 0
        while work.is_alive():
            peak = max(peak, largest(psutil.Process()))
            work.join(0.1)
        if work.exitcode:
            raise SystemExit(f"{method} failed")
        return time.perf_counter() - began, peak >> 20


def largest(parent: psutil.Process) -> int:
    sizes = [0]
    for process in parent.children(recursive=True):
        try:
            sizes.append(process.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return max(sizes)


METHODS: dict[str, Callable[[Path, Path], None]] = {
    "thalweg run": ours,
    "rasterio and rio-cogeo": usual_way(usual.rasterio_stack, usual.rasterio_merge),
    "GDAL's COG driver from VRTs": usual_way(usual.gdal_stack, usual.gdal_merge),
    "the limit: decode and encode once": limit,
}


def main() -> None:
    (size,) = run.numbers(__doc__, size=3600)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "delivery"
        selection = Selection(hazards=HAZARDS, years=YEARS, scenarios=(SCENARIO,))
        order = Order("rwanda", size, selection=selection)
        deliver(order, source, workers=PROCESSES)
        costs = {method: measure(method, source) for method in METHODS}
    seconds, memory = costs["thalweg run"]
    print("| | seconds | times ours | peak of a process | times ours |")
    print("|---|---|---|---|---|")
    for method, (took, peak) in costs.items():
        print(f"| {method} | {took:.1f} | {took / seconds:.2f} | {peak} MB | {peak / memory:.1f} |")


if __name__ == "__main__":
    main()
