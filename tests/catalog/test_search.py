from __future__ import annotations

from typing import Any

import pytest
from ledger_samples import make_artifact

from thalweg.catalog.ledger import Catalog
from thalweg.catalog.search import coordinates, search
from thalweg.domain.tiles import BoundingBox
from thalweg.errors import CollectionNotFound, UnknownCoordinate

BOXES = {
    "now": [29.0, -3.0, 31.0, -1.0],
    "soon": [29.0, -3.0, 31.0, -1.0],
    "east": [178.0, -18.0, -178.0, -16.0],
}


def item(name: str, collection: str = "flood", **values: str) -> dict[str, Any]:
    properties = {f"thalweg:{dimension}": value for dimension, value in values.items()}
    return {
        "type": "Feature",
        "id": name,
        "collection": collection,
        "bbox": BOXES[name],
        "properties": {"title": name, **properties},
    }


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    catalog.put_collection({"id": "coast", "type": "Collection"})
    for one in (
        item("now", peril="fluvial", year="2020"),
        item("soon", peril="fluvial", year="2050", scenario="ssp245"),
        item("east", "coast", peril="coastal", year="2050"),
    ):
        catalog.record(make_artifact(one["id"]), one)
    return catalog


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({}, ["east", "now", "soon"]),
        ({"peril": "fluvial"}, ["now", "soon"]),
        ({"year": 2050}, ["east", "soon"]),
        ({"year": [2020, "2050"], "peril": "fluvial"}, ["now", "soon"]),
        ({"scenario": "none"}, ["east", "now"]),
        ({"peril": "coastal", "year": 2020}, []),
    ],
)
def test_items_are_found_by_their_values(
    filled: Catalog, where: dict[str, Any], found: list[str]
) -> None:
    assert [one["id"] for one in search(filled, where=where)] == found


@pytest.mark.parametrize(
    ("box", "found"),
    [
        ((30, -2, 30.1, -1.9), ["now", "soon"]),
        ((31, -3, 32, -1), []),
        ((179, -17, 180, -16), ["east"]),
        ((-180, -17, -179, -16), ["east"]),
        ((170, -30, -170, 0), ["east"]),
        ((-180, -90, 180, 90), ["east", "now", "soon"]),
    ],
)
def test_items_are_found_by_their_place(
    filled: Catalog, box: tuple[float, float, float, float], found: list[str]
) -> None:
    assert [one["id"] for one in search(filled, bbox=BoundingBox(*box))] == found


def test_collections_limit_the_search(filled: Catalog) -> None:
    assert [one["id"] for one in search(filled, ["coast"])] == ["east"]
    assert [one["id"] for one in search(filled, ["coast", "flood"])] == ["east", "now", "soon"]
    with pytest.raises(CollectionNotFound):
        search(filled, ["nix"])


def test_what_no_item_has_is_named_with_what_there_is(filled: Catalog) -> None:
    with pytest.raises(UnknownCoordinate, match="no item has a dimension 'yaer'") as error:
        search(filled, where={"yaer": 2020})
    assert error.value.hint == "there are peril, year, scenario"
    with pytest.raises(UnknownCoordinate, match="no item has year '2021'") as error:
        search(filled, where={"year": [2020, 2021]})
    assert error.value.hint == "there are 2020, 2050"


def test_coordinates_are_the_dimensions_of_an_item() -> None:
    assert coordinates(item("now", year="2020")) == {"year": "2020"}
