from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ledger_samples import make_artifact, make_item
from sqlalchemy import Connection, Engine, event

from thalweg.catalog.ledger import Catalog, Input, Ref, Source
from thalweg.catalog.sqlite import open_catalog
from thalweg.errors import (
    ArtifactConflict,
    ArtifactNotFound,
    ArtifactSuperseded,
    CatalogBusy,
    CatalogUnreadable,
    CollectionNotFound,
    DiskFull,
    ItemNotFound,
    UnreadableRaster,
)

BRONZE = "bronze"


def source(key: str, **changed: object) -> Source:
    fields: dict[str, object] = {
        "zone": BRONZE,
        "key": key,
        "etag": "1",
        "size": 10,
        "pipeline": "flood",
        "coordinates": {"tile": "a"},
        "status": "ok",
        "facts": {"dtype": "int16"},
        "problem": None,
    }
    return Source(**{**fields, **changed})  # type: ignore[arg-type]


# Artifacts --------------------------------------------------------------------------------------


def test_an_artifact_is_found_as_it_was_recorded(catalog: Catalog) -> None:
    artifact = make_artifact()
    catalog.record(artifact)
    assert catalog.find(*artifact.ref) == artifact
    assert catalog.find("silver", "elsewhere.tif") is None
    assert list(catalog.artifacts()) == [artifact]
    assert catalog.by_fingerprint([artifact.fingerprint, "0" * 64]) == [artifact]


def test_an_artifact_without_inputs_is_recorded(catalog: Catalog) -> None:
    artifact = make_artifact(inputs=())
    catalog.record(artifact)
    assert list(catalog.artifacts()) == [artifact]


def test_recording_again_keeps_the_first_run_and_time(catalog: Catalog) -> None:
    first = make_artifact()
    catalog.record(first, make_item())
    catalog.record(replace(first, run_id="run-2", made_at="2027-01-01T00:00:00Z"), make_item())
    assert list(catalog.artifacts(current=None)) == [first]
    assert list(catalog.items("flood")) == [make_item()]


@pytest.mark.parametrize("field", ["checksum", "fingerprint"])
def test_other_bytes_under_a_recorded_key_are_refused(catalog: Catalog, field: str) -> None:
    first = make_artifact()
    catalog.record(first, make_item())
    changed = replace(first, **{field: "f" * 64})
    with pytest.raises(ArtifactConflict) as caught:
        catalog.record(changed, make_item(version=9))
    assert caught.value.where == f"silver:{first.key}"
    assert list(catalog.artifacts(current=None)) == [first]
    assert list(catalog.items("flood")) == [make_item()]


def test_a_newer_artifact_supersedes_the_one_of_its_coordinates(catalog: Catalog) -> None:
    old, new, other = make_artifact("a", 0), make_artifact("a", 1), make_artifact("b", 0)
    for artifact in (old, other, new):
        catalog.record(artifact)
    assert list(catalog.artifacts()) == [new, other]
    assert list(catalog.artifacts(current=False)) == [old]
    assert list(catalog.artifacts(current=None)) == [old, new, other]
    assert catalog.by_fingerprint([old.fingerprint]) == []
    assert catalog.find(*old.ref) == old


def test_coordinates_are_the_same_in_any_order(catalog: Catalog) -> None:
    catalog.record(make_artifact("a", 0, coordinates={"year": "2050", "tile": "é"}))
    new = make_artifact("a", 1, coordinates={"tile": "é", "year": "2050"})
    catalog.record(new)
    assert list(catalog.artifacts()) == [new]


def test_another_kind_or_pipeline_is_not_superseded(catalog: Catalog) -> None:
    same = make_artifact().coordinates
    kept = [
        make_artifact("a", 0),
        make_artifact("b", 0, coordinates=same, kind="mosaic"),
        make_artifact("c", 0, coordinates=same, pipeline="other"),
    ]
    for artifact in kept:
        catalog.record(artifact)
    assert list(catalog.artifacts()) == kept
    assert list(catalog.artifacts(kind="mosaic")) == [kept[1]]
    assert list(catalog.artifacts(pipeline="other")) == [kept[2]]


def test_going_back_makes_the_first_artifact_current_again(catalog: Catalog) -> None:
    old, new = make_artifact("a", 0), make_artifact("a", 1)
    catalog.record(old, make_item(version=0))
    catalog.record(new, make_item(version=1))
    catalog.record(replace(old, run_id="run-3"), make_item(version=0))
    assert list(catalog.artifacts()) == [old]
    assert list(catalog.items("flood")) == [make_item(version=0)]


def test_more_artifacts_than_a_page_come_in_order_with_their_inputs(catalog: Catalog) -> None:
    made = [make_artifact(f"{number:04}") for number in range(1201)]
    for artifact in reversed(made):
        catalog.record(artifact)
    assert list(catalog.artifacts()) == made
    assert catalog.by_fingerprint(artifact.fingerprint for artifact in made) == made


