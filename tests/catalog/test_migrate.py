from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from ledger_samples import make_artifact, make_item
from sqlalchemy import Engine, create_engine

from thalweg.catalog import schema
from thalweg.catalog.migrate import FOLDER
from thalweg.catalog.sqlite import open_catalog
from thalweg.errors import CatalogTooNew


def made_of(engine: Engine) -> dict[tuple[str, str], tuple[str, ...]]:
    """Every table and index with the set of its clauses, whatever their order."""
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%'"
            " AND tbl_name NOT LIKE 'alembic%' AND sql IS NOT NULL"
        ).all()
    return {
        (kind, name): tuple(sorted(line.strip(" \t,") for line in sql.splitlines()))
        for kind, name, sql in rows
    }


def is_declared(name: str, kind: str, _parents: object) -> bool:
    """SQLAlchemy knows nothing of virtual tables; `made_of` compares them."""
    return kind != "table" or not name.startswith("item_boxes")


def test_the_migrations_make_exactly_the_schema(tmp_path: Path) -> None:
    open_catalog(tmp_path / "migrated.db").close()
    migrated = create_engine(f"sqlite:///{tmp_path / 'migrated.db'}")
    declared = create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    schema.metadata.create_all(declared)
    assert made_of(migrated) == made_of(declared)
    with migrated.connect() as connection:
        opts = {"compare_type": True, "include_name": is_declared}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, schema.metadata) == []
    migrated.dispose()
    declared.dispose()


def test_the_revision_that_the_code_asks_for_is_the_last_one() -> None:
    assert ScriptDirectory(str(FOLDER)).get_heads() == [schema.REVISION]


def test_a_catalogue_of_a_newer_version_is_left_alone(path: Path) -> None:
    open_catalog(path).close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(CatalogTooNew, match="9999") as caught:
        open_catalog(path)
    assert caught.value.where == str(path)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
    connection.close()


def test_a_migration_that_fails_leaves_nothing_behind(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thalweg.catalog import migrate

    whole = migrate.upgrade

    def broken(*args: object, **named: object) -> None:
        whole(*args, **named)  # type: ignore[arg-type]
        raise RuntimeError("killed")

    monkeypatch.setattr(migrate, "upgrade", broken)
    with pytest.raises(RuntimeError):
        open_catalog(path)
    monkeypatch.undo()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
    open_catalog(path).close()


@pytest.fixture
def first_revision(path: Path) -> Path:
    """A catalogue as the first revision left it, with sources, artifacts and items."""
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.executescript(Path(__file__).with_name("catalog_0001.sql").read_text())
    connection.close()
    return path


def test_the_first_revision_still_makes_the_catalogue_that_is_kept(
    first_revision: Path, tmp_path: Path
) -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    made, kept = (create_engine(f"sqlite:///{p}") for p in (tmp_path / "a.db", first_revision))
    with made.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    assert made_of(made) == made_of(kept)
    made.dispose()
    kept.dispose()


def test_a_catalogue_of_the_first_revision_loses_nothing(first_revision: Path) -> None:
    with open_catalog(first_revision) as catalog:
        kept = list(catalog.artifacts(current=None))
        assert kept == sorted(
            [make_artifact("a", 0), make_artifact("a", 1), make_artifact("b", 0)],
            key=lambda artifact: artifact.ref,
        )
        assert list(catalog.items("flood")) == [make_item("a", 1), make_item("b", 0)]
        assert [source.status for source in catalog.sources("flood")] == ["ok", "rejected"]
        assert catalog.layers() == []
        assert catalog.themes() == []
    connection = sqlite3.connect(first_revision)
    found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    assert found == [(schema.REVISION,)]
    connection.close()
