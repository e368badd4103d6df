"""Zonal statistics of one tile by hexagon: ours against the usual ways.

python bench/hexagons.py [SIZE]

The usual ways get a window in the middle of the tile, for they take minutes for the whole, and the
polygons of the cells for nothing. exactextract gets a layer, as it is mostly used, and then all
bands at once, which shares its work between them; the others get the last band. raster2dggs is
measured where its command is found (`uv tool install "raster2dggs[h3]"`). Speeds are by processor
time, so that the load of other programs does not decide.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import delivery
import numpy as np
import pyarrow.parquet as pq
import rasterio
import run
import shapely
from rasterio.windows import Window as FileWindow
from stack import RULES, bands

from thalweg.hexagons.boxes import Window
from thalweg.hexagons.cells import cell_polygons
from thalweg.hexagons.measures import Rule
from thalweg.hexagons.zonal import zonal
from thalweg.raster.stack import stack

METHODS = (
    "thalweg, centre",
    "thalweg, area",
    "exactextract",
    "exactextract, a layer at a time",
    "rasterstats",
    "h3ronpy, then polars",
    *(["raster2dggs"] if shutil.which("raster2dggs") else []),
)
# By resolution, the side of the window that the usual ways get.
PEERS_SIZES = {7: 1500, 8: 1000, 9: 600}
BAND = 8
BANDS = range(1, BAND + 1)


@dataclass(frozen=True)
class Job:
    """What a method's process is to do: the whole file or a window of the last band."""

    file: Path
    resolution: int
    peers_size: int

    @property
    def window(self) -> Window:
        with rasterio.open(self.file) as dataset:
            first = (dataset.width - self.peers_size) // 2
        side = range(first, first + self.peers_size)
        return Window(side, side)

    @property
    def file_window(self) -> FileWindow:
        first = self.window.rows.start
        return FileWindow(first, first, self.peers_size, self.peers_size)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        with rasterio.open(self.file) as dataset:
            return dataset.window_bounds(self.file_window)

    def cells_file(self, method: str) -> Path:
        return self.file.with_name(f"{METHODS.index(method)}-{self.resolution}.npz")


def ours(job: Job, rule: Rule) -> tuple[np.ndarray, np.ndarray]:
    found = zonal(str(job.file), [job.resolution], rules=RULES.made(), rule=rule)
    return found[job.resolution].cells, found[job.resolution].mean[:, -1]


def ours_in_window(job: Job, rule: Rule) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = zonal(str(job.file), [job.resolution], rules=RULES.made(), rule=rule, window=job.window)
    statistics = found[job.resolution]
    return statistics.cells, statistics.mean[:, -1], statistics.total[:, -1]


def peers_pixels(job: Job) -> tuple[np.ndarray, rasterio.Affine]:
    with rasterio.open(job.file) as dataset:
        pixels = dataset.read(BAND, window=job.file_window)
        return pixels, dataset.window_transform(job.file_window)


@cache
def peers_cells(job: Job) -> tuple[np.ndarray, np.ndarray]:
    cells, _, _ = ours_in_window(job, Rule.CENTRE)
    return cells, cell_polygons(cells)


