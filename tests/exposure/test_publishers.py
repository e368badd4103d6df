from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from building_files import (
    feature,
    house,
    open_building,
    read,
    source,
    write_geojson_lines,
    write_open_buildings,
    write_parquet,
)
from hypothesis import given
from hypothesis import strategies as st
from publisher_server import Publisher, serve
from typer.testing import CliRunner

from thalweg.cli.buildings import app
from thalweg.domain.tiles import BoundingBox
from thalweg.errors import (
    ObjectNotFound,
    PublisherUnavailable,
    SettingsError,
    ThalwegError,
    UnexpectedAnswer,
    UsageError,
)
from thalweg.exposure.publishers.fetching import fetch, read_json
from thalweg.exposure.publishers.links import linked_files
from thalweg.exposure.publishers.partitions import find_partitions, partition_files
from thalweg.exposure.publishers.quadkeys import quadkey, quadkeys_of, restored
from thalweg.exposure.publishers.s2_tiles import tile_files
from thalweg.exposure.readers.reading import Columns
from thalweg.settings import BuildingSettings

RWANDA = [
    "300101003",
    "300101012",
    "300101013",
    "300101021",
    "300101023",
    "300101030",
    "300101031",
    "300101032",
    "300101033",
    "300101201",
    "300101210",
    "300101211",
]


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher()
    server = serve(publisher)
    yield publisher
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(publisher: Publisher) -> BuildingSettings:
    return BuildingSettings(
        stac=f"{publisher.url}/stac",
        tokens=f"{publisher.url}/token",
        blobs=f"{publisher.url}/blobs",
        links=f"{publisher.url}/global-buildings/dataset-links.csv",
        tiles=f"{publisher.url}/v3",
    )


def parquet(folder: Path, lon: float, lat: float) -> bytes:
    path = write_parquet(folder / "part.parquet", [house(lon, lat)], meanHeight=[-1.0])
    return path.read_bytes()


# Partitions ------------------------------------------------------------------------------------


@pytest.fixture
def partitions(publisher: Publisher, tmp_path: Path) -> Publisher:
    old, new = "2023-04-25", "2025-01-01"
    part = parquet(tmp_path / "made", 30.1, -2.1)
    publisher.add_partition("Rwanda", 300101003, old, {"part-0.snappy.parquet": b"old"})
    publisher.add_partition("Rwanda", 300101003, new, {"part-0.snappy.parquet": part})
    publisher.add_partition("Rwanda", 300101012, new, {"a.parquet": part, "b.parquet": part})
    publisher.add_partition("Rwanda", 300101013, new, {"_SUCCESS": b"", "c.parquet": part})
    publisher.add_partition("Greenland", 3001010, new, {"d.parquet": part})
    return publisher


def test_partitions_are_found_signed_and_fetched(partitions, settings, tmp_path) -> None:
    found = find_partitions(settings, region="Rwanda")
    assert [one.quadkey for one in found] == ["300101003", "300101012", "300101013"]
    assert {one.processed for one in found} == {"2025-01-01"}
    done = fetch(partition_files(settings, found), tmp_path / "out")
    assert sorted(one.key for one in done) == [
        "RegionName=Rwanda/quadkey=300101003/part-0.snappy.parquet",
        "RegionName=Rwanda/quadkey=300101012/a.parquet",
        "RegionName=Rwanda/quadkey=300101012/b.parquet",
        "RegionName=Rwanda/quadkey=300101013/c.parquet",
    ]
    for one in done:
        table = read(
            "geoparquet", source(tmp_path / "out" / one.key, columns=Columns(height="meanHeight"))
        )
        assert table["height"].to_pylist() == [-1]


def test_quadkeys_get_their_leading_zeros_back(partitions, settings, tmp_path) -> None:
    (found,) = find_partitions(settings, quadkeys=frozenset(["003001010"]))
    assert found.quadkey == "003001010"
    (done,) = fetch(partition_files(settings, [found]), tmp_path)
    assert done.key == "RegionName=Greenland/quadkey=003001010/d.parquet"


def test_one_token_is_asked_for_a_container(partitions, settings, tmp_path) -> None:
    fetch(partition_files(settings, find_partitions(settings, region="Rwanda")), tmp_path)
    assert partitions.gets.count("/token/bingmlbuildings/footprints") == 1


def test_what_is_here_is_not_fetched_again_and_what_changed_is(partitions, settings, tmp_path):
    def fetched():
        found = find_partitions(settings, quadkeys=frozenset(["300101013"]))
        return [one.again for one in fetch(partition_files(settings, found), tmp_path)]

    assert fetched() == [False]
    assert fetched() == [True]
    name = next(name for name in partitions.blobs if name.endswith("c.parquet"))
    partitions.blobs[name] += b"more"
    assert fetched() == [False]


def test_no_partition_is_a_named_error(partitions, settings) -> None:
    with pytest.raises(ObjectNotFound, match="no partition"):
        find_partitions(settings, region="Ruritania")


def test_a_store_that_refuses_is_a_named_error_without_the_signature(
    partitions, settings, tmp_path, monkeypatch
) -> None:
    import publisher_server

    monkeypatch.setattr(publisher_server, "TOKEN", "sv=2024&sig=wrong")
    with pytest.raises(ThalwegError) as caught:
        fetch(partition_files(settings, find_partitions(settings)), tmp_path)
    assert "wrong" not in str(caught.value)
    assert "403" in str(caught.value)


# Links -----------------------------------------------------------------------------------------


