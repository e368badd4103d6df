"""Tables of the exposure of a made-up country, whose numbers are known."""

from __future__ import annotations

from pathlib import Path

import h3.api.numpy_int as h3
import numpy as np
import pyarrow as pa

from thalweg.domain.coordinates import Coordinates
from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.exposure.aggregate import Exposure, Question, above
from thalweg.exposure.damage import Curve, Damage
from thalweg.exposure.exposed import areas_exposure, cells_exposure
from thalweg.hexagons.layers import Series
from thalweg.hexagons.tables import partition, write_table

RULES = PixelRules("int16", "cm", -2, 0, 3000, (SpecialValue(-1, "permanent_water"),))
QUESTION = Question(RULES, damages=(Damage("homes", Curve((0, 1), (0, 1)), 1500.0, "m2", "USD"),))
PERIODS = (10.0, 100.0)
# The areas of each kind, by code, with their countries.
AREAS = {
    "countries": {"COD": "COD", "RWA": "RWA"},
    "districts": {"<b>": "RWA", "Gasabo": "RWA", "Z": "RWA", "Zongo": "COD"},
}
CELLS = np.sort(h3.grid_disk(h3.latlng_to_cell(-2, 30, 6), 3))


def exposure(keys: np.ndarray, factor: float = 1) -> Exposure:
    count = len(keys)
    number = factor * np.outer(np.arange(count), [1.0, 2.0])
    layers = {"unknown": number * 0 + 3, "permanent_water": number * 0 + 1}
    for threshold in QUESTION.thresholds_m:
        layers[f"exposed_{above(threshold)}"] = number
        layers[f"exposed_area_{above(threshold)}_m2"] = number * 50
    layers |= {"known_exposed": number, "depth_sum": number * 1.5, "damage_homes": number * 1e6}
    fixed = {
        "buildings": np.full(count, 1000.0),
        "area_m2": np.full(count, 5e4),
        "without_area": np.full(count, 2.0),
        "outside": np.full(count, 4.0),
    }
    return Exposure(keys, fixed, layers, np.where(number > 0, 2.5, 0))


def series(year: str) -> Series:
    pairs = (("region", "rwa"), ("peril", "fluvial"), ("year", year))
    return Series("exposure", "homes", "cm", Coordinates(pairs), ("1in10", "1in100"), PERIODS)


def write_tables(folder: Path) -> tuple[list[Path], list[Path]]:
    """Two scenarios by cell of resolution 6, and by country and district."""
    cells, areas = [], []
    for number, year in enumerate(("2020", "2050"), start=1):
        one = series(year)
        path = folder / partition(one, 6) / f"{one.id}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        codes = ["RWA"] * (len(CELLS) - 1) + ["COD"]
        write_table(cells_exposure(one, exposure(CELLS, number), QUESTION, codes), path)
        cells.append(path)
        for name, codes in AREAS.items():
            path = folder / f"{name}-{year}.parquet"
            made = exposure(np.array(list(codes), object), 100 * number)
            table = areas_exposure(one, made, QUESTION, name)
            if name == "districts":
                table = table.add_column(2, "country", pa.array(codes.values()))
            write_table(table, path)
            areas.append(path)
    return cells, areas
