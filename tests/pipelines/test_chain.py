"""The whole chain on small deliveries: what is made is right, and made once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from deliveries import PERIODS, Chain, Delivery, depth, write_tif

from thalweg.catalog.validate import validate_item
from thalweg.errors import EmptySource
from thalweg.pipelines.loader import find
from thalweg.pipelines.matrix import matrix_of
from thalweg.pipelines.runner import rehearse

TILES = ["s02e029", "s02e030"]
TODAY = ("year=2020", "tiles=s02e029,s02e030", "peril=fluvial", "defence=defended")


def test_files_become_stacks_cells_and_items(chain: Chain, delivery: Delivery) -> None:
    delivery.add(TILES)
    outcome = chain.run(*TODAY)
    assert outcome.complete
    assert outcome.made["stack"] == [f"rwa-fluvial-defended-2020-{tile}" for tile in TILES]
    assert outcome.made["mosaic"] == ["rwa-fluvial-defended-2020-s04e028"]
    (item,) = chain.items().values()
    assert item["id"] == "rwa-fluvial-defended-2020-s04e028"
    validate_item(item)
    with rasterio.open(item["assets"]["data"]["href"]) as merged:
        assert merged.descriptions == tuple(f"1in{period}" for period in PERIODS)
        assert merged.tags(1)["return_period"] == "5"
        assert merged.units == ("cm",) * 8
        for band, period in enumerate(PERIODS, start=1):
            expected = np.hstack([depth(0, period), depth(1, period)])
            np.testing.assert_array_equal(merged.read(band), expected)


def test_the_matrix_agrees(chain: Chain, delivery: Delivery) -> None:
    delivery.add(TILES)
    chain.run(*TODAY)
    found = matrix_of(*chain.chosen(*TODAY), chain.workspace)
    assert found.matrix.complete
    assert [(level.name, len(level.present)) for level in found.matrix.levels] == [
        ("source", 16),
        ("stack", 2),
        ("mosaic", 1),
    ]
    assert found.matrix.levels[2].catalogued == found.matrix.levels[2].expected


def test_the_same_again_does_nothing(chain: Chain, delivery: Delivery) -> None:
    delivery.add(TILES)
    chain.run(*TODAY)
    before = chain.silver()
    again = chain.run(*TODAY)
    assert not any(again.made.values())
    assert again.already == {"inventory": 16, "stack": 2, "mosaic": 1, "catalog": 1}
    assert chain.silver() == before


def test_touching_one_source_remakes_exactly_one_stack_and_one_cell(
    chain: Chain, delivery: Delivery
) -> None:
    delivery.add([*TILES, "n04w006"])
    choice = ("year=2020", "peril=fluvial", "defence=defended", "tiles=s02e029,s02e030,n04w006")
    chain.run(*choice)
    os.utime(delivery.path("s02e029", 100), (1, 1))
    again = chain.run(*choice)
    assert again.results["inventory"] == [{"inspected": 1, "rejected": 0, "gone": 0}]
    assert again.made["stack"] == ["rwa-fluvial-defended-2020-s02e029"]
    assert again.made["mosaic"] == ["rwa-fluvial-defended-2020-s04e028"]
    assert len(chain.items()) == 2


def test_a_replaced_source_gives_a_new_object_and_the_old_one_stays(
    chain: Chain, delivery: Delivery
) -> None:
    delivery.add(TILES)
    chain.run(*TODAY)
    (before,) = chain.items().values()
    delivery.write("s02e029", 100, depth(7, 100))
    chain.run(*TODAY)
    (after,) = chain.items().values()
    assert after["id"] == before["id"]
    old, new = (Path(item["assets"]["data"]["href"]) for item in (before, after))
    assert old != new
    assert old.is_file()
    with rasterio.open(new) as merged:
        np.testing.assert_array_equal(merged.read(5)[:, :48], depth(7, 100))


def test_another_cell_size_makes_other_cells_of_the_same_stacks(
    chain: Chain, delivery: Delivery
) -> None:
    delivery.add(["s01e030", "s03e028", "s03e030"])
    choice = ("year=2020", "peril=fluvial", "defence=defended", "tiles=s01e030,s03e028,s03e030")
    assert len(chain.run(*choice).made["mosaic"]) == 1
    fives = chain.run(*choice, "mosaic.cell_degrees=5")
    assert fives.made["stack"] == []
    assert [key.rpartition("-")[2] for key in fives.made["mosaic"]] == ["s05e025", "s05e030"]


def test_every_dimension_counts_in_the_key(chain: Chain, delivery: Delivery) -> None:
    """A Rwanda run once picked up another country's files."""
    delivery.add(["s02e029"])
    Delivery(delivery.folder, region="bdi").add(["s02e029"])
    only = ("year=2020", "peril=fluvial", "defence=defended", "tiles=s02e029")
    assert chain.run(*only, "region=rwa").made["stack"] == ["rwa-fluvial-defended-2020-s02e029"]
    assert chain.run(*only, "region=bdi").made["stack"] == ["bdi-fluvial-defended-2020-s02e029"]
    assert len(chain.items()) == 2


