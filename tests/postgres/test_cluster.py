"""A PostgreSQL of the workspace's own, and what goes in and out."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import psycopg
import pytest
from typer.testing import CliRunner

from thalweg.cli.main import app
from thalweg.errors import (
    DatabaseOutdated,
    DatabaseUnavailable,
    PostgresMissing,
    SettingsError,
)
from thalweg.features.geopackage import GeoPackages
from thalweg.features.postgis import PostgisTables
from thalweg.features.tables import Column, FeatureTable
from thalweg.pipelines.workspace import Workspace
from thalweg.postgres import cluster as clusters
from thalweg.postgres.cluster import Cluster, check_extensions, find_binaries
from thalweg.postgres.moving import load, load_back
from thalweg.postgres.preparing import check_versions, prepare, state_of

COLLECTION = {
    "type": "Collection",
    "stac_version": "1.1.0",
    "id": "flood",
    "description": "Depths",
    "license": "other",
    "links": [],
    "extent": {
        "spatial": {"bbox": [[0, 0, 1, 1]]},
        "temporal": {"interval": [["2020-01-01T00:00:00Z", None]]},
    },
}
ITEM = {
    "type": "Feature",
    "stac_version": "1.1.0",
    "id": "flood-1",
    "collection": "flood",
    "bbox": [0.0, 0.0, 1.0, 1.0],
    "geometry": {"type": "Point", "coordinates": [0.5, 0.5]},
    "properties": {
        "datetime": None,
        "start_datetime": "2020-01-01T00:00:00Z",
        "end_datetime": "2021-01-01T00:00:00Z",
        "year": 2020,
    },
    "links": [],
    "assets": {},
}
POINTS = FeatureTable("points", (Column("name", "text"),), "Points", "Two of them")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that the user of PostgreSQL can enter, as pytest's own are not for others."""
    try:
        check_extensions(find_binaries())
    except PostgresMissing as error:
        pytest.skip(str(error))
    made = Path(mkdtemp(prefix="thalweg-db-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    Cluster.of(made).stop()
    rmtree(made)


@pytest.fixture(scope="module")
def url(folder: Path) -> str:
    cluster = Cluster.of(folder)
    assert cluster.state == "absent"
    assert cluster.start()
    prepare(cluster.url)
    return cluster.url


def points() -> list[object]:
    import pyarrow as pa
    import shapely

    wkb = shapely.to_wkb(shapely.points([[1, 2], [3, 4]])).tolist()
    return [pa.record_batch([[1, 5], ["a", None], wkb], schema=POINTS.schema)]


def test_starting_and_preparing_twice_changes_nothing(folder: Path, url: str) -> None:
    assert not Cluster.of(folder).start()
    before = state_of(url)
    prepare(url)
    assert state_of(url) == before
    assert before.pgstac
    assert before.features == "revision 1"


@pytest.mark.slow
def test_a_cluster_that_was_killed_is_started_again(folder: Path, url: str) -> None:
    cluster = Cluster.of(folder)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    server = int((cluster.data / "postmaster.pid").read_text().splitlines()[0])
    os.kill(server, signal.SIGKILL)
    until = time.monotonic() + 10
    while cluster.state == "running" and time.monotonic() < until:
        time.sleep(0.05)
    with pytest.raises(DatabaseUnavailable):
        state_of(url)
    assert cluster.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_a_workspace_goes_into_the_database_and_back(
    folder: Path, url: str, tmp_path: Path
) -> None:
    one, other = (Workspace.open(tmp_path / name)[0] for name in ("one", "other"))
    first, second = (GeoPackages(tmp_path / name) for name in ("features", "others"))
    first.put(POINTS, points())
    database = PostgisTables(url)
    with one.catalog() as catalog, other.catalog() as empty:
        catalog.put_collection(COLLECTION)
        catalog.put_items([ITEM])
        moved = load(catalog, first, database, url)
        assert (moved.collections, moved.items, moved.tables, moved.features) == (1, 1, 1, 2)
        assert load_back(catalog, first, database, url).items == 0
        back = load_back(empty, second, database, url)
        assert (back.collections, back.items, back.features) == (1, 1, 2)
        assert empty.item("flood", "flood-1") == catalog.item("flood", "flood-1")
    assert second.table("points") == first.table("points") == database.table("points")
    assert list(second.rows("points")) == list(first.rows("points"))


def test_the_reader_may_read_and_nothing_else(url: str) -> None:
    PostgisTables(url).put(POINTS, points())
    with psycopg.connect(url) as connection:
        connection.execute("SET ROLE thalweg_reader")
        assert connection.execute("SELECT count(*) FROM features.points").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM pgstac.items").fetchone() is not None
        connection.commit()
        for forbidden in (
            "INSERT INTO features.points (fid) VALUES (9)",
            "DROP TABLE features.points",
            "CREATE TABLE features.mine (a int)",
            "SELECT pg_read_file('/etc/hostname')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)
            connection.rollback()
            connection.execute("SET ROLE thalweg_reader")


def test_another_version_of_the_schema_is_named(url: str) -> None:
    check_versions(url)
    with psycopg.connect(url) as connection:
        connection.execute("COMMENT ON SCHEMA features IS 'revision 99'")
    try:
        with pytest.raises(DatabaseOutdated, match="revision 99"):
            check_versions(url)
    finally:
        prepare(url)
    check_versions(url)


def test_what_is_missing_is_said_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(PostgresMissing, match="PostgreSQL 8, which made the cluster"):
        find_binaries("8")
    config = tmp_path / "pg_config"
    config.write_text(f"#!/bin/sh\necho {tmp_path}\n")
    config.chmod(0o755)
    with pytest.raises(PostgresMissing, match="postgis") as raised:
        check_extensions(tmp_path)
    assert "apt-get install" in raised.value.hint


def test_long_paths_have_their_socket_elsewhere(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / ("x" * 120))
    assert len(str(cluster.socket)) < clusters._LONGEST_SOCKET
    assert cluster.socket == Cluster(tmp_path / ("x" * 120)).socket


def test_commands_say_what_to_do(tmp_path: Path) -> None:
    runner = CliRunner()
    status = runner.invoke(app, ["db", "status", "-w", str(tmp_path / "new")])
    assert status.exit_code == 1
    assert "absent" in status.output
    stopped = runner.invoke(app, ["db", "stop", "-w", str(tmp_path / "new")])
    assert stopped.output == "PostgreSQL does not run.\n"
    migrate = runner.invoke(app, ["db", "migrate", "-w", str(tmp_path / "new")])
    assert isinstance(migrate.exception, SettingsError)
    assert "thalweg db up" in migrate.exception.hint


def test_up_prints_the_url_alone(folder: Path, url: str) -> None:
    up = CliRunner().invoke(app, ["db", "up", "-w", str(folder)])
    assert up.stdout == f"{url}\n"
    assert up.stderr == "PostgreSQL runs already.\n"
