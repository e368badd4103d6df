"""The tables and layers of a pipeline in its catalogue."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import geopandas
import pyarrow.parquet as pq
import pystac
import pytest
import shapely
from deliveries import PERIODS, Chain, Delivery, rasters_of_fathom
from pystac.extensions.table import TableExtension

from thalweg.catalog.export import export_geoparquet, export_static
from thalweg.catalog.validate import validate_item
from thalweg.domain.layers import Layer
from thalweg.errors import PipelineError
from thalweg.pipelines.loader import parse
from thalweg.pipelines.operators.catalog import CatalogOperator

STEPS = """\
  - {operator: hexagons, resolutions: [4, 6], depths: [0.5], percentiles: false}
  - operator: catalog
    name: tables
    of: hexagons
    collection: cells
    title: "Cells: {peril}, {year}, resolution {h3_resolution}"
"""
CHOICE = ("year=2020", "peril=fluvial", "defence=defended", "tiles=n04w006")
SCENARIO = "rwa-fluvial-defended-2020"
LAYER = "fathom_rwa_fluvial_defended_2020_1in100"


def text(**replaced: str) -> str:
    changed = rasters_of_fathom() + STEPS
    for old, new in replaced.items():
        assert old in changed
        changed = changed.replace(old, new)
    return changed


@pytest.fixture
def tables(chain: Chain, delivery: Delivery, tmp_path: Path) -> Chain:
    delivery.add(["n04w006"])
    file = tmp_path / "tables.yaml"
    file.write_text(text())
    chain.pipeline = str(file)
    return chain


def layers(chain: Chain) -> dict[str, Layer]:
    with chain.workspace.catalog() as catalog:
        return {layer.id: layer for layer in catalog.layers()}


def test_each_table_has_a_valid_item_that_tells_the_file(tables: Chain) -> None:
    outcome = tables.run(*CHOICE)
    assert outcome.complete
    items = tables.items("cells")
    assert sorted(items) == [f"{SCENARIO}-r4", f"{SCENARIO}-r6"]
    for item in items.values():
        assert validate_item(item) == []
        asset, properties = item["assets"]["data"], item["properties"]
        table = pq.read_table(asset["href"])
        assert properties["table:row_count"] == table.num_rows
        assert [one["name"] for one in properties["table:columns"]] == table.column_names
        assert asset["file:size"] == Path(asset["href"]).stat().st_size
        assert (properties["thalweg:rule"], properties["thalweg:theme"]) == ("centre", "flood_risk")
        west, south, east, north = item["bbox"]
        assert west < -6 + 1e-9
        assert south < 4 + 1e-9
        assert (east, north) > (-5, 5)
    assert items[f"{SCENARIO}-r6"]["properties"]["thalweg:h3_resolution"] == 6
    assert (
        items[f"{SCENARIO}-r6"]["properties"]["title"] == "Cells: river flood, 2020, resolution 6"
    )


def test_the_collection_of_tables_is_exported_and_read_by_pystac(
    tables: Chain, tmp_path: Path
) -> None:
    outcome = tables.run(*CHOICE)
    assert outcome.results["tables"][0]["items"] == 2
    with tables.workspace.catalog() as catalog:
        export_static(catalog, tmp_path / "static")
        written = {path.stem for path in export_geoparquet(catalog, tmp_path / "parquet")}
    assert written == {"cells", "fathom-flood-depth"}
    collection = pystac.Collection.from_file(str(tmp_path / "static" / "cells" / "collection.json"))
    assert collection.title == "FATHOM v3 flood depth, by H3 cell"
    assert collection.summaries.get_list("thalweg:h3_resolution") == [4, 6]
    (item,) = (one for one in collection.get_items() if one.id.endswith("-r4"))
    columns = {one.name: one for one in TableExtension.ext(item).columns or ()}
    assert columns["mean_1in100"].description == "Mean of the valid pixels, 1in100"


def test_the_item_is_recorded_with_its_table(tables: Chain) -> None:
    """Whatever becomes of the step that catalogues tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CatalogOperator, "run", lambda *_: {})
        tables.run(*CHOICE)
    assert sorted(tables.items("cells")) == [f"{SCENARIO}-r4", f"{SCENARIO}-r6"]
    with tables.workspace.catalog() as catalog:
        assert list(catalog.artifacts(kind="tables")) == []


def test_the_same_again_does_nothing_and_tables_made_before_get_their_items(
    tables: Chain, tmp_path: Path
) -> None:
    whole = Path(tables.pipeline)
    without = tmp_path / "without.yaml"
    without.write_text(text()[: text().index("  - operator: catalog\n    name: tables")])
    tables.pipeline = str(without)
    tables.run(*CHOICE)
    tables.pipeline = str(whole)
    outcome = tables.run(*CHOICE)
    assert outcome.made["hexagons"] == []
    assert outcome.made["tables"] == ["cells"]
    assert len(tables.items("cells")) == 2
    assert not any(tables.run(*CHOICE).made.values())


def test_the_layers_of_the_rasters_are_registered_once(tables: Chain) -> None:
    tables.run(*CHOICE)
    found = layers(tables)
    assert len(found) == len(PERIODS)
    layer = found[LAYER]
    assert (layer.theme, layer.unit, layer.nodata, layer.crs) == (
        "flood_risk",
        "cm",
        -32768,
        "EPSG:4326",
    )
    assert layer.coordinates["return_period"] == "1in100"
    assert layer.title == "FATHOM v3 flood depth: rwa, river flood, defended, 2020, 1in100"
    assert layer.resolutions == (5, 6, 7)
    assert layer.pixel == pytest.approx(1 / 48)
    with tables.workspace.catalog() as catalog:
        assert [theme.id for theme in catalog.themes()] == ["flood_risk"]
    tables.run(*CHOICE)
    assert layers(tables) == found


