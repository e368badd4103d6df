"""The source catalogue's statements, to run inside a transaction that the store holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from thalweg.catalog import schema
from thalweg.catalog.ledger import Document
from thalweg.domain.layers import Layer, Theme
from thalweg.errors import LayerConflict, LayerNotFound

_layers, _themes = schema.layers, schema.themes


def put_themes(connection: Connection, themes: Iterable[Theme]) -> None:
    """Record themes; what one leaves empty stays as it was."""
    known = {theme.id: theme for theme in read_themes(connection)}
    for theme in themes:
        before = known.get(theme.id, Theme(theme.id))
        merged = Theme(
            theme.id, theme.title or before.title, theme.description or before.description
        )
        known[theme.id] = merged
        statement = upsert(_themes).values(merged.to_json())
        connection.execute(
            statement.on_conflict_do_update(index_elements=["id"], set_=merged.to_json())
        )


def put_layers(connection: Connection, layers: Sequence[Layer]) -> None:
    """Record layers in place of those of their ids; raises `LayerConflict`."""
    known = {layer.id: layer for layer in read_layers(connection)}
    _refuse_shared_ids(layers, known)
    rows = [_row(layer) for layer in layers if known.get(layer.id) != layer]
    if rows:
        statement = upsert(_layers)
        changed = {c.name: statement.excluded[c.name] for c in _layers.c if c.name != "id"}
        connection.execute(
            statement.on_conflict_do_update(index_elements=["id"], set_=changed), rows
        )


def mark_undeclared(connection: Connection, pipeline: str, declared: Iterable[str]) -> None:
    """Mark a pipeline's layers that it no longer declares."""
    known = connection.scalars(select(_layers.c.id).where(_layers.c.pipeline == pipeline))
    for layer_id in set(known) - set(declared):
        connection.execute(update(_layers).where(_layers.c.id == layer_id).values(declared=False))


def read_layers(connection: Connection, **wanted: str | None) -> list[Layer]:
    """The layers whose columns have the values that are wanted, if any, ordered by id."""
    query = select(_layers).where(
        *[_layers.c[name] == value for name, value in wanted.items() if value is not None]
    )
    rows = connection.execute(query.order_by(_layers.c.id))
    return [_layer(row._asdict()) for row in rows]


def read_layer(connection: Connection, layer_id: str) -> Layer:
    found = read_layers(connection, id=layer_id)
    if not found:
        raise LayerNotFound(
            f"the source catalogue holds no layer {layer_id!r}",
            hint="list what there is with `thalweg sources list`",
        )
    return found[0]


def read_themes(connection: Connection) -> list[Theme]:
    rows = connection.execute(select(_themes).order_by(_themes.c.id))
    return [Theme(**row._mapping) for row in rows]


def _row(layer: Layer) -> Document:
    """Coordinates as pairs: the database's JSON keeps the order of lists only."""
    return {**layer.to_json(), "coordinates": [list(pair) for pair in layer.coordinates.pairs]}


def _layer(row: Mapping[str, Any]) -> Layer:
    return Layer.from_json({**row, "coordinates": dict(row["coordinates"])})


def _refuse_shared_ids(layers: Iterable[Layer], known: Mapping[str, Layer]) -> None:
    given: dict[str, Layer] = {}
    for layer in layers:
        other = given.setdefault(layer.id, layer)
        if other != layer:
            raise LayerConflict(
                f"two layers have the id {layer.id}: {_where(other)} and {_where(layer)}",
                hint="give the values of a dimension other ids, or one of the layers another id",
            )
        before = known.get(layer.id)
        if before is not None and before.declared and before.pipeline != layer.pipeline:
            raise LayerConflict(
                f"the layer {layer.id} is registered already, {_maker(before)}",
                hint="give this one another id, or the pipeline another name",
            )


def _where(layer: Layer) -> str:
    return ", ".join(f"{name} {value}" for name, value in layer.coordinates.items()) or layer.title


def _maker(layer: Layer) -> str:
    return f"by the pipeline {layer.pipeline!r}" if layer.pipeline else "from a file"
