from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from stac_samples import ASSET, BANDS, PROVIDERS, UTM, item_of

from thalweg.catalog.collections import build_collection
from thalweg.catalog.ledger import Document
from thalweg.catalog.validate import validate_collection
from thalweg.errors import InvalidItem
from thalweg.raster.grid import Grid


def collection_of(*items: Document, **changed: Any) -> Document:
    given: dict[str, Any] = {
        "title": "Floods",
        "description": "Depth of floods",
        "license": "CC-BY-4.0",
        "providers": PROVIDERS,
        "keywords": ["flood"],
    }
    return build_collection("flood", items, **{**given, **changed})


def test_extents_and_summaries_are_those_of_the_items() -> None:
    early = item_of(start="2020-01-01T00:00:00Z", end="2020-12-31T00:00:00Z")
    late = item_of(replace(ASSET, grid=UTM), properties={"peril": "coastal", "year": 2080})
    collection = collection_of(early, late)
    west, south, east, north = collection["extent"]["spatial"]["bbox"][0]
    assert (west, east) == (late["bbox"][0], early["bbox"][2])
    assert (south, north) == (early["bbox"][1], late["bbox"][3])
    assert collection["extent"]["temporal"]["interval"] == [
        ["2020-01-01T00:00:00Z", "2050-12-31T23:59:59Z"]
    ]
    assert collection["summaries"] == {
        "peril": ["coastal", "fluvial"],
        "proj:code": ["EPSG:32735", "EPSG:4326"],
        "year": [2050, 2080],
    }
    assert validate_collection(collection) == []


def test_assets_are_defined_by_what_all_files_share() -> None:
    fewer = item_of(replace(ASSET, bands=BANDS[:1]))
    definition = collection_of(fewer, item_of())["item_assets"]["data"]
    assert [band["name"] for band in definition["bands"]] == ["1in5", "1in10", "1in100"]
    assert definition["bands"][0] == {
        "name": "1in5",
        "description": "Depth at 1 in 5 years",
        "data_type": "int16",
        "nodata": -32768,
        "unit": "cm",
        "thalweg:return_period": 5,
    }
    assert definition["roles"] == ["data"]
    assert definition["classification:classes"][0]["name"] == "permanent_water"
    assert not {"href", "file:size", "file:checksum"} & definition.keys()


def test_many_values_are_summarised_by_their_range() -> None:
    items = [item_of(properties={"cell": n, "name": f"n{n}"}) for n in range(100)]
    assert collection_of(*items)["summaries"] == {
        "cell": {"minimum": 0, "maximum": 99},
        "proj:code": ["EPSG:4326"],
    }


def test_an_item_across_the_antimeridian_widens_the_extent_to_all_longitudes() -> None:
    across = item_of(replace(ASSET, grid=Grid("EPSG:4326", (0.1, 0, 179, 0, -0.1, 1), 20, 10)))
    collection = collection_of(across)
    assert collection["extent"]["spatial"]["bbox"] == [[-180, 0, 180, 1]]
    assert validate_collection(collection) == []


def test_a_collection_of_nothing_is_valid() -> None:
    collection = collection_of(providers=(), keywords=())
    assert collection["extent"]["spatial"]["bbox"] == [[-180, -90, 180, 90]]
    assert collection["extent"]["temporal"]["interval"] == [[None, None]]
    assert "summaries" not in collection
    assert validate_collection(collection) == []


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_the_items_does_not_matter_to_extents_and_summaries(order: int) -> None:
    items = [item_of(properties={"year": year}) for year in (2020, 2030, 2050)]
    assert collection_of(*items[::order]) == collection_of(*items)


def test_a_citation_is_told_by_the_scientific_extension() -> None:
    collection = collection_of(item_of(), citation="Somebody (2020), Floods")
    assert collection["sci:citation"] == "Somebody (2020), Floods"
    assert any("/scientific/" in uri for uri in collection["stac_extensions"])
    assert validate_collection(collection) == []
    with pytest.raises(InvalidItem, match="sci:cite"):
        validate_collection({**collection, "sci:cite": "Somebody"})