@pytest.fixture
def links(publisher: Publisher, tmp_path: Path) -> Publisher:
    lines = write_geojson_lines(tmp_path / "x.gz", [feature(house(30.1, -2.1), height=-1.0)])
    rows = [("Rwanda", "300101003"), ("Rwanda", "300101012"), ("Greenland", "3001010")]
    table = ["Location,QuadKey,Url,Size,UploadDate"]
    for region, key in rows:
        path = f"/global-buildings.geojsonl/RegionName={region}/quadkey={key}/part-7.csv.gz"
        publisher.files[path] = lines.read_bytes()
        table.append(f"{region},{key},{publisher.url}{path},1KB,2025-01-01")
    publisher.files["/global-buildings/dataset-links.csv"] = "\n".join(table).encode()
    return publisher


def test_linked_files_are_chosen_and_fetched(links, settings, tmp_path) -> None:
    done = fetch(linked_files(settings, region="Rwanda"), tmp_path)
    assert [one.key for one in done] == [
        "RegionName=Rwanda/quadkey=300101003/part-7.csv.gz",
        "RegionName=Rwanda/quadkey=300101012/part-7.csv.gz",
    ]
    assert read("geojson-lines", source(tmp_path / done[0].key)).num_rows == 1
    (far,) = linked_files(settings, quadkeys=frozenset(["003001010"]))
    assert far.key.startswith("RegionName=Greenland/quadkey=003001010/")
    place = next(iter(quadkeys_of(BoundingBox(30.1, -2.1, 30.1, -2.1))))
    chosen = linked_files(settings, bounds=BoundingBox(28.8, -2.9, 30.95, -1.0))
    assert place in RWANDA
    assert {one.key.split("=")[2][:9] for one in chosen} <= set(RWANDA)


@pytest.mark.parametrize("table", [b"Country,Where\n", b""])
def test_another_table_of_links_is_a_named_error(links, settings, table: bytes) -> None:
    links.files["/global-buildings/dataset-links.csv"] = table
    with pytest.raises(UnexpectedAnswer, match="Location"):
        linked_files(settings, region="Rwanda")


# Tiles -----------------------------------------------------------------------------------------


def test_tiles_and_their_thresholds_are_fetched(publisher, settings, tmp_path) -> None:
    made = write_open_buildings(tmp_path / "x.gz", [open_building(30, -2)])
    publisher.files["/v3/polygons_s2_level_4_gzip/19d_buildings.csv.gz"] = made.read_bytes()
    publisher.files["/v3/score_thresholds_s2_level_4.csv"] = b"s2_token\n19d\n"
    done = fetch(tile_files(settings, ["19d"]), tmp_path / "out")
    assert [one.key for one in done] == [
        "score_thresholds_s2_level_4.csv",
        "19d_buildings.csv.gz",
    ]
    assert read("wkt-csv", source(tmp_path / "out/19d_buildings.csv.gz")).num_rows == 1
    with pytest.raises(ObjectNotFound):
        fetch(tile_files(settings, ["1a3"]), tmp_path / "out")
    assert not (tmp_path / "out/1a3_buildings.csv.gz").exists()
    with pytest.raises(UsageError):
        tile_files(settings, ["../19d"])


# Quadkeys and addresses ------------------------------------------------------------------------


def test_rwandas_quadkeys_are_those_that_its_box_touches() -> None:
    assert set(RWANDA) <= quadkeys_of(BoundingBox(28.86, -2.84, 30.9, -1.05))
    assert quadkey(30.06, -1.95) in RWANDA


@given(st.floats(-180, 180), st.floats(-90, 90), st.integers(1, 20))
def test_a_quadkey_keeps_its_zeros_and_names_the_square_of_a_place(lon, lat, level) -> None:
    key = quadkey(lon, lat, level)
    assert restored(int(key), level) == key
    assert quadkeys_of(BoundingBox(lon, lat, lon, lat), level) == {key}
    assert quadkey(lon, lat, level + 1)[:-1] == key


def test_a_box_over_the_antimeridian_has_both_sides() -> None:
    keys = quadkeys_of(BoundingBox(179.9, -18, -179.9, -17))
    assert {quadkey(179.95, -17.5), quadkey(-179.95, -17.5)} <= keys
    assert len(keys) < 10


@pytest.mark.parametrize("text", ["300101004", "3001010031", "abc", "-1"])
def test_what_is_no_quadkey_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no quadkey"):
        restored(text)


def test_answers_that_are_no_answer_are_named_errors(publisher) -> None:
    publisher.files["/text"] = b"<html>"
    with pytest.raises(UnexpectedAnswer, match="not JSON"):
        read_json(f"{publisher.url}/text")
    with pytest.raises(UnexpectedAnswer, match="404"):
        read_json(f"{publisher.url}/none")
    with pytest.raises(PublisherUnavailable):
        read_json("http://127.0.0.1:9/none")
    with pytest.raises(SettingsError):
        read_json("file:///etc/passwd")


# The command -----------------------------------------------------------------------------------


def test_the_command_fetches_by_the_settings(partitions, settings, tmp_path, monkeypatch) -> None:
    for name in ("stac", "tokens", "blobs"):
        monkeypatch.setenv(f"THALWEG_BUILDINGS__{name.upper()}", getattr(settings, name))
    arguments = ["fetch", "partitions", "--quadkey", "3001010", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*arguments, "-w", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "1 files with" in result.output
    again = CliRunner().invoke(app, [*arguments, "-w", str(tmp_path)])
    assert "0 files with 0 bytes fetched" in again.output
    assert "1 here already" in again.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["partitions"],
        ["links", "--tile", "19d", "--region", "Rwanda"],
        ["tiles"],
        ["tiles", "--tile", "19d", "--region", "Rwanda"],
        ["links", "--quadkey", "9"],
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(tmp_path, arguments) -> None:
    result = CliRunner().invoke(app, ["fetch", *arguments, "--out", str(tmp_path)])
    assert type(result.exception) is UsageError