def exactextract(
    job: Job, bands: Sequence[int] = BANDS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The last of the bands; finding covered shares is work that they share."""
    from exactextract import exact_extract
    from exactextract.raster import NumPyRasterSource

    cells, polygons = peers_cells(job)
    with rasterio.open(job.file) as dataset:
        planes = dataset.read(list(bands), window=job.file_window)
    values = np.where(planes >= 0, planes, np.nan)
    sources = [
        NumPyRasterSource(plane, *job.bounds, name=f"b{band}")
        for band, plane in zip(bands, values, strict=True)
    ]
    features = [
        {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(polygon)}
        for polygon in polygons
    ]
    found = exact_extract(sources, features, ["mean", "sum", "count"])
    # Of one source alone, the names of its statistics do not begin with its own.
    prefix = f"b{BAND}_" if len(bands) > 1 else ""
    names = [f"{prefix}{name}" for name in ("mean", "sum", "count")]
    means, sums, counts = np.array([[f["properties"][n] for n in names] for f in found], float).T
    return cells, np.where(counts >= 0.5 * np.median(counts), means, np.nan), sums


def rasterstats(job: Job) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from rasterstats import zonal_stats

    cells, polygons = peers_cells(job)
    pixels, transform = peers_pixels(job)
    masked = np.where(pixels >= 0, pixels, RULES.nodata)
    found = zonal_stats(
        list(polygons), masked, affine=transform, nodata=RULES.nodata, stats=["mean", "sum"]
    )
    means, sums = np.array([(f["mean"], f["sum"]) for f in found], float).T
    return cells, means, sums


def h3ronpy(job: Job) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import polars as pl
    from h3ronpy.vector import coordinates_to_cells

    pixels, transform = peers_pixels(job)
    rows, cols = np.indices(pixels.shape)
    lon, lat = transform @ (cols.ravel() + 0.5, rows.ravel() + 0.5)
    cells = np.asarray(coordinates_to_cells(lat, lon, job.resolution))
    frame = pl.DataFrame({"cell": cells, "depth": pixels.ravel()}).filter(pl.col("depth") >= 0)
    depth = pl.col("depth").cast(pl.Int64)
    found = frame.group_by("cell").agg(depth.mean().alias("mean"), depth.sum().alias("sum"))
    found = found.sort("cell")
    return tuple(found[name].to_numpy() for name in ("cell", "mean", "sum"))


def raster2dggs(job: Job) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Its command, from a file of the window to its Parquet; it gives no sums."""
    pixels, transform = peers_pixels(job)
    with tempfile.TemporaryDirectory() as name:
        window, made = Path(name) / "window.tif", Path(name) / "made"
        profile = {"driver": "GTiff", "count": 1, "dtype": pixels.dtype, "crs": "EPSG:4326"}
        height, width = pixels.shape
        with rasterio.open(
            window, "w", **profile, height=height, width=width, transform=transform, nodata=-32768
        ) as dataset:
            dataset.write(np.where(pixels < 0, -32768, pixels), 1)
        command = ["raster2dggs", "h3", "-v", "ERROR", "-r", str(job.resolution), "-a", "mean"]
        subprocess.run([*command, window, made], check=True, capture_output=True)
        found = pq.read_table(made).select([f"h3_{job.resolution:02}", "band_1"])
    cells = np.array([int(cell, 16) for cell in found[0].to_pylist()], np.uint64)
    order = np.argsort(cells)
    means = found[1].to_numpy()[order]
    return cells[order], means, np.full(len(means), np.nan)


def processor_time() -> float:
    """Of this process and of those that it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


PEERS = {
    "exactextract": exactextract,
    "exactextract, a layer at a time": partial(exactextract, bands=[BAND]),
    "rasterstats": rasterstats,
    "h3ronpy, then polars": h3ronpy,
    "raster2dggs": raster2dggs,
}
RULE_OF = {"thalweg, centre": Rule.CENTRE, "thalweg, area": Rule.AREA}


def work(method: str, settings: str) -> None:
    file, resolution, peers_size = json.loads(settings)
    job = Job(Path(file), resolution, peers_size)
    if method in RULE_OF:
        ours(job, RULE_OF[method])
    else:
        cells, means, sums = PEERS[method](job)
        np.savez(job.cells_file(method), cells=cells, means=means, sums=sums)


def agreement(method: str, job: Job) -> str:
    """Against exactextract, in cells within the window that are wet and mostly valid."""
    exact = np.load(job.cells_file("exactextract"))
    if method in RULE_OF:
        cells, means, sums = ours_in_window(job, RULE_OF[method])
    else:
        found = np.load(job.cells_file(method))
        cells, means, sums = found["cells"], found["means"], found["sums"]
    inside = shapely.contains(shapely.box(*job.bounds), cell_polygons(exact["cells"]))
    chosen = inside & (exact["means"] > 0) & np.isin(exact["cells"], cells)
    mine = means[np.searchsorted(cells, exact["cells"][chosen])]
    off = np.abs(np.nan_to_num(mine) / exact["means"][chosen] - 1) * 100
    total = (np.nansum(sums) / np.nansum(exact["sums"]) - 1) * 100
    told = "none" if np.isnan(sums).all() else f"{total:+.4f} %"
    return f"{np.median(off):.3f} % | {np.percentile(off, 95):.2f} % | {told}"


def done_by_peer(method: str, size: int) -> int:
    """The pixel-layers that one of the usual ways is given."""
    return size**2 * (BAND if method == "exactextract" else 1)


def main() -> None:
    (size,) = run.numbers(__doc__, size=3600)
    if size < (least := max(PEERS_SIZES.values())):
        raise SystemExit(f"SIZE must be {least} at least: the usual ways get a window as large")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        delivery.make(folder, size=size, rows=1, columns=1)
        file = folder / "tile.tif"
        made = stack(bands(folder), file, rules=RULES)
        layers = size * size * len(made.bands)
        print("| resolution | | pixel-layers a second | ours, centre, is | peak memory ", end="")
        print("| median | 95th percentile | total |")
        print("|---|---|---|---|---|---|---|---|")
        for resolution, peers_size in PEERS_SIZES.items():
            job = Job(file, resolution, peers_size)
            speeds = {}
            costs = {}
            for method in METHODS:
                settings = json.dumps([str(file), resolution, peers_size])
                repeats = 3 if method in RULE_OF else 2
                costs[method] = run.measure(Path(__file__), method, settings, repeats)
                whole = layers if method in RULE_OF else done_by_peer(method, peers_size)
                speeds[method] = whole / costs[method].warm / 1e6
            for method, speed in speeds.items():
                ratio = speeds["thalweg, centre"] / speed
                print(
                    f"| {resolution} | {method} | {speed:.3g} million | {ratio:.3g} times as fast "
                    f"| {costs[method].memory} MB | {agreement(method, job)} |",
                    flush=True,
                )


if __name__ == "__main__":
    run.main(work, main, processor_time)