def test_a_changed_declaration_changes_the_layers_and_remakes_no_file(tables: Chain) -> None:
    tables.run(*CHOICE)
    file = Path(tables.pipeline)
    changed = file.read_text().replace(
        "license: other", "license: CC-BY-4.0\ncitation: Somebody (2020)\ntheme: {id: water}"
    )
    file.write_text(
        changed.replace("  - {operator: hexagons,", "  - {operator: hexagons, theme: flood_risk,")
    )
    outcome = tables.run(*CHOICE)
    assert {step for step, made in outcome.made.items() if made} == {"catalog", "tables"}
    layer = layers(tables)[LAYER]
    assert (layer.license, layer.citation, layer.theme) == (
        "CC-BY-4.0",
        "Somebody (2020)",
        "water",
    )
    with tables.workspace.catalog() as catalog:
        assert catalog.collection("cells")["sci:citation"] == "Somebody (2020)"


def test_a_run_of_less_keeps_the_layers_of_more(tables: Chain, delivery: Delivery) -> None:
    delivery.add(["n04w006"], epochs=["2050/SSP2_4.5"])
    future = ("year=2050", "scenario=ssp245", *CHOICE[1:])
    tables.run(*CHOICE)
    tables.run(*future)
    found = layers(tables)
    assert len(found) == 2 * len(PERIODS)
    assert all(layer.declared for layer in found.values())


def test_what_the_pipeline_no_longer_declares_is_kept_and_marked(
    tables: Chain, delivery: Delivery
) -> None:
    delivery.add(["n04w006"], epochs=["2050/SSP2_4.5"])
    tables.run(*CHOICE)
    tables.run("year=2050", "scenario=ssp245", *CHOICE[1:])
    file = Path(tables.pipeline)
    less = file.read_text().replace('"2050": , ', "").replace('"2030", "2050",', '"2030",')
    file.write_text(less)
    tables.run(*CHOICE)
    found = layers(tables)
    assert len(found) == 2 * len(PERIODS)
    assert {layer.coordinates["year"] for layer in found.values() if layer.declared} == {"2020"}


def test_schemas_that_were_not_checked_are_told(
    tables: Chain, caplog: pytest.LogCaptureFixture
) -> None:
    tables.run(*CHOICE)
    unknown = "https://example.com/unknown/v1.0.0/schema.json"
    with tables.workspace.catalog() as catalog:
        (artifact,) = catalog.artifacts(kind="stack")
        guest: dict[str, Any] = json.loads(json.dumps(next(iter(tables.items().values()))))
        guest["id"] = "guest"
        guest["stac_extensions"].append(unknown)
        catalog.record_items([(guest, artifact.ref)])
    with caplog.at_level(logging.WARNING):
        (result,) = tables.run(*CHOICE).results["catalog"]
    assert result["unchecked"] == [unknown]
    assert unknown in caplog.text
    with tables.workspace.catalog() as catalog:
        (made,) = catalog.artifacts(kind="catalog")
        assert made.facts == {"items": 2, "unchecked": [unknown]}


def test_two_steps_that_fill_one_collection_are_refused() -> None:
    with pytest.raises(PipelineError, match="fill one collection") as caught:
        parse(text(**{"collection: cells": "collection: fathom-flood-depth"}), "a.yaml")
    assert caught.value.where.startswith("a.yaml:")


def test_a_title_of_tables_names_their_dimensions_only() -> None:
    with pytest.raises(PipelineError, match="'tile', which is no dimension"):
        parse(text(**{"{h3_resolution}": "{tile}"}), "a.yaml")


FEATURES = """\
name: schools
title: Schools
description: Schools by kind.
license: ODbL-1.0
theme: exposure
steps:
  - operator: hexagons_vector
    source: schools.geojson
    theme: services
    category: kind
    resolutions: [5, 7]
    countries: false
  - operator: catalog
    of: hexagons_vector
    collection: schools
    title: "{dataset} {h3_resolution}"
"""


def test_tables_of_features_are_catalogued_likewise(tmp_path: Path) -> None:
    points = shapely.points([[30.0, -2.0], [30.1, -2.0], [30.2, -1.9]])
    frame = geopandas.GeoDataFrame(
        {"kind": ["Primary", "Primary", "High"]}, geometry=points, crs=4326
    )
    frame.to_file(tmp_path / "schools.geojson")
    file = tmp_path / "schools.yaml"
    file.write_text(FEATURES)
    chain = Chain(tmp_path / "workspace", tmp_path, str(file))
    outcome = chain.run()
    assert outcome.complete, (outcome.missing, outcome.failed)
    items = chain.items("schools")
    assert sorted(items) == ["schools-r5", "schools-r7"]
    properties = items["schools-r7"]["properties"]
    assert properties["title"] == "schools 7"
    assert properties["table:row_count"] == 3
    assert (properties["thalweg:theme"], properties["thalweg:rule"]) == ("services", "centroid")
    found = layers(chain)
    assert {layer.id: layer.title for layer in found.values()} == {
        "schools_primary": "Schools: Primary",
        "schools_high": "Schools: High",
    }
    assert found["schools_high"].theme == "services"
    assert not any(chain.run().made.values())
