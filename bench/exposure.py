"""Depths at buildings of six tiles of eight return periods: ours against the usual ways.

python bench/exposure.py [COUNT [SIZE [SCENARIOS]]]

COUNT buildings, clustered in towns and along roads, on tiles of SIZE pixels. The usual ways get
small shares of one tile, as they would take hours. The rows "whole" aggregate and write the tables
too, of SCENARIOS of eight layers each; 39 of them are the 312 layers of a country. Speeds are
point-layers, or footprint-layers, a second of one process.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import delivery
import numpy as np
import pyarrow as pa
import rasterio
import run
import shapely
from stack import RULES, bands

from thalweg.domain.coordinates import Coordinates
from thalweg.exposure.aggregate import Question
from thalweg.exposure.cleaning import Wanted as WantedRows
from thalweg.exposure.exposed import write_cells
from thalweg.exposure.exposing import Places, expose
from thalweg.exposure.normalise import Rules, Source, normalise
from thalweg.exposure.pixel_lists import Rule
from thalweg.exposure.prepared import Shelf, Wanted, preparation
from thalweg.exposure.readers.reading import Columns, SourceFile
from thalweg.exposure.sampling import Raster, sampler
from thalweg.exposure.table import read_tile
from thalweg.hexagons.layers import Series
from thalweg.raster.stack import stack
from thalweg.synth.buildings import BuildingOrder, deliver_buildings

TILE = "s02e029"
LABELS = tuple(f"1in{period}" for period in delivery.RETURN_PERIODS)
SERIES = Series(
    "exposure", "bench", "cm", Coordinates(()), LABELS, tuple(map(float, delivery.RETURN_PERIODS))
)
OURS = {
    "thalweg, centroid": Rule.CENTROID,
    "thalweg, max": Rule.MAX,
    "thalweg, whole, centroid": Rule.CENTROID,
    "thalweg, whole, max": Rule.MAX,
}
# How many buildings of one tile the usual ways are given.
POINTS = {"rasterio.sample, sorted": 20_000, "rio-tiler": 300, "xarray, loaded": 200_000}
FOOTPRINTS = {"exactextract, max": 3_000, "rasterstats, max": 1_000}


def make(folder: Path, count: int, size: int) -> None:
    """The rasters and the table of buildings."""
    delivery.make(folder / "tiles", size=size)
    for row in range(2):
        for column in range(3):
            stack(bands(folder / "tiles", row, column), tile(folder, row, column), rules=RULES)
    deliver_buildings(BuildingOrder("rwanda", count), folder / "synth")
    columns = Columns(id="id", height="height", confidence="confidence", area="area_in_meters")
    file = SourceFile(folder / "synth/buildings.parquet", "synth", "buildings.parquet", columns)
    source = Source("synth", "geoparquet", [(file, WantedRows())])
    normalise([source], folder / "table.parquet", folder / "report.parquet", Rules(), folder)


def tile(folder: Path, row: int, column: int) -> Path:
    return folder / f"r{row}c{column}.tif"


def rasters(folder: Path) -> list[Raster]:
    files = [tile(folder, row, column) for row in range(2) for column in range(3)]
    return [Raster(str(file), file.name) for file in files]


def some(folder: Path, count: int) -> pa.Table:
    """As many buildings of one tile."""
    table = read_tile(folder / "table.parquet", TILE, ["longitude", "latitude", "geometry"])
    return table.slice(0, count)


def ours(method: str, folder: Path, scenarios: int) -> None:
    """What a row does; buildings are prepared once, in the first run."""
    rule = OURS[method]
    table = folder / "table.parquet"
    shelf = Shelf(folder / f"shelf of {method}", "bench")
    if "whole" in method:
        for _ in range(scenarios):
            question = Question(RULES.made(), rule)
            places = Places((6, 7, 8, 9), countries=False)
            exposed = expose(table, rasters(folder), question, places, SERIES, shelf=shelf)
            for cells in exposed.cells.values():
                write_cells(SERIES, cells, question, folder / "cells.parquet", countries=False)
        return
    with sampler(rasters(folder), RULES.made()) as opened:
        wanted = Wanted(opened.frames, tuple(opened.names), rule, 0.0, (), False, ())
        with preparation(table, wanted, shelf) as ready:
            for share in ready:
                for _ in opened.sample(share.placement, rule):
                    pass


def points(method: str, folder: Path) -> None:
    table = some(folder, POINTS[method])
    lon, lat = table["longitude"].to_numpy(), table["latitude"].to_numpy()
    file = tile(folder, 0, 1)
    if method == "rasterio.sample, sorted":
        with rasterio.Env(GDAL_CACHEMAX=512 << 20), rasterio.open(file) as dataset:
            np.array(list(dataset.sample(zip(lon.tolist(), lat.tolist(), strict=True))))
    elif method == "rio-tiler":
        from rio_tiler.io import Reader

        with Reader(str(file)) as reader:
            for x, y in zip(lon.tolist(), lat.tolist(), strict=True):
                reader.point(x, y)
    else:
        import xarray

        with rasterio.open(file) as dataset:
            rows, cols = np.arange(dataset.height) + 0.5, np.arange(dataset.width) + 0.5
            x, y = dataset.transform @ (cols, 0 * cols), dataset.transform @ (0 * rows, rows)
            places = {"y": y[1], "x": x[0]}
            data = xarray.DataArray(dataset.read(), places, ("band", "y", "x"))
        at = {"x": xarray.DataArray(lon, dims="p"), "y": xarray.DataArray(lat, dims="p")}
        data.sel(**at, method="nearest").load()


def footprints(method: str, folder: Path) -> None:
    shapes = shapely.from_wkb(some(folder, FOOTPRINTS[method])["geometry"].to_numpy())
    file = str(tile(folder, 0, 1))
    if method == "exactextract, max":
        from exactextract import exact_extract

        features = [
            {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(one)}
            for one in shapes
        ]
        exact_extract(file, features, ["max"])
    else:
        from rasterstats import zonal_stats

        for band in range(1, len(LABELS) + 1):
            zonal_stats(list(shapes), file, band=band, stats=["max"], all_touched=True)


def work(method: str, settings: str) -> None:
    name, _, scenarios = settings.rpartition(":")
    folder = Path(name)
    if method in OURS:
        ours(method, folder, int(scenarios))
    elif method in POINTS:
        points(method, folder)
    else:
        footprints(method, folder)


def main() -> None:
    count, size, scenarios = run.numbers(__doc__, count=500_000, size=3600, scenarios=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, count, size)
        print("| | first run | warm | million point-layers a second | ours is | peak memory |")
        print("|---|---|---|---|---|---|")
        speeds: dict[str, float] = {}
        for method in (*OURS, *POINTS, *FOOTPRINTS):
            settings = f"{folder}:{scenarios}"
            cost = run.measure(Path(__file__), method, settings, 3 if method in OURS else 1)
            given = {**POINTS, **FOOTPRINTS}.get(method, count)
            layers = len(LABELS) * (scenarios if "whole" in method else 1)
            speeds[method] = given * layers / cost.warm / 1e6
            yardstick = "thalweg, max" if "max" in method else "thalweg, centroid"
            print(
                f"| {method} | {cost.cold:.2f} s | {cost.warm:.2f} s | {speeds[method]:.4g} "
                f"| {speeds[yardstick] / speeds[method]:.3g} times as fast | {cost.memory} MB |",
                flush=True,
            )


if __name__ == "__main__":
    run.main(work, main)
