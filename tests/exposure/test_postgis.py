from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
import pytest
import shapely
from building_files import house, source, write_parquet

from postgres_server import postgres
from thalweg.errors import DatabaseError, DatabaseUnavailable
from thalweg.exposure.cleaning import Wanted
from thalweg.exposure.normalise import Rules, Source, normalise
from thalweg.exposure.postgis import copy_buildings
from thalweg.exposure.readers.reading import Columns


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres() as url:
        yield url


def made(folder: Path, count: int) -> Path:
    geometries = [house(29 + i * 0.01, -2) for i in range(count - 1)]
    geometries.append(shapely.Point(30, -1.5))
    ids = [*(f'b "{i}", or so' for i in range(count - 1)), ""]
    path = write_parquet(folder / "in.parquet", geometries, name=ids, tall=[3.5] * count)
    file = source(path, columns=Columns(id="name", height="tall"))
    one = Source("test", "geoparquet", [(file, Wanted())])
    normalise([one], folder / "out.parquet", folder / "report.parquet", Rules(), folder)
    return folder / "out.parquet"


def rows(url: str, query: str) -> list[tuple]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_every_value_arrives(database: str, tmp_path: Path) -> None:
    path = made(tmp_path, 40)
    assert copy_buildings(path, database, "homes", "f1") == 40
    names = "id, longitude, latitude, area_m2, height_m, confidence, source, cell, country, tile"
    found = rows(database, f"SELECT {names}, ST_AsBinary(geometry, 'NDR') FROM geo.homes")
    table = pq.read_table(path, columns=[*names.split(", "), "geometry"])
    assert sorted(found) == sorted(tuple(row.values()) for row in table.to_pylist())
    assert rows(database, "SELECT DISTINCT ST_SRID(geometry) FROM geo.homes") == [(4326,)]
    (areas,) = rows(
        database,
        "SELECT sum(ST_Area(geometry::geography)), sum(area_m2) FROM geo.homes",
    )
    assert areas[0] == pytest.approx(areas[1], rel=1e-5)
    indexes = rows(database, "SELECT indexdef FROM pg_indexes WHERE tablename = 'homes'")
    assert any("USING gist (geometry)" in one for (one,) in indexes)
    assert any("(cell)" in one for (one,) in indexes)


def test_a_table_is_replaced_as_a_whole_and_only_by_another(database, tmp_path) -> None:
    first, second = made(tmp_path, 10), made(tmp_path / "b", 20)
    copy_buildings(first, database, "towns", "f1")
    assert copy_buildings(first, database, "towns", "f1") is None
    assert copy_buildings(second, database, "towns", "f2") == 20
    assert rows(database, "SELECT count(*) FROM geo.towns") == [(20,)]
    assert copy_buildings(first, database, "towns", "f3") == 10
    tables = rows(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'geo'")
    assert ("towns (new)",) not in tables


def test_a_load_that_fails_leaves_the_earlier_table(database, tmp_path) -> None:
    path = made(tmp_path, 10)
    copy_buildings(path, database, "kept", "f1")
    table = pq.read_table(path)
    place = table.schema.get_field_index("id")
    pq.write_table(table.set_column(place, "id", [[None] * 10]), tmp_path / "bad.parquet")
    with pytest.raises(DatabaseError, match="null value"):
        copy_buildings(tmp_path / "bad.parquet", database, "kept", "f2")
    assert rows(database, "SELECT count(*) FROM geo.kept") == [(10,)]


def test_a_name_is_a_name_whatever_it_holds(database, tmp_path) -> None:
    copy_buildings(made(tmp_path, 5), database, 'odd-"name"', "f1")
    assert rows(database, 'SELECT count(*) FROM geo."odd-""name"""') == [(5,)]


def test_a_database_that_is_not_there_is_a_named_error(tmp_path) -> None:
    path = made(tmp_path, 3)
    with pytest.raises(DatabaseUnavailable) as caught:
        copy_buildings(path, "postgresql://u:secret@127.0.0.1:9/x", "homes", "f1")
    assert "secret" not in str(caught.value)
    assert caught.value.transient


def test_the_step_copies_its_table_where_a_database_is_set(database, tmp_path, monkeypatch) -> None:
    from thalweg.pipelines.choice import choose
    from thalweg.pipelines.loader import parse
    from thalweg.pipelines.runner import rehearse, run_task
    from thalweg.pipelines.workspace import Workspace

    write_parquet(tmp_path / "bronze/in.parquet", [house(30, -2), house(30.1, -2)])
    pipeline, choice = choose(
        parse(
            "{name: huts, title: Huts, description: Huts., steps: [{operator: buildings, "
            "countries: false, sources: [{name: a, files: in.parquet, layout: geoparquet}]}]}",
            "huts.yaml",
        ),
        [],
    )
    monkeypatch.setenv("THALWEG_DATABASE_URL", database)
    workspace, _ = Workspace.open(tmp_path / "workspace", source=str(tmp_path / "bronze"))
    (plan,) = rehearse(pipeline, choice, workspace)
    (task,) = plan.all_tasks()
    for _ in range(2):  # a task may be done twice
        run_task({**task.payload, "workspace": workspace.to_json(), "run": "test"})
    assert rows(database, "SELECT count(*) FROM geo.huts") == [(2,)]
