from __future__ import annotations

from pathlib import Path

import pytest
from hexagon_tables import flood_series, statistics

from thalweg.domain.tiles import BoundingBox
from thalweg.hexagons.outlines import DATA_FOLDER, Outlines, countries
from thalweg.hexagons.places import box, seed
from thalweg.hexagons.tables import partition, series_table, write_table


@pytest.fixture(scope="session")
def world() -> Outlines:
    """Natural Earth's countries at 1:10 million."""
    if not (DATA_FOLDER / "countries-10m.parquet").exists():
        pytest.skip("the outlines of countries are made by script/bootstrap, where npm is")
    return countries()


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of two flood scenarios and a terrain layer around 30 E, 2 S, at resolutions 5 and 6.

    Cells are in turn of COD and RWA; every tenth has no mean.
    """
    root = tmp_path_factory.mktemp("tables")
    for resolution in (5, 6):
        cells = seed(box(BoundingBox(29, -3, 31, -1)), resolution).cells
        codes = ["RWA" if index % 2 else "COD" for index in range(len(cells))]
        for series in (
            flood_series("2020", "none"),
            flood_series("2050", "ssp245"),
            flood_series("none", "none", dataset="terrain", labels=("",), periods=()),
        ):
            table = series_table(
                series,
                cells,
                statistics(len(cells), len(series.labels)),
                countries=codes,
                units={"wet_share": "1"},
            )
            path = root / partition(series, resolution) / f"{series.id}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_table(table, path)
    return root
