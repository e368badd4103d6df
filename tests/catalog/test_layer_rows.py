"""The source catalogue: layers and themes."""

from __future__ import annotations

import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.catalog.ledger import Catalog
from thalweg.catalog.sqlite import open_catalog
from thalweg.domain.coordinates import Coordinates
from thalweg.domain.layers import Layer, Theme
from thalweg.errors import LayerConflict, LayerNotFound
from thalweg.hexagons.layers import Series

FLOOD = Layer(
    "flood_fluvial_1in100",
    "flood_risk",
    "flood",
    "Flood depth, river flood, 1in100",
    "cm",
    "other",
    nodata=-32768.0,
    crs="EPSG:4326",
    pixel=1 / 3600,
    coordinates=Coordinates((("peril", "fluvial"), ("defence", "none"))),
    statistics=("mean", "max"),
    resolutions=(5, 6),
    pipeline="flood",
)
PEOPLE = Layer("people", "demographics", "people", "People", "person", "CC-BY-4.0")


def test_a_layer_survives_json_and_the_database(catalog: Catalog) -> None:
    assert Layer.from_json(FLOOD.to_json()) == FLOOD
    catalog.put_layers([FLOOD, PEOPLE])
    assert catalog.layers() == [FLOOD, PEOPLE]
    assert catalog.layer(FLOOD.id) == FLOOD


def test_layers_are_chosen_by_theme_and_pipeline(catalog: Catalog) -> None:
    catalog.put_layers([FLOOD, PEOPLE])
    assert catalog.layers("demographics") == [PEOPLE]
    assert catalog.layers(pipeline="flood") == [FLOOD]
    assert catalog.layers("climate") == []


def test_a_layer_that_is_not_there_is_named(catalog: Catalog) -> None:
    with pytest.raises(LayerNotFound, match="'rivers'"):
        catalog.layer("rivers")


def test_a_theme_keeps_what_a_later_one_leaves_empty(catalog: Catalog) -> None:
    catalog.put_layers([FLOOD], [Theme("flood_risk", "Floods", "Depth of floods")])
    catalog.put_layers([FLOOD])
    catalog.put_layers([FLOOD], [Theme("flood_risk", "Flood risk")])
    assert catalog.themes() == [Theme("flood_risk", "Flood risk", "Depth of floods")]
    assert Theme("flood_risk").name == "Flood risk"


def test_what_a_pipeline_no_longer_declares_is_kept_and_marked(catalog: Catalog) -> None:
    other = replace(FLOOD, id="flood_fluvial_1in5")
    catalog.put_layers([PEOPLE])
    catalog.put_layers([FLOOD, other], pipeline="flood")
    catalog.put_layers([FLOOD], pipeline="flood")
    assert catalog.layer(other.id) == replace(other, declared=False)
    assert catalog.layer(FLOOD.id).declared
    assert catalog.layer(PEOPLE.id).declared
    catalog.put_layers([FLOOD, other], pipeline="flood")
    assert catalog.layer(other.id) == other


@pytest.mark.parametrize("second", [replace(FLOOD, pipeline="b"), replace(FLOOD, pipeline=None)])
def test_an_id_that_another_holds_is_refused_whole(catalog: Catalog, second: Layer) -> None:
    catalog.put_layers([FLOOD], pipeline="flood")
    with pytest.raises(LayerConflict, match="by the pipeline 'flood'"):
        catalog.put_layers([replace(PEOPLE, pipeline=second.pipeline), second])
    assert catalog.layers() == [FLOOD]


def test_an_id_that_nobody_declares_any_more_may_be_taken(catalog: Catalog) -> None:
    catalog.put_layers([FLOOD], pipeline="flood")
    catalog.put_layers([], pipeline="flood")
    catalog.put_layers([replace(FLOOD, pipeline=None)])
    assert catalog.layers() == [replace(FLOOD, pipeline=None)]


def test_the_database_itself_refuses_an_undeclared_layer_of_no_pipeline(path: Path) -> None:
    with open_catalog(path) as catalog:
        catalog.put_layers([PEOPLE])
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="ck_layers_declared"):
        connection.execute("UPDATE layers SET declared = 0")
    connection.close()


words = st.sampled_from(["a", "b", "a_b", "b_c", "c", "none"])
places = st.tuples(words, words, words).map(
    lambda values: Coordinates(tuple(zip(("x", "y", "z"), values, strict=True)))
)


def layer_at(place: Coordinates) -> Layer:
    series = Series("flood_risk", "flood", "cm", place)
    return replace(FLOOD, id=series.id, coordinates=place)


@given(st.lists(places, unique=True, max_size=6))
@settings(max_examples=60, deadline=None)
def test_registering_twice_is_once_and_no_two_layers_get_one_id(given: list[Coordinates]) -> None:
    layers = [layer_at(place) for place in given]
    with tempfile.TemporaryDirectory() as folder, open_catalog(Path(folder, "a.db")) as catalog:
        if len({layer.id for layer in layers}) < len(layers):
            with pytest.raises(LayerConflict):
                catalog.put_layers(layers, pipeline="flood")
            assert catalog.layers() == []
            return
        for _ in range(2):
            catalog.put_layers(layers, pipeline="flood")
            found = catalog.layers(pipeline="flood")
            assert found == sorted(layers, key=lambda layer: layer.id)
            assert all(layer.declared for layer in found)
