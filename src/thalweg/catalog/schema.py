"""The catalogue's tables, and the migration that they stand at."""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    event,
    text,
)

REVISION = "0003"

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

sources = Table(
    "sources",
    metadata,
    Column("pipeline", String, nullable=False),
    Column("zone", String, nullable=False),
    Column("key", String, nullable=False),
    Column("etag", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("coordinates", JSON(none_as_null=True)),
    Column("status", String, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("problem", JSON(none_as_null=True)),
    PrimaryKeyConstraint("pipeline", "zone", "key"),
    CheckConstraint("status IN ('ok', 'rejected')", name="status"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("zone", String, nullable=False),
    Column("key", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("pipeline", String, nullable=False),
    Column("operator", String, nullable=False),
    Column("operator_version", Integer, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("checksum", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("media_type", String, nullable=False),
    Column("coordinates", JSON, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("run_id", String, nullable=False),
    Column("made_at", String, nullable=False),
    Column("current", Boolean, nullable=False),
    UniqueConstraint("zone", "key"),
    CheckConstraint("length(fingerprint) = 64", name="fingerprint"),
    CheckConstraint("length(checksum) = 64", name="checksum"),
    Index("ix_artifacts_fingerprint", "fingerprint"),
    Index("ix_artifacts_pipeline_kind_coordinates", "pipeline", "kind", "coordinates"),
    Index(
        "uq_artifacts_current",
        "pipeline",
        "kind",
        "coordinates",
        unique=True,
        sqlite_where=text("current = 1"),
    ),
)

inputs = Table(
    "inputs",
    metadata,
    Column("artifact_id", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("zone", String, nullable=False),
    Column("key", String, nullable=False),
    Column("identity", String, nullable=False),
    PrimaryKeyConstraint("artifact_id", "position"),
    ForeignKeyConstraint(["artifact_id"], ["artifacts.id"], ondelete="CASCADE"),
    Index("ix_inputs_zone_key", "zone", "key"),
)

collections = Table(
    "collections",
    metadata,
    Column("id", String, primary_key=True),
    Column("document", JSON, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("collection_id", String, ForeignKey("collections.id"), nullable=False),
    Column("id", String, nullable=False),
    Column("artifact_id", Integer, ForeignKey("artifacts.id")),
    Column("starts", String),
    Column("ends", String),
    Column("document", JSON, nullable=False),
    UniqueConstraint("collection_id", "id"),
    Index("ix_items_artifact_id", "artifact_id"),
    Index("ix_items_starts", "starts", "collection_id", "id"),
    Index("ix_items_collection_id_starts", "collection_id", "starts", "id"),
)
"""`starts` and `ends` are the item's times as `moments.moment` writes them."""

for statement in (
    "CREATE VIRTUAL TABLE item_boxes USING rtree(id, west, east, south, north)",
    "CREATE TRIGGER items_forget_boxes AFTER DELETE ON items BEGIN "
    "DELETE FROM item_boxes WHERE id IN (old.number * 2, old.number * 2 + 1); END",
):
    event.listen(items, "after_create", DDL(statement))  # type: ignore[no-untyped-call]

themes = Table(
    "themes",
    metadata,
    Column("id", String, primary_key=True),
    Column("title", String, nullable=False),
    Column("description", String, nullable=False),
)

layers = Table(
    "layers",
    metadata,
    Column("id", String, primary_key=True),
    Column("theme", String, ForeignKey("themes.id"), nullable=False),
    Column("dataset", String, nullable=False),
    Column("title", String, nullable=False),
    Column("unit", String, nullable=False),
    Column("license", String, nullable=False),
    Column("nodata", Float),
    Column("description", String, nullable=False),
    Column("origin", String, nullable=False),
    Column("citation", String, nullable=False),
    Column("crs", String, nullable=False),
    Column("pixel", Float),
    Column("coordinates", JSON, nullable=False),
    Column("statistics", JSON, nullable=False),
    Column("resolutions", JSON, nullable=False),
    Column("pipeline", String),
    Column("declared", Boolean, nullable=False),
    CheckConstraint("pipeline IS NOT NULL OR declared", name="declared"),
    Index("ix_layers_theme", "theme"),
    Index("ix_layers_pipeline", "pipeline"),
)
