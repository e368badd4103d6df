"""Stacking eight return periods of one tile: ours against the usual ways.

python bench/stack.py [SIZE]
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import delivery
import run
import usual

from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.raster.stack import SourceBand, stack
from thalweg.raster.verify import verify

RULES = PixelRules(
    "int16", "cm", delivery.NODATA, 0, 10_000, (SpecialValue(delivery.WATER, "permanent_water"),)
)
METHODS = {
    "thalweg": "every pixel checked, summed up and hashed as well",
    "thalweg, then verify": "as it is published",
    "rasterio, then rio-cogeo": "",
    "GDAL's COG driver from a VRT": "",
}


def sources(folder: Path, row: int = 0, column: int = 0) -> list[Path]:
    return [delivery.tile_path(folder, row, column, p) for p in delivery.RETURN_PERIODS]


def bands(folder: Path, row: int = 0, column: int = 0) -> list[SourceBand]:
    periods = zip(delivery.RETURN_PERIODS, sources(folder, row, column), strict=True)
    return [SourceBand(str(f), f.name, f"1in{p}", {"return_period": str(p)}) for p, f in periods]


def work(method: str, name: str) -> None:
    folder = Path(name)
    destination = folder / f"{list(METHODS).index(method)}.tif"
    if method == "thalweg":
        stack(bands(folder), destination, rules=RULES)
    elif method == "thalweg, then verify":
        verify(destination, stack(bands(folder), destination, rules=RULES))
    elif method == "rasterio, then rio-cogeo":
        usual.rasterio_stack(sources(folder), destination)
    else:
        usual.gdal_stack(sources(folder), destination)


def main() -> None:
    (size,) = run.numbers(__doc__, size=3600)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        delivery.make(folder, size=size, rows=1, columns=1)
        costs = {method: run.measure(Path(__file__), method, folder, 3) for method in METHODS}
        verdicts = {m: run.verdict(folder / f"{i}.tif") for i, m in enumerate(METHODS)}
        print(run.table(costs, verdicts))


if __name__ == "__main__":
    run.main(work, main)
