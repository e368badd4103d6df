"""Bring a store's tables to the revision that this code is written for."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from thalweg.errors import CatalogTooNew

FOLDER = Path(__file__).parent / "migrations"


def upgrade(connection: Connection, found: str | None, *, where: str) -> None:
    """Run the migrations that follow revision `found` (None: all of them), in the caller's
    transaction; raises `CatalogTooNew` where this code knows no such revision."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    if found is not None:
        _require_known(config, found, where)
    command.upgrade(config, "head")


def _require_known(config: Config, revision: str, where: str) -> None:
    try:
        ScriptDirectory.from_config(config).get_revision(revision)
    except CommandError as error:
        raise CatalogTooNew(
            f"the catalogue stands at revision {revision}, which this Thalweg does not know",
            hint="use the Thalweg that wrote it, or a newer one",
            where=where,
        ) from error
