from __future__ import annotations

import operator
import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stac_samples import item_of

from thalweg.catalog.validate import (
    _compiled,
    _reference,
    _schemas,
    validate_collection,
    validate_item,
)
from thalweg.errors import InvalidItem

DROP = object()

type Change = Callable[[dict[str, Any]], object]


def data(item: dict[str, Any]) -> dict[str, Any]:
    asset: dict[str, Any] = item["assets"]["data"]
    return asset


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda item: item.pop("links"), "links"),
        (lambda item: item["properties"].pop("datetime"), "properties"),
        (lambda item: item["properties"].update({"proj:shape": [1]}), "proj:shape"),
        (
            lambda item: item["properties"].update({"proj:code": "4326"}),
            "proj:code",
        ),
        (lambda item: item["properties"].update({"proj:epgs": 1}), "$.properties"),
        (lambda item: item["properties"].update({"processing:lineage": 1}), "processing:lineage"),
        (lambda item: data(item).update({"file:size": -1}), "file:size"),
        (lambda item: data(item).update({"file:checksum": "XY"}), "file:checksum"),
        (lambda item: data(item)["eo:bands"].append({}), "eo:bands"),
        (lambda item: data(item)["bands"][0].update({"data_type": "int12"}), "bands[0].data_type"),
        (
            lambda item: data(item)["classification:classes"][0].update({"value": 0.5}),
            "classification:classes'][0].value",
        ),
        (lambda item: item["stac_extensions"].append(1), "stac_extensions"),
    ],
)
def test_a_fault_is_named_by_its_path(change: Change, path: str) -> None:
    item = item_of()
    change(item)
    with pytest.raises(InvalidItem) as caught:
        validate_item(item)
    assert caught.value.where == "flood/a"
    assert path in caught.value.message


def test_an_extension_without_a_schema_here_is_said_to_be_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    item = item_of()
    unknown = "https://example.com/unknown/v1.0.0/schema.json"
    item["stac_extensions"].append(unknown)
    assert validate_item(item) == [unknown]
    assert validate_item(item_of()) == []


def test_another_kind_of_document_is_named() -> None:
    with pytest.raises(InvalidItem, match="'Feature'"):
        validate_collection(item_of())


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_what_the_compiled_schemas_let_pass_the_reference_does(drawn: st.DataObject) -> None:
    """And the other way round, for documents of which anything is missing or something else."""
    item = item_of()
    for _ in range(drawn.draw(st.integers(0, 3))):
        place: Any = item
        while isinstance(place, (dict, list)) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = drawn.draw(st.sampled_from(keys))
            if not isinstance(place[key], (dict, list)) or drawn.draw(st.integers(0, 3)) == 0:
                other = drawn.draw(st.sampled_from([None, 1, -1, 0.5, "", "a", [], {}, [1], DROP]))
                place.pop(key) if other is DROP else operator.setitem(place, key, other)
                break
            place = place[key]
    for schema in _schemas():
        assert _compiled(schema).is_valid(item) == _reference(schema).is_valid(item), schema