def test_the_database_itself_refuses_two_current_artifacts(path: Path, catalog: Catalog) -> None:
    catalog.record(make_artifact("a", 0))
    catalog.record(make_artifact("a", 1))
    with sqlite3.connect(path) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute("UPDATE artifacts SET current = 1")
    connection.close()


def test_no_write_or_lineage_reads_a_whole_table(catalog: Catalog) -> None:
    """A full scan for each record would make a million of them take for ever."""
    asked: list[str] = []

    def explain(
        connection: Connection, cursor: object, statement: str, parameters: Any, *_: object
    ) -> None:
        one = parameters[0] if isinstance(parameters, list) else parameters
        if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
            explained = connection.connection.cursor().execute(
                f"EXPLAIN QUERY PLAN {statement}", one
            )
            asked.extend(f"{row[3]} <- {statement}" for row in explained)

    catalog.record(make_artifact("a", 0), make_item())
    event.listen(Engine, "before_cursor_execute", explain)
    try:
        catalog.record(make_artifact("a", 1), make_item())
        catalog.lineage("bronze", "a/1in5.tif")
        catalog.lineage(*make_artifact("a", 1).ref)
        catalog.by_fingerprint([make_artifact("a", 1).fingerprint])
    finally:
        event.remove(Engine, "before_cursor_execute", explain)
    assert asked
    scans = ("SCAN artifacts", "SCAN inputs", "SCAN items", "SCAN i ", "SCAN o")
    assert [plan for plan in asked if plan.startswith(scans)] == []


# Items and collections --------------------------------------------------------------------------


def test_an_item_needs_its_collection_and_without_it_nothing_is_recorded(
    catalog: Catalog,
) -> None:
    with pytest.raises(CollectionNotFound):
        catalog.record(make_artifact(), make_item(collection="unknown"))
    assert list(catalog.artifacts(current=None)) == []


def test_items_come_in_the_order_of_their_ids(catalog: Catalog) -> None:
    for slot in ("b", "a", "c"):
        catalog.record(make_artifact(slot), make_item(slot))
    assert [item["id"] for item in catalog.items("flood")] == ["a", "b", "c"]
    assert catalog.item("flood", "b") == make_item("b")


def test_an_item_of_another_id_replaces_those_of_the_superseded_artifact(
    catalog: Catalog,
) -> None:
    catalog.record(make_artifact("a", 0), make_item("old-name"))
    catalog.record(make_artifact("a", 1), make_item("new-name"))
    assert [item["id"] for item in catalog.items("flood")] == ["new-name"]


def test_the_old_item_stays_until_the_new_one_is_recorded(catalog: Catalog) -> None:
    new = make_artifact("a", 1)
    catalog.record(make_artifact("a", 0), make_item("old-name"))
    catalog.record(new)
    assert [item["id"] for item in catalog.items("flood")] == ["old-name"]
    catalog.record_items([(make_item("new-name"), new.ref)])
    assert [item["id"] for item in catalog.items("flood")] == ["new-name"]


def test_items_are_recorded_for_current_artifacts_only(catalog: Catalog) -> None:
    old, new = make_artifact("a", 0), make_artifact("a", 1)
    catalog.record(old)
    catalog.record(new)
    with pytest.raises(ArtifactSuperseded):
        catalog.record_items([(make_item("x"), new.ref), (make_item("y"), old.ref)])
    with pytest.raises(ArtifactNotFound):
        catalog.record_items([(make_item("x"), Ref("silver", "never.tif"))])
    assert list(catalog.items("flood")) == []


def test_a_collection_can_be_put_again(catalog: Catalog) -> None:
    catalog.record(make_artifact(), make_item())
    catalog.put_collection({"id": "flood", "title": "Floods"})
    catalog.put_collection({"id": "another"})
    assert catalog.collections() == [{"id": "another"}, {"id": "flood", "title": "Floods"}]
    assert catalog.collection("flood") == {"id": "flood", "title": "Floods"}
    assert list(catalog.items("flood")) == [make_item()]


def test_what_is_not_there_is_named(catalog: Catalog) -> None:
    with pytest.raises(CollectionNotFound, match="'heat'"):
        catalog.collection("heat")
    with pytest.raises(CollectionNotFound, match="'heat'"):
        catalog.items("heat")
    with pytest.raises(ItemNotFound, match="'x'"):
        catalog.item("flood", "x")


# Sources ----------------------------------------------------------------------------------------