def test_a_delivery_without_region_folder_takes_the_region_that_is_set(
    chain: Chain, delivery: Delivery
) -> None:
    delivery.region = ""
    delivery.add(["n04w006"])
    outcome = chain.run("region=civ", "year=2020")
    assert outcome.made["stack"] == ["civ-fluvial-defended-2020-n04w006"]


def test_a_base_prefix_leads_to_a_delivery_deep_in_a_bucket(
    chain: Chain, delivery: Delivery
) -> None:
    chain.source = delivery.folder.parent
    delivery.add(["n04w006"])
    outcome = chain.run("base_prefix=delivery", "year=2020", "region=rwa", "tiles=n04w006")
    assert outcome.made["stack"] == ["rwa-fluvial-defended-2020-n04w006"]


def test_a_bounding_box_keeps_every_tile_it_overlaps(chain: Chain, delivery: Delivery) -> None:
    tiles = ["s01e030", "s02e029", "s02e030", "s03e028", "s03e029", "s03e030"]
    delivery.add(tiles, periods=[100])
    choice = ("year=2020", "peril=fluvial", "defence=defended", "return_period=1in100")
    outcome = chain.run(*choice, "bbox=28.9,-2.8,30.8,-0.9")
    assert [key.rpartition("-")[2] for key in outcome.made["stack"]] == tiles
    smaller = Chain(chain.folder.with_name("smaller"), chain.source)
    outcome = smaller.run(*choice, "bbox=28.9,-2.8,29.5,-1.5")
    assert [key.rpartition("-")[2] for key in outcome.made["stack"]] == [
        "s02e029",
        "s03e028",
        "s03e029",
    ]


def test_a_limit_makes_so_many_items_and_only_what_they_need(
    chain: Chain, delivery: Delivery
) -> None:
    delivery.add(TILES, epochs=("2020", "2050/SSP2_4.5"))
    choice = (
        "year=2020,2050",
        "scenario=none,ssp245",
        "tiles=s02e029,s02e030",
        "peril=fluvial",
        "defence=defended",
    )
    first = chain.run(*choice, limit=1)
    assert first.complete
    assert len(first.made["stack"]) == 2
    assert first.made["mosaic"] == ["rwa-fluvial-defended-2020-s04e028"]
    second = chain.run(*choice, limit=1)
    assert second.made["mosaic"] == ["rwa-fluvial-defended-2050-ssp245-s04e028"]
    assert len(chain.items()) == 2


def test_force_makes_again_and_gives_the_same_bytes(chain: Chain, delivery: Delivery) -> None:
    delivery.add(TILES)
    chain.run(*TODAY)
    before, items = chain.silver(), chain.items()
    again = chain.run(*TODAY, force=True)
    assert len(again.made["stack"]) == 2
    assert again.results["inventory"][0]["inspected"] == 16
    assert chain.silver() == before
    assert chain.items() == items


def test_a_damaged_object_is_refused_and_force_mends_it(chain: Chain, delivery: Delivery) -> None:
    delivery.add(TILES)
    chain.run(*TODAY)
    before = chain.silver()
    damaged = next(key for key in before if "/stack/" in key)
    path = chain.folder / "silver" / damaged
    path.write_bytes(before[damaged][:-50] + bytes(50))
    assert chain.run(*TODAY, force=True).complete
    assert chain.silver() == before


def test_an_object_that_is_gone_is_made_again(chain: Chain, delivery: Delivery) -> None:
    delivery.add(TILES)
    chain.run(*TODAY)
    before = chain.silver()
    gone = next(key for key in before if "/mosaic/" in key)
    (chain.folder / "silver" / gone).unlink()
    assert chain.run(*TODAY).made["mosaic"] == ["rwa-fluvial-defended-2020-s04e028"]
    assert chain.silver() == before


