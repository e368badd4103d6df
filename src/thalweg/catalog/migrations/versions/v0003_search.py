"""Index items for search: their times, their boxes, and items that no artifact stands behind."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from thalweg.catalog.indexing import box_rows, indexed

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.rename_table("items", "items_before")
    op.drop_index("ix_items_artifact_id")
    op.create_table(
        "items",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("collection_id", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("artifact_id", sa.Integer),
        sa.Column("starts", sa.String),
        sa.Column("ends", sa.String),
        sa.Column("document", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.ForeignKeyConstraint(["collection_id"], ["collections.id"]),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifacts.id"]),
        sa.UniqueConstraint("collection_id", "id"),
    )
    op.create_index("ix_items_artifact_id", "items", ["artifact_id"])
    op.create_index("ix_items_starts", "items", ["starts", "collection_id", "id"])
    op.create_index("ix_items_collection_id_starts", "items", ["collection_id", "starts", "id"])
    op.execute("CREATE VIRTUAL TABLE item_boxes USING rtree(id, west, east, south, north)")
    op.execute(
        "CREATE TRIGGER items_forget_boxes AFTER DELETE ON items BEGIN "
        "DELETE FROM item_boxes WHERE id IN (old.number * 2, old.number * 2 + 1); END"
    )
    _copy()
    op.drop_table("items_before")


def _copy() -> None:
    connection = op.get_bind()
    rows = connection.exec_driver_sql(
        "SELECT collection_id, id, artifact_id, document FROM items_before ORDER BY 1, 2"
    )
    for number, row in enumerate(rows.all(), 1):
        document = json.loads(row.document)
        starts, ends = indexed(document)
        connection.exec_driver_sql(
            "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?)",
            (number, row.collection_id, row.id, row.artifact_id, starts, ends, row.document),
        )
        for box in box_rows(number, document):
            connection.exec_driver_sql("INSERT INTO item_boxes VALUES (?, ?, ?, ?, ?)", box)