def test_sources_are_recorded_as_they_are_now(catalog: Catalog) -> None:
    problem = UnreadableRaster("truncated", where="b.tif").to_json()
    catalog.record_sources([source("a.tif"), source("b.tif")])
    changed = source(
        "b.tif", etag="2", status="rejected", coordinates=None, facts={}, problem=problem
    )
    catalog.record_sources([changed])
    catalog.record_sources([])
    assert list(catalog.sources("flood")) == [source("a.tif"), changed]


def test_sources_are_read_by_zone_and_exact_prefix(catalog: Catalog) -> None:
    keys = ["RWA/a.tif", "rwa", "rwa/a.tif", "rwa/é.tif", "rwa_/a.tif", "rwb/a.tif"]
    catalog.record_sources(source(key) for key in keys)
    catalog.record_sources([source("rwa/z.tif", zone="other"), source("rwa/p", pipeline="p")])
    assert [s.key for s in catalog.sources("flood", BRONZE)] == keys
    assert [s.key for s in catalog.sources("flood", BRONZE, "rwa/")] == ["rwa/a.tif", "rwa/é.tif"]
    assert [s.key for s in catalog.sources("flood", prefix="rwa/z")] == ["rwa/z.tif"]


def test_two_pipelines_may_read_one_source(catalog: Catalog) -> None:
    catalog.record_sources([source("a.tif"), source("a.tif", pipeline="other", etag="9")])
    catalog.forget_sources("other", [Ref(BRONZE, "a.tif"), Ref(BRONZE, "never.tif")])
    assert list(catalog.sources("flood")) == [source("a.tif")]
    assert list(catalog.sources("other")) == []


def test_a_catalogue_may_be_written_while_it_is_read(catalog: Catalog) -> None:
    catalog.record_sources(source(f"{number:04}.tif") for number in range(1200))
    for found in catalog.sources("flood"):
        catalog.record_sources([replace(found, etag="2")])
    assert {found.etag for found in catalog.sources("flood")} == {"2"}


# Lineage ----------------------------------------------------------------------------------------


def test_lineage_reaches_to_the_sources_and_to_all_that_was_made(catalog: Catalog) -> None:
    stacks = [make_artifact("a"), make_artifact("b")]
    mosaic = make_artifact(
        "m", kind="mosaic", inputs=tuple(Input(s.zone, s.key, s.fingerprint) for s in stacks)
    )
    for artifact in (*stacks, mosaic):
        catalog.record(artifact)

    upstream = catalog.lineage(*mosaic.ref).upstream
    assert [(edge.made.key, edge.source) for edge in upstream] == [
        *((mosaic.key, source) for source in mosaic.inputs),
        *((stack.key, source) for stack in stacks for source in stack.inputs),
    ]
    assert catalog.lineage(*mosaic.ref).downstream == ()

    from_source = catalog.lineage("bronze", "b/1in10.tif")
    assert [edge.made for edge in from_source.downstream] == [stacks[1].ref, mosaic.ref]
    assert from_source.upstream == ()


# The file ---------------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database at all " * 100)
    with pytest.raises(CatalogUnreadable) as caught:
        open_catalog(path)
    assert caught.value.where == str(path)
    assert path.read_text() == "no database at all " * 100


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.gpkg"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE gpkg_contents (table_name TEXT)")
    connection.close()
    with pytest.raises(CatalogUnreadable, match="gpkg_contents"):
        open_catalog(path)


def test_a_writer_that_waits_too_long_is_told_so(path: Path, catalog: Catalog) -> None:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with open_catalog(path, busy_seconds=0.05) as impatient:
        with pytest.raises(CatalogBusy) as caught:
            impatient.record(make_artifact())
        assert caught.value.transient
        assert impatient.collections(), "readers do not wait for a writer"
        holder.execute("ROLLBACK")
        impatient.record(make_artifact())
    holder.close()


@pytest.fixture
def small_disk() -> Iterator[None]:
    """SQLite itself refuses to let a file grow past 60 pages, as on a full disk."""

    def limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 60")

    event.listen(Engine, "connect", limit)
    yield
    event.remove(Engine, "connect", limit)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_named_and_loses_nothing_recorded(path: Path) -> None:
    recorded = []

    def fill(catalog: Catalog) -> None:
        for number in range(100):
            catalog.record(make_artifact(str(number), facts={"fill": "x" * 20_000}))
            recorded.append(str(number))

    with open_catalog(path) as catalog:
        with pytest.raises(DiskFull) as caught:
            fill(catalog)
        assert caught.value.where == str(path)
        assert recorded
        found = {artifact.coordinates["tile"] for artifact in catalog.artifacts()}
        assert found == set(recorded)


def test_opening_a_catalogue_that_is_up_to_date_imports_no_alembic(
    path: Path, catalog: Catalog
) -> None:
    program = (
        "import sys; from pathlib import Path; from thalweg.catalog.sqlite import open_catalog\n"
        "open_catalog(Path(sys.argv[1])).close()\n"
        "sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, env=os.environ)