def test_what_was_published_but_not_recorded_is_taken_over(
    chain: Chain, delivery: Delivery, tmp_path: Path
) -> None:
    """A process killed between publishing and recording leaves an object without a row."""
    delivery.add(TILES)
    chain.run(*TODAY)
    before = chain.silver()
    for file in chain.folder.glob("catalog.db*"):
        file.unlink()
    again = chain.run(*TODAY)
    assert again.complete
    assert chain.silver() == before


def test_a_catalogue_step_that_comes_later_catalogues_what_is_made(
    chain: Chain, delivery: Delivery, tmp_path: Path
) -> None:
    delivery.add(TILES)
    whole = find("fathom").read_text()
    without = tmp_path / "fathom.yaml"
    without.write_text(whole[: whole.index("  - operator: catalog")])
    chain.pipeline = str(without)
    chain.run(*TODAY)
    chain.pipeline = "fathom"
    later = chain.run(*TODAY)
    assert (later.made["stack"], later.made["mosaic"]) == ([], [])
    assert list(chain.items()) == ["rwa-fluvial-defended-2020-s04e028"]


def test_regression_what_is_renamed_in_the_pipeline_is_made_under_its_new_name(
    chain: Chain, delivery: Delivery, tmp_path: Path
) -> None:
    delivery.add(TILES)
    chain.run(*TODAY)
    renamed = find("fathom").read_text()
    for old, new in {
        "values: {defended: ,": "values: {protected: {aliases: [defended]},",
        "defence: [defended,": "defence: [protected,",
        "defence: defended": "defence: protected",
    }.items():
        assert renamed.count(old) == 1
        renamed = renamed.replace(old, new)
    chain.pipeline = str(tmp_path / "fathom.yaml")
    Path(chain.pipeline).write_text(renamed)
    again = chain.run(*(one.replace("=defended", "=protected") for one in TODAY))
    assert again.complete, again.failed
    assert "rwa-fluvial-protected-2020-s04e028" in chain.items()


def test_an_empty_source_is_named(chain: Chain, delivery: Delivery) -> None:
    delivery.folder.mkdir()
    with pytest.raises(EmptySource, match="no file that the pipeline could read"):
        chain.run("year=2020")


def test_a_dry_run_plans_everything_and_leaves_no_trace(chain: Chain, delivery: Delivery) -> None:
    delivery.add(TILES)
    pipeline, choice = chain.chosen(*TODAY)
    plans = rehearse(pipeline, choice, chain.workspace)
    assert [len(list(plan.all_tasks())) for plan in plans] == [1, 2, 1, 1]
    keys = {planned.key for plan in plans for planned in plan.planned if "tif" in planned.key}
    assert chain.silver() == {}
    chain.run(*TODAY)
    assert keys <= chain.silver().keys()


def test_kept_special_values_and_nodata_never_enter_a_statistic(
    chain: Chain, delivery: Delivery
) -> None:
    delivery.add(TILES)
    chain.run(*TODAY)
    (item,) = chain.items().values()
    band = item["assets"]["data"]["bands"][0]
    pixels = np.hstack([depth(0, 5), depth(1, 5)])
    valid = pixels[pixels >= 0]
    assert band["statistics"]["mean"] == pytest.approx(valid.mean())
    assert band["statistics"]["minimum"] == valid.min()
    assert item["assets"]["data"]["classification:classes"][0]["name"] == "permanent_water"


def test_an_untiled_delivery_is_stacked_and_catalogued(tmp_path: Path) -> None:
    pixels = depth(1, 5).astype(np.float32) / 100
    pixels[pixels < 0] = -9999
    for period in (2, 5, 10, 25, 50, 100, 250, 500, 1000):
        name = f"inunriver_rcp4p5_MIROC-ESM-CHEM_2030_rp{period:05d}.tif"
        write_tif(tmp_path / "aqueduct" / name, pixels, west=40, north=12, pixel=0.1, nodata=-9999)
    chain = Chain(tmp_path / "workspace", tmp_path / "aqueduct", "aqueduct")
    assert chain.run().complete
    (item,) = chain.items("aqueduct-flood-depth").values()
    assert item["id"] == "river-rcp4p5-miroc_esm_chem-2030"
    assert item["properties"]["start_datetime"] == "2030-01-01T00:00:00Z"
