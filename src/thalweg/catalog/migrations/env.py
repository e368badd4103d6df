"""Run by Alembic: bring the given connection's tables to the asked revision."""

from __future__ import annotations

from alembic import context

from thalweg.catalog.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
