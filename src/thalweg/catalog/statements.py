"""The ledger's statements, to run inside a transaction that the store holds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import batched, groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, insert, select, text, update
from sqlalchemy.dialects.sqlite import insert as upsert

from thalweg.catalog import schema
from thalweg.catalog.indexing import box_rows, indexed
from thalweg.catalog.ledger import Artifact, Document, Edge, Input, Ref
from thalweg.errors import (
    ArtifactConflict,
    ArtifactNotFound,
    ArtifactSuperseded,
    CollectionNotFound,
    ItemExists,
    ItemNotFound,
)

type AnyRow = Row[*tuple[Any, ...]]

_artifacts, _inputs = schema.artifacts, schema.inputs
_collections, _items = schema.collections, schema.items

PAGE = 500
SLOT = ("pipeline", "kind", "coordinates")
_OWN = {"id", "current"}
_BOX = ("id", "west", "east", "south", "north")

# Built once: SQLAlchemy takes longer to build a statement than SQLite to run it.
_slot = {name: bindparam(f"slot_{name}", type_=_artifacts.c[name].type) for name in SLOT}
_other, _mine = _artifacts.alias("other"), _artifacts.alias("mine")
_put = upsert(_items)

FIND = select(
    _artifacts.c.id, _artifacts.c.current, _artifacts.c.fingerprint, _artifacts.c.checksum
).where(_artifacts.c.zone == bindparam("zone"), _artifacts.c.key == bindparam("key"))
SUPERSEDE = (
    update(_artifacts)
    .where(*[_artifacts.c[name] == value for name, value in _slot.items()], _artifacts.c.current)
    .values(current=False)
)
RESTORE = update(_artifacts).where(_artifacts.c.id == bindparam("artifact_id")).values(current=True)
INSERT_ARTIFACT = insert(_artifacts)
INSERT_INPUTS = insert(_inputs)
COLLECTION_IDS = select(_collections.c.id)
FORGET_SUPERSEDED_ITEMS = delete(_items).where(
    _items.c.artifact_id.in_(
        select(_other.c.id).where(
            *[_other.c[name] == _mine.c[name] for name in SLOT],
            _mine.c.id == bindparam("artifact_id"),
            _other.c.id != _mine.c.id,
        )
    )
)
PUT_ITEM = _put.on_conflict_do_update(
    index_elements=[_items.c.collection_id, _items.c.id],
    set_={name: _put.excluded[name] for name in ("artifact_id", "starts", "ends", "document")},
).returning(_items.c.number)
FORGET_BOXES = text("DELETE FROM item_boxes WHERE id IN (:number * 2, :number * 2 + 1)")
PUT_BOX = text("INSERT INTO item_boxes VALUES (:id, :west, :east, :south, :north)")


# Writing ----------------------------------------------------------------------------------------


def record_artifact(connection: Connection, artifact: Artifact) -> int:
    """Make the artifact the current one of its slot; gives its id."""
    known = _known(connection, artifact)
    if known is not None and known.current:
        return int(known.id)
    connection.execute(SUPERSEDE, {f"slot_{name}": getattr(artifact, name) for name in SLOT})
    if known is not None:
        connection.execute(RESTORE, {"artifact_id": known.id})
        return int(known.id)
    row = artifact.to_json()
    made_from = row.pop("inputs")
    artifact_id = int(connection.execute(INSERT_ARTIFACT, {**row, "current": True}).lastrowid)
    if made_from:
        numbered = enumerate(made_from)
        connection.execute(
            INSERT_INPUTS,
            [{"artifact_id": artifact_id, "position": n, **source} for n, source in numbered],
        )
    return artifact_id


def _known(connection: Connection, artifact: Artifact) -> AnyRow | None:
    known = connection.execute(FIND, artifact.ref._asdict()).one_or_none()
    if known is None:
        return None
    for name in ("fingerprint", "checksum"):
        recorded, given = getattr(known, name), getattr(artifact, name)
        if recorded != given:
            raise ArtifactConflict(
                f"recorded with {name} {recorded[:12]}…, now made with {name} {given[:12]}…",
                hint="objects are immutable: find out what wrote other bytes under this key",
                where=f"{artifact.zone}:{artifact.key}",
            )
    return known


def record_items(connection: Connection, items: list[tuple[int, Document]]) -> None:
    """Put items in place of those of their ids, and of those of superseded artifacts."""
    known = set(connection.scalars(COLLECTION_IDS))
    for artifact_id, item in items:
        if item["collection"] not in known:
            raise no_collection(item["collection"])
        connection.execute(FORGET_SUPERSEDED_ITEMS, {"artifact_id": artifact_id})
        put_item(connection, item, artifact_id)


def put_item(connection: Connection, item: Document, artifact_id: int | None) -> None:
    """Put one item in place of that of its id, and index it."""
    starts, ends = indexed(item)
    row = {"collection_id": item["collection"], "id": item["id"], "artifact_id": artifact_id}
    row |= {"starts": starts, "ends": ends, "document": item}
    number = int(connection.execute(PUT_ITEM, row).scalar_one())
    connection.execute(FORGET_BOXES, {"number": number})
    for box in box_rows(number, item):
        connection.execute(PUT_BOX, dict(zip(_BOX, box, strict=True)))


def current_id(connection: Connection, ref: Ref) -> int:
    """The id of the current artifact at `ref`."""
    row = connection.execute(FIND, ref._asdict()).one_or_none()
    where = f"{ref.zone}:{ref.key}"
    if row is None:
        raise ArtifactNotFound(hint="record the artifact before its item", where=where)
    if not row.current:
        raise ArtifactSuperseded(hint="its item was not recorded; run again", where=where)
    return int(row.id)


# Reading -------------------------------------------------------------------


def stream(connection: Connection, query: Select[Any]) -> Iterator[AnyRow]:
    """One statement, hence one snapshot, read page by page."""
    yield from connection.execution_options(yield_per=PAGE).execute(query)


def read_artifacts(connection: Connection, query: Select[Any]) -> Iterator[Artifact]:
    """The artifacts that a query of their table selects, with their inputs."""
    ordered = query.order_by(_artifacts.c.zone, _artifacts.c.key)
    for page in connection.execution_options(yield_per=PAGE).execute(ordered).partitions():
        made_from = _inputs_of(connection, [row.id for row in page])
        for row in page:
            fields = {name: value for name, value in row._mapping.items() if name not in _OWN}
            yield Artifact(**fields, inputs=tuple(made_from.get(row.id, ())))


def read_artifacts_in_short(connection: Connection, query: Select[Any]) -> Iterator[Artifact]:
    """The same artifacts without facts and inputs."""
    short = [column for column in _artifacts.c if column.name not in {*_OWN, "facts"}]
    ordered = query.with_only_columns(*short).order_by(_artifacts.c.zone, _artifacts.c.key)
    for row in stream(connection, ordered):
        yield Artifact(**row._mapping, facts={}, inputs=())


def _inputs_of(connection: Connection, artifact_ids: list[int]) -> dict[int, list[Input]]:
    query = select(_inputs).where(_inputs.c.artifact_id.in_(artifact_ids))
    found: dict[int, list[Input]] = {}
    for row in connection.execute(query.order_by(_inputs.c.artifact_id, _inputs.c.position)):
        found.setdefault(row.artifact_id, []).append(Input(row.zone, row.key, row.identity))
    return found


def walk(connection: Connection, start: Ref, *, upwards: bool) -> Iterator[Edge]:
    """The edges of the lineage graph from `start` on, breadth first."""
    seen, frontier = {start}, {start}
    while frontier:
        edges = list(_edges(connection, frontier, upwards=upwards))
        yield from edges
        reached = {
            Ref(edge.source.zone, edge.source.key) if upwards else edge.made for edge in edges
        }
        frontier = reached - seen
        seen |= reached


def _edges(connection: Connection, refs: set[Ref], *, upwards: bool) -> Iterator[Edge]:
    a, i = _artifacts.c, _inputs.c
    near = a if upwards else i
    edges = (
        select(a.zone, a.key, i.zone, i.key, i.identity)
        .join(_inputs, i.artifact_id == a.id)
        .order_by(a.zone, a.key, i.position)
    )
    # By zone: SQLite uses no index for pairs in a list.
    for zone, of_zone in groupby(sorted(refs), key=attrgetter("zone")):
        for page in batched(of_zone, PAGE):
            keys = [ref.key for ref in page]
            for row in connection.execute(edges.where(near.zone == zone, near.key.in_(keys))):
                yield Edge(Ref(*row[:2]), Input(*row[2:]))


def check_collection(connection: Connection, collection_id: str) -> None:
    """Raises `CollectionNotFound`."""
    found = select(_collections.c.id).where(_collections.c.id == collection_id)
    if connection.scalar(found) is None:
        raise no_collection(collection_id)


def check_item(connection: Connection, collection_id: str, item_id: str, new: bool | None) -> None:
    """Raises `ItemExists` for a `new` item that is there, `ItemNotFound` for an old one."""
    found = select(_items.c.id).where(
        _items.c.collection_id == collection_id, _items.c.id == item_id
    )
    there = connection.scalar(found) is not None
    if new is True and there:
        raise ItemExists(
            f"the collection {collection_id!r} holds an item {item_id!r} already",
            hint="put it in its place, or choose another id",
        )
    if new is False and not there:
        raise no_item(collection_id, item_id)


def no_item(collection_id: str, item_id: str) -> ItemNotFound:
    """The error for an item that is not there."""
    return ItemNotFound(
        f"the collection {collection_id!r} holds no item {item_id!r}",
        hint="list what there is with `thalweg catalog list`",
    )


def no_collection(collection_id: str) -> CollectionNotFound:
    """The error for a collection that is not there."""
    return CollectionNotFound(
        f"the catalogue holds no collection {collection_id!r}",
        hint="list what there is with `thalweg catalog list`",
    )
