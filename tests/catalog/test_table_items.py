"""Items of tables: what they say, and that others read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pystac
import pystac.validation
import pytest
import shapely
from ledger_samples import make_artifact
from pystac.extensions.table import TableExtension
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from stac_geoparquet.arrow import stac_table_to_items
from stac_samples import item_of

from thalweg.catalog.collections import build_collection
from thalweg.catalog.export import export_geoparquet, export_static
from thalweg.catalog.ledger import Catalog, Document
from thalweg.catalog.search import search
from thalweg.catalog.stac import TABLE, TableAsset, build_table_item
from thalweg.catalog.validate import OfflineValidator, validate_collection, validate_item
from thalweg.domain.tables import Column, TableFacts
from thalweg.domain.tiles import BoundingBox
from thalweg.errors import InvalidItem

COLUMNS = (
    Column("cell", "uint64", "", "H3 cell as a number"),
    Column("mean_1in100", "double", "cm", "Mean of the valid pixels, 1in100"),
)
FACTS = TableFacts(1234, COLUMNS, BoundingBox(29.0, -2.5, 30.5, -1.0))
ASSET = TableAsset("/data/a.parquet", 99, "ab" * 32, FACTS)


def table_item(asset: TableAsset = ASSET, item_id: str = "a-r6", **changed: Any) -> Document:
    given: dict[str, Any] = {
        "start": "2050-01-01T00:00:00Z",
        "end": "2050-12-31T23:59:59Z",
        "properties": {"thalweg:h3_resolution": 6},
        "lineage": "Hexagons of 2 files.",
    }
    return build_table_item(item_id, "cells", asset, **{**given, **changed})


def collection_of(*items: Document) -> Document:
    return build_collection("cells", items, title="Cells", description="Depth", license="other")


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    catalog.put_collection({"id": "cells", "type": "Collection"})
    for slot in ("a", "b"):
        facts = replace(FACTS, columns=COLUMNS[: 1 + (slot == "a")])
        catalog.record(make_artifact(slot), table_item(replace(ASSET, facts=facts), slot))
    catalog.put_collection(collection_of(*catalog.items("cells")))
    flood = build_collection("flood", [], title="None", description="None", license="other")
    catalog.put_collection(flood)
    return catalog


@pytest.fixture
def offline() -> Iterator[OfflineValidator]:
    validator = OfflineValidator()
    pystac.validation.set_validator(validator)
    yield validator
    pystac.validation.set_validator(JsonSchemaSTACValidator())


def test_the_item_tells_columns_rows_and_place() -> None:
    item = table_item()
    assert validate_item(item) == []
    assert item["bbox"] == [29.0, -2.5, 30.5, -1.0]
    assert shapely.geometry.shape(item["geometry"]).bounds == (29.0, -2.5, 30.5, -1.0)
    assert item["properties"]["table:row_count"] == 1234
    assert item["properties"]["table:columns"][0] == {
        "name": "cell",
        "type": "uint64",
        "description": "H3 cell as a number",
    }
    assert item["properties"]["table:columns"][1]["unit"] == "cm"
    assert "table:primary_geometry" not in item["properties"]
    assert item["assets"]["data"] == {
        "href": "/data/a.parquet",
        "type": "application/vnd.apache.parquet",
        "roles": ["data"],
        "file:size": 99,
        "file:checksum": "1220" + "ab" * 32,
    }


def test_pystac_reads_columns_and_rows() -> None:
    facts = replace(FACTS, primary_geometry="geometry")
    item = pystac.Item.from_dict(table_item(replace(ASSET, facts=facts)))
    table = TableExtension.ext(item)
    assert table.columns is not None
    assert [(one.name, one.col_type) for one in table.columns] == [
        ("cell", "uint64"),
        ("mean_1in100", "double"),
    ]
    assert table.columns[1].description == "Mean of the valid pixels, 1in100"
    assert (table.row_count, table.primary_geometry) == (1234, "geometry")


def test_facts_survive_json() -> None:
    for facts in (FACTS, TableFacts(0, COLUMNS), replace(FACTS, primary_geometry="geometry")):
        assert TableFacts.from_json(facts.to_json()) == facts


def test_a_table_over_the_antimeridian_has_two_parts() -> None:
    facts = replace(FACTS, bounds=BoundingBox(179, -18, -179, -17))
    item = table_item(replace(ASSET, facts=facts))
    assert item["bbox"] == [179, -18, -179, -17]
    assert item["geometry"]["type"] == "MultiPolygon"
    assert shapely.geometry.shape(item["geometry"]).area == pytest.approx(2)
    assert validate_item(item) == []


def test_a_table_of_nothing_is_found_nowhere(filled: Catalog) -> None:
    filled.record(make_artifact("c"), table_item(replace(ASSET, facts=TableFacts(0, COLUMNS)), "c"))
    found = search(filled, bbox=BoundingBox(-180, -90, 180, 90))
    assert [item["id"] for item in found] == ["a", "b"]


def test_a_table_of_nothing_lies_nowhere() -> None:
    item = table_item(replace(ASSET, facts=TableFacts(0, COLUMNS)))
    assert item["geometry"] is None
    assert "bbox" not in item
    assert validate_item(item) == []
    assert collection_of(item)["extent"]["spatial"]["bbox"] == [[-180, -90, 180, 90]]


@pytest.mark.parametrize(
    ("fault", "path"),
    [
        ({"table:columns": None}, "table:columns"),
        ({"table:columns": []}, "table:columns"),
        ({"table:columns": [{"type": "double"}]}, "table:columns"),
        ({"table:row_count": -1}, "table:row_count"),
        ({"table:rows": 1}, "$.properties"),
    ],
)
def test_a_fault_of_a_table_is_named(fault: dict[str, Any], path: str) -> None:
    item = table_item()
    item["properties"].update(fault)
    with pytest.raises(InvalidItem) as caught:
        validate_item(item)
    assert path in caught.value.message


def test_an_item_without_columns_is_no_table() -> None:
    item = table_item()
    del item["properties"]["table:columns"]
    with pytest.raises(InvalidItem, match="table:columns"):
        validate_item(item)


def test_the_collection_tells_the_columns_of_all_its_tables() -> None:
    fewer = table_item(replace(ASSET, facts=replace(FACTS, columns=COLUMNS[:1])), "b-r6")
    collection = collection_of(fewer, table_item())
    assert TABLE in collection["stac_extensions"]
    assert [one["name"] for one in collection["table:columns"]] == ["cell", "mean_1in100"]
    assert collection["summaries"] == {"thalweg:h3_resolution": [6]}
    assert collection["item_assets"]["data"]["roles"] == ["data"]
    assert validate_collection(collection) == []
    found = TableExtension.ext(pystac.Collection.from_dict(collection)).columns
    assert found is not None
    assert [one.name for one in found] == ["cell", "mean_1in100"]


def test_rasters_and_tables_share_a_collection() -> None:
    collection = collection_of(table_item(), item_of())
    assert validate_collection(collection) == []
    assert collection["item_assets"]["data"]["bands"]


def test_pystac_validates_the_exported_tables(
    filled: Catalog, tmp_path: Path, offline: OfflineValidator
) -> None:
    export_static(filled, tmp_path / "static")
    root = pystac.Catalog.from_file(str(tmp_path / "static" / "catalog.json"))
    assert root.validate_all() == 2
    assert offline.skipped == []


def test_tables_survive_geoparquet(filled: Catalog, tmp_path: Path) -> None:
    (path,) = export_geoparquet(filled, tmp_path)
    read = {item["id"]: item for item in stac_table_to_items(pq.read_table(path))}
    for item in filled.items("cells"):
        properties = read[item["id"]]["properties"]
        columns = [
            {name: value for name, value in column.items() if value is not None}
            for column in properties["table:columns"]
        ]
        assert columns == item["properties"]["table:columns"]
        assert properties["table:row_count"] == 1234
