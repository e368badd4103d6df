from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import geopandas
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pystac
import pystac.validation
import pytest
import rasterio
from ledger_samples import make_artifact
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from stac_geoparquet.arrow import stac_table_to_items
from stac_samples import ASSET, GEOGRAPHIC, PROVIDERS, UTM, asset_of, item_of, make_cog

from thalweg.catalog.collections import build_collection
from thalweg.catalog.export import export_geoparquet, export_static
from thalweg.catalog.ledger import Catalog, Document
from thalweg.catalog.validate import OfflineValidator
from thalweg.errors import ExportRefused, InvalidItem


@pytest.fixture
def filled(catalog: Catalog, tmp_path: Path) -> Catalog:
    """A catalogue of two items whose files are there, and a collection of none."""
    for slot, grid in (("a", GEOGRAPHIC), ("b", UTM)):
        path = tmp_path / "silver" / f"{slot}.tif"
        path.parent.mkdir(exist_ok=True)
        make_cog(path, grid)
        catalog.record(make_artifact(slot), item_of(asset_of(path, grid), slot))
    described = {"title": "Floods", "description": "Depth", "license": "CC-BY-4.0"}
    flood = build_collection("flood", catalog.items("flood"), providers=PROVIDERS, **described)
    catalog.put_collection(flood)
    catalog.put_collection(build_collection("empty", [], **described))
    return catalog


@pytest.fixture
def offline() -> Iterator[OfflineValidator]:
    validator = OfflineValidator()
    pystac.validation.set_validator(validator)
    yield validator
    pystac.validation.set_validator(JsonSchemaSTACValidator())


# Static STAC ------------------------------------------------------------------------------------


@pytest.mark.parametrize("assets", ["absolute", "relative"])
def test_pystac_reads_and_validates_the_whole_export(
    filled: Catalog, tmp_path: Path, offline: OfflineValidator, assets: str
) -> None:
    folder = tmp_path / "static"
    assert export_static(filled, folder, assets=assets) == 2  # type: ignore[arg-type]
    root = pystac.Catalog.from_file(str(folder / "catalog.json"))
    assert root.validate_all() == 2
    assert offline.skipped == []
    assert [child.id for child in root.get_children()] == ["empty", "flood"]
    items = list(root.get_items(recursive=True))
    assert [item.id for item in items] == ["a", "b"]
    for item in items:
        assert item.get_collection().title == "Floods"
        assert item.get_root().id == "thalweg"
        href = item.assets["data"].get_absolute_href()
        with rasterio.open(href) as dataset:
            assert dataset.count == 3


def test_the_export_holds_the_items_as_they_are_recorded(filled: Catalog, tmp_path: Path) -> None:
    export_static(filled, tmp_path / "static")
    for item in filled.items("flood"):
        path = tmp_path / "static" / "flood" / item["id"] / f"{item['id']}.json"
        assert json.loads(path.read_text()) == item


def test_catalogue_and_files_can_move_together(filled: Catalog, tmp_path: Path) -> None:
    export_static(filled, tmp_path / "static", assets="relative")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "static").rename(moved / "static")
    (tmp_path / "silver").rename(moved / "silver")
    item = pystac.Item.from_file(str(moved / "static" / "flood" / "a" / "a.json"))
    assert item.assets["data"].href == "../../../silver/a.tif"
    with rasterio.open(item.assets["data"].get_absolute_href()) as dataset:
        assert dataset.shape == GEOGRAPHIC.shape


def test_an_earlier_export_is_replaced_whole(filled: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "static"
    export_static(filled, folder)
    (folder / "flood" / "gone").mkdir()
    before = sorted(path.relative_to(folder) for path in folder.rglob("*.json"))
    export_static(filled, folder)
    assert sorted(path.relative_to(folder) for path in folder.rglob("*.json")) == before
    assert not (folder / "flood" / "gone").exists()


@pytest.mark.parametrize("content", ["notes.txt", "catalog.json"])
def test_a_folder_of_something_else_is_left_alone(
    filled: Catalog, tmp_path: Path, content: str
) -> None:
    (tmp_path / content).write_text('{"my": "own"}')
    with pytest.raises(ExportRefused) as caught:
        export_static(filled, tmp_path)
    assert caught.value.where == str(tmp_path)
    assert (tmp_path / content).read_text() == '{"my": "own"}'


def test_an_export_that_fails_leaves_the_earlier_one(filled: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "static"
    export_static(filled, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*.json")}
    filled.record(make_artifact("c"), item_of(item_id="../c"))
    with pytest.raises(InvalidItem, match=r"\.\./c"):
        export_static(filled, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*.json")} == before
    assert not list(tmp_path.glob(".staging/*"))


# GeoParquet -------------------------------------------------------------------------------------


def as_facts(value: object) -> object:
    """Without what Parquet spells in its own way: a field that an item lacks is null in its rows,
    and times have microseconds."""
    if isinstance(value, dict):
        return {k: as_facts(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [as_facts(v) for v in value]
    if isinstance(value, str) and value.startswith("20") and value.endswith("Z"):
        return datetime.fromisoformat(value)
    return value


def in_order(items: Iterable[Document]) -> list[object]:
    return [as_facts(item) for item in sorted(items, key=lambda item: str(item["id"]))]


def test_items_survive_geoparquet(filled: Catalog, tmp_path: Path) -> None:
    (path,) = export_geoparquet(filled, tmp_path / "parquet")
    assert path == tmp_path / "parquet" / "flood.parquet"
    read = stac_table_to_items(pq.read_table(path))
    assert in_order(read) == in_order(filled.items("flood"))


def test_geoparquet_opens_where_people_open_it(filled: Catalog, tmp_path: Path) -> None:
    (path,) = export_geoparquet(filled, tmp_path)
    frame = geopandas.read_parquet(path)
    assert list(frame["id"]) == ["a", "b"]
    assert frame.crs.to_epsg() in (4326, None)
    assert frame.geometry.is_valid.all()
    west_of_29 = ds.dataset(path).to_table(filter=ds.field("bbox", "xmin") < 29)
    assert west_of_29["id"].to_pylist() == ["b"]
    metadata = json.loads(pq.read_metadata(path).metadata[b"geo"])
    assert metadata["version"] == "1.1.0"
    assert metadata["columns"]["geometry"]["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]


def test_items_of_different_facts_share_one_table(filled: Catalog, tmp_path: Path) -> None:
    bare = replace(ASSET, bands=ASSET.bands[:1], special=())
    filled.record(make_artifact("c"), item_of(bare, "c", properties={"cell": "x"}))
    (path,) = export_geoparquet(filled, tmp_path)
    read = stac_table_to_items(pq.read_table(path))
    assert in_order(read) == in_order(filled.items("flood"))
