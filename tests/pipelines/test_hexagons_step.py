"""The step `hexagons` behind the others: tables whose numbers are those of the rasters."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest
import rasterio
from deliveries import PERIODS, Chain, Delivery, rasters_of_fathom

STEP = "  - {operator: hexagons, resolutions: [4, 6], depths: [0.5]}\n"
CHOICE = ("year=2020", "peril=fluvial", "defence=defended", "tiles=n04w006,n04w004,n05w004")


@pytest.fixture
def hexagons(chain: Chain, delivery: Delivery, tmp_path: Path) -> Chain:
    """Three tiles in two grid cells, which share an edge that hexagons lie across."""
    delivery.add(["n04w006", "n04w004", "n05w004"])
    text = rasters_of_fathom()
    with_step = tmp_path / "hexagons.yaml"
    with_step.write_text(text.replace("  - operator: catalog", f"{STEP}  - operator: catalog"))
    chain.pipeline = str(with_step)
    return chain


def tables(chain: Chain) -> list[Path]:
    return sorted((chain.folder / "silver" / "fathom" / "hexagons").rglob("*.parquet"))


def test_the_sum_over_cells_is_the_sum_of_the_rasters(hexagons: Chain) -> None:
    outcome = hexagons.run(*CHOICE)
    assert outcome.complete
    assert outcome.made["hexagons"] == ["rwa-fluvial-defended-2020"]
    found = tables(hexagons)
    assert [path.parent.name for path in found] == ["resolution=4", "resolution=6"]
    rasters = [Path(item["assets"]["data"]["href"]) for item in hexagons.items().values()]
    assert len(rasters) == 2
    for band, period in enumerate(PERIODS, start=1):
        total = valid = deep = water = 0
        for path in rasters:
            with rasterio.open(path) as dataset:
                pixels = dataset.read(band).astype(np.int64)
            total += pixels[pixels >= 0].sum()
            valid += (pixels >= 0).sum()
            deep += (pixels > 50).sum()
            water += (pixels == -32767).sum()
        for table in found:
            label = f"1in{period}"
            (row,) = duckdb.sql(
                f"select sum(sum_{label}), sum(valid_{label}), sum(permanent_water_{label}), "
                f"sum(share_above_50cm_{label} * valid_{label}) from '{table}'"
            ).fetchall()
            assert row[:3] == (total, valid, water)
            assert row[3] == pytest.approx(deep)


def test_a_cell_over_two_rasters_is_one_row(hexagons: Chain) -> None:
    hexagons.run(*CHOICE)
    for table in tables(hexagons):
        query = f"select count(*), count(distinct cell) from '{table}'"
        (rows,) = duckdb.sql(query).fetchall()
        assert rows[0] == rows[1] > 1


def test_the_same_again_does_nothing_and_a_changed_source_remakes_its_scenario(
    hexagons: Chain, delivery: Delivery
) -> None:
    hexagons.run(*CHOICE)
    before = hexagons.silver()
    assert not any(hexagons.run(*CHOICE).made.values())
    assert hexagons.silver() == before
    delivery.path("n04w006", 100).touch()
    again = hexagons.run(*CHOICE)
    assert again.made["hexagons"] == ["rwa-fluvial-defended-2020"]


def test_a_scenario_that_lacks_a_raster_is_named_and_left(
    hexagons: Chain, delivery: Delivery
) -> None:
    delivery.path("n04w006", 100).unlink()
    outcome = hexagons.run(*CHOICE)
    assert outcome.made["hexagons"] == []
    assert "n04w008" in outcome.missing["hexagons"]["rwa-fluvial-defended-2020"]
    assert tables(hexagons) == []


def test_a_step_that_is_not_enabled_waits_to_be_asked_for(chain: Chain, delivery: Delivery) -> None:
    delivery.add(["n04w006"])
    choice = ("year=2020", "peril=fluvial", "defence=defended", "tiles=n04w006")
    outcome = chain.run(*choice)
    assert outcome.complete
    assert set(outcome.made) == {"inventory", "stack", "mosaic", "catalog"}
    asked = chain.run(*choice, "hexagons.enabled=true")
    assert asked.complete
    assert asked.made["hexagons"] == ["rwa-fluvial-defended-2020"]
    assert asked.made["stack"] == []
    assert len(chain.items("fathom-flood-depth-hexagons")) == 4
