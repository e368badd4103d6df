"""Merging six tiles of eight bands: ours against the usual ways.

python bench/mosaic.py [SIZE]
"""

from __future__ import annotations

import json
import tempfile
from itertools import product
from pathlib import Path

import delivery
import run
import usual
from stack import RULES, bands

from thalweg.raster.made import BandFacts
from thalweg.raster.mosaic import Tile, mosaic
from thalweg.raster.stack import stack
from thalweg.raster.verify import verify

METHODS = (
    "thalweg splice",
    "thalweg splice, then verify",
    "thalweg stream",
    "rasterio.merge, then rio-cogeo",
    "GDAL's COG driver from a VRT",
)
PLACES = list(product(range(2), range(3)))


def make_tiles(folder: Path, size: int) -> None:
    """The sources, their stacks in our layout, and the same in GDAL's for the usual ways."""
    delivery.make(folder, size=size)
    for row, column in PLACES:
        sources = bands(folder, row, column)
        made = stack(sources, folder / f"tile{row}{column}.tif", rules=RULES)
        facts = [band.to_json() for band in made.bands]
        (folder / f"tile{row}{column}.json").write_text(json.dumps(facts))
        usual.gdal_stack([Path(s.path) for s in sources], folder / f"usual{row}{column}.tif")


def tiles(folder: Path) -> list[Tile]:
    found = []
    for row, column in PLACES:
        path = folder / f"tile{row}{column}.tif"
        facts = json.loads(path.with_suffix(".json").read_text())
        found.append(Tile(str(path), path.name, tuple(map(BandFacts.from_json, facts))))
    return found


def work(method: str, name: str) -> None:
    folder = Path(name)
    destination = folder / f"{METHODS.index(method)}.tif"
    usual_tiles = [folder / f"usual{row}{column}.tif" for row, column in PLACES]
    if method == "thalweg stream":
        mosaic(tiles(folder), destination, rules=RULES.made(), method="stream")
    elif method.startswith("thalweg"):
        made = mosaic(tiles(folder), destination, rules=RULES.made(), method="splice")
        if "verify" in method:
            verify(destination, made)
    elif method.startswith("rasterio"):
        usual.rasterio_merge(usual_tiles, destination)
    else:
        usual.gdal_merge(usual_tiles, destination)


def main() -> None:
    (size,) = run.numbers(__doc__, size=3600)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_tiles(folder, size)
        costs = {
            method: run.measure(Path(__file__), method, folder, 3 if "thalweg" in method else 1)
            for method in METHODS
        }
        verdicts = {m: run.verdict(folder / f"{i}.tif") for i, m in enumerate(METHODS)}
        print(run.table(costs, verdicts))


if __name__ == "__main__":
    run.main(work, main)
