"""Begin the source catalogue: themes and layers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "themes",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("description", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "layers",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("theme", sa.String, nullable=False),
        sa.Column("dataset", sa.String, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("license", sa.String, nullable=False),
        sa.Column("nodata", sa.Float),
        sa.Column("description", sa.String, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("citation", sa.String, nullable=False),
        sa.Column("crs", sa.String, nullable=False),
        sa.Column("pixel", sa.Float),
        sa.Column("coordinates", sa.JSON, nullable=False),
        sa.Column("statistics", sa.JSON, nullable=False),
        sa.Column("resolutions", sa.JSON, nullable=False),
        sa.Column("pipeline", sa.String),
        sa.Column("declared", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["theme"], ["themes.id"]),
        sa.CheckConstraint("pipeline IS NOT NULL OR declared", name="declared"),
    )
    op.create_index("ix_layers_theme", "layers", ["theme"])
    op.create_index("ix_layers_pipeline", "layers", ["pipeline"])
