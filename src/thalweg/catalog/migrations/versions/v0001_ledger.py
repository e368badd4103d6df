"""Begin the ledger: sources, artifacts, their inputs, collections and items."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "sources",
        sa.Column("pipeline", sa.String, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("etag", sa.String, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("coordinates", sa.JSON),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("problem", sa.JSON),
        sa.PrimaryKeyConstraint("pipeline", "zone", "key"),
        sa.CheckConstraint("status IN ('ok', 'rejected')", name="status"),
    )
    op.create_table(
        "artifacts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("pipeline", sa.String, nullable=False),
        sa.Column("operator", sa.String, nullable=False),
        sa.Column("operator_version", sa.Integer, nullable=False),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("checksum", sa.String, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("media_type", sa.String, nullable=False),
        sa.Column("coordinates", sa.JSON, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("made_at", sa.String, nullable=False),
        sa.Column("current", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("zone", "key"),
        sa.CheckConstraint("length(fingerprint) = 64", name="fingerprint"),
        sa.CheckConstraint("length(checksum) = 64", name="checksum"),
    )
    op.create_index("ix_artifacts_fingerprint", "artifacts", ["fingerprint"])
    op.create_index(
        "ix_artifacts_pipeline_kind_coordinates", "artifacts", ["pipeline", "kind", "coordinates"]
    )
    op.create_index(
        "uq_artifacts_current",
        "artifacts",
        ["pipeline", "kind", "coordinates"],
        unique=True,
        sqlite_where=sa.text("current = 1"),
    )
    op.create_table(
        "inputs",
        sa.Column("artifact_id", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("identity", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("artifact_id", "position"),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifacts.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_inputs_zone_key", "inputs", ["zone", "key"])
    op.create_table(
        "collections",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "items",
        sa.Column("collection_id", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("artifact_id", sa.Integer, nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("collection_id", "id"),
        sa.ForeignKeyConstraint(["collection_id"], ["collections.id"]),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifacts.id"]),
    )
    op.create_index("ix_items_artifact_id", "items", ["artifact_id"])
