from __future__ import annotations

import gzip
import json

import numpy as np
import pyarrow as pa
import pyogrio
import pytest
import shapely
from building_files import (
    feature,
    house,
    open_building,
    read,
    source,
    write_geojson_lines,
    write_open_buildings,
    write_osm_pbf,
    write_parquet,
)

from memory import run_measured
from thalweg.errors import MissingColumn, UnreadableBuildings
from thalweg.exposure.readers.layouts import READERS
from thalweg.exposure.readers.reading import READ, Columns

HOUSES = [house(30.1, -2.1), house(30.2, -2.2), house(30.3, -2.3)]


def geometries(table: pa.Table) -> np.ndarray:
    return shapely.from_wkb(table["geometry"].to_numpy())


def same_places(table: pa.Table, expected: list) -> bool:
    return bool(shapely.equals_exact(geometries(table), expected, 1e-9, normalize=True).all())


def test_open_buildings_are_read_with_lines_and_numbers(tmp_path) -> None:
    rows = [open_building(30.1, -2.1, 0.7, "A"), open_building(30.2, -2.2, 0.9, "B")]
    table = read("wkt-csv", source(write_open_buildings(tmp_path / "19d_buildings.csv.gz", rows)))
    assert table.schema == READ
    assert table["id"].to_pylist() == ["A", "B"]
    assert table["row"].to_pylist() == [2, 3]
    assert table["confidence"].to_pylist() == [0.7, 0.9]
    assert table["area"].to_pylist() == [120.5, 120.5]
    assert table["height"].null_count == 2
    assert same_places(table, HOUSES[:2])


def test_every_bad_line_is_named_and_the_others_keep_their_line(tmp_path) -> None:
    rows = [
        open_building(30.1, -2.1),
        [*open_building(30.1, -2.1)[:4], "POLYGON((30 -2, 30", "C"],
        [*open_building(30.1, -2.1), "one", "too", "many"],
        [*open_building(30.1, -2.1)[:3], "about half", house(30, -2).wkt, "D"],
        ["short"],
        [*open_building(30.1, -2.1)[:4], "", "E"],
        open_building(30.2, -2.2),
    ]
    table = read("wkt-csv", source(write_open_buildings(tmp_path / "a.csv.gz", rows)))
    problems = dict(zip(table["row"].to_pylist(), table["problem"].to_pylist(), strict=True))
    assert problems == {
        2: None,
        3: "bad_geometry_text",
        4: "bad_record",
        5: "bad_number",
        6: "bad_record",
        7: None,
        8: None,
    }
    last = table.filter(pa.array(np.array(table["row"]) == 8))
    assert same_places(last, [HOUSES[1]])


def test_lines_of_broken_records_are_right_over_many_blocks(tmp_path, monkeypatch) -> None:
    from thalweg.exposure.readers import delimited

    monkeypatch.setattr(delimited, "BLOCK_BYTES", 4096)
    rows = [
        ["short"] if number % 7 == 3 else open_building(30, -2, 0.8, f"line {number + 2}")
        for number in range(500)
    ]
    table = read("wkt-csv", source(write_open_buildings(tmp_path / "a.csv.gz", rows)))
    assert sorted(table["row"].to_pylist()) == list(range(2, 502))
    for row, name, problem in zip(
        table["row"].to_pylist(), table["id"].to_pylist(), table["problem"].to_pylist(), strict=True
    ):
        assert (problem == "bad_record") == ((row - 2) % 7 == 3)
        assert problem or name == f"line {row}"


def test_points_are_read_from_csv(tmp_path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("name,lon,lat,storeys\na,30.5,-2.5,3\nb,x,-2.5,3\nc,,,3\nd,nan,1,\n")
    columns = Columns(id="name", longitude="lon", latitude="lat")
    table = read("points-csv", source(path, columns=columns))
    assert table["problem"].to_pylist() == [None, "bad_number", None, None]
    points = geometries(table)
    assert (points[0].x, points[0].y) == (30.5, -2.5)
    assert points[2] is None
    assert np.isnan(points[3].x)


def test_geojson_lines_are_read_as_microsoft_writes_them(tmp_path) -> None:
    lines = [
        feature(HOUSES[0], height=4.5, confidence=-1.0),
        feature(HOUSES[1], height=None, confidence=0.9),
        '{"type":"Feature","properties":{},"geometry":{"type":"Polygon","coordin',
        "",
        feature(HOUSES[2], note='a "height": 99 of text, {brackets}', height=7),
        feature(shapely.Polygon()),
    ]
    table = read("geojson-lines", source(write_geojson_lines(tmp_path / "a.csv.gz", lines)))
    assert table["row"].to_pylist() == [1, 2, 3, 5, 6]
    assert table["height"].to_pylist() == [4.5, None, None, 7, None]
    assert table["confidence"].to_pylist() == [-1, 0.9, None, None, None]
    assert table["problem"].to_pylist() == [None, None, "bad_geometry_text", None, None]
    assert same_places(table.slice(0, 2), HOUSES[:2])


def test_parquet_without_geo_metadata_is_read_as_wkb(tmp_path) -> None:
    path = write_parquet(tmp_path / "part-0.snappy.parquet", HOUSES, meanHeight=[3.5, -1.0, None])
    table = read("geoparquet", source(path, columns=Columns(height="meanHeight")))
    assert same_places(table, HOUSES)
    assert table["height"].to_pylist() == [3.5, -1, None]
    assert table["row"].to_pylist() == [1, 2, 3]


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".shp", ".geojson", ".parquet"])
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32736"])
def test_any_vector_format_and_crs_is_read(tmp_path, suffix: str, crs: str) -> None:
    import geopandas

    if suffix == ".geojson" and crs != "EPSG:4326":
        pytest.skip("GeoJSON is in longitude and latitude")
    path = tmp_path / f"houses{suffix}"
    frame = geopandas.GeoDataFrame(
        {"name": ["a", "b", "c"], "tall": [1, 2, None]}, geometry=HOUSES, crs="EPSG:4326"
    ).to_crs(crs)
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_file(path)
    layout = "geoparquet" if suffix == ".parquet" else "features"
    table = read(layout, source(path, columns=Columns(id="name", height="tall")))
    assert same_order(table) == ["a", "b", "c"]
    ordered = table.sort_by("id")
    assert bool(shapely.equals_exact(geometries(ordered), HOUSES, 1e-8, normalize=True).all())
    assert [None if v is None or np.isnan(v) else v for v in ordered["height"].to_pylist()] == [
        1,
        2,
        None,
    ]


def same_order(table: pa.Table) -> list[str]:
    return sorted(table["id"].to_pylist())


def test_a_layer_of_several_is_chosen_by_name(tmp_path) -> None:
    import geopandas

    path = tmp_path / "two.gpkg"
    geopandas.GeoDataFrame(geometry=HOUSES[:1], crs=4326).to_file(path, layer="one")
    geopandas.GeoDataFrame(geometry=HOUSES, crs=4326).to_file(path, layer="other")
    assert read("features", source(path, layer="other")).num_rows == 3
    with pytest.raises(UnreadableBuildings, match="nowhere"):
        read("features", source(path, layer="nowhere"))


def test_osm_pbf_gives_its_buildings_only(tmp_path) -> None:
    ways = [
        (11, {"building": "yes", "name": "Umudugudu"}, HOUSES[0]),
        (12, {"landuse": "farmland"}, HOUSES[1]),
        (13, {"building": "no"}, HOUSES[1]),
        (14, {"building": "hut"}, HOUSES[2]),
    ]
    table = read("osm", source(write_osm_pbf(tmp_path / "place.osm.pbf", ways)))
    assert table["id"].to_pylist() == ["w11", "w14"]
    assert bool(
        shapely.equals_exact(
            shapely.normalize(shapely.get_parts(geometries(table))),
            shapely.normalize([HOUSES[0], HOUSES[2]]),
            1e-7,
        ).all()
    )


@pytest.mark.parametrize("layout", list(READERS))
def test_a_file_of_another_kind_is_a_named_error(tmp_path, layout: str) -> None:
    path = tmp_path / "junk.osm.pbf"
    path.write_bytes(b"\x00\xff\xfe junk" * 100)
    with pytest.raises((UnreadableBuildings, MissingColumn)) as caught:
        read(layout, source(path))
    assert caught.value.where == "junk.osm.pbf"


@pytest.mark.parametrize("layout", ["wkt-csv", "geojson-lines"])
def test_a_gzip_that_was_cut_short_is_a_named_error(tmp_path, layout: str) -> None:
    whole = write_open_buildings(
        tmp_path / "a.csv.gz", [open_building(30 + i / 1000, -2) for i in range(3000)]
    ).read_bytes()
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableBuildings, match="damaged"):
        read(layout, source(tmp_path / "cut.csv.gz"))


@pytest.mark.parametrize("layout", ["wkt-csv", "points-csv", "geoparquet", "features"])
def test_a_column_that_is_not_there_is_a_named_error(tmp_path, layout: str) -> None:
    if layout.endswith("csv"):
        path = write_open_buildings(tmp_path / "a.csv.gz", [open_building(30, -2)])
    elif layout == "features":
        path = tmp_path / "a.geojson"
        path.write_text(
            json.dumps(
                {"type": "FeatureCollection", "features": [json.loads(feature(HOUSES[0], tall=1))]}
            )
        )
    else:
        path = write_parquet(tmp_path / "a.parquet", HOUSES)
    columns = Columns(height="tallness", longitude="longitude", latitude="latitude")
    columns = columns if layout == "points-csv" else Columns(height="tallness")
    with pytest.raises(MissingColumn, match="tallness"):
        read(layout, source(path, columns=columns))


@pytest.mark.shared
def test_the_merged_sources_are_read_with_their_own_names(shared) -> None:
    path = shared / "vector/geoparquet_buildings/no-geo-metadata.parquet"
    columns = Columns(source="bf_source", confidence="confidence", area="area_in_meters")
    table = read("geoparquet", source(path, columns=columns))
    assert table.num_rows == 1000
    assert set(table["source"].to_pylist()) <= {"osm", "google", "microsoft"}


@pytest.mark.shared
def test_kampalas_footprints_are_read(shared) -> None:
    path = shared / "rwanda/kampala_buildings/kampala_buildings_ms.geojson"
    table = read("features", source(path))
    assert table.num_rows == pyogrio.read_info(path)["features"] == 4840


MEMORY = """
import sys
from thalweg.exposure.readers.layouts import READERS
from thalweg.exposure.readers.reading import SourceFile
path, small = Path(sys.argv[2]), Path(sys.argv[3])
for _ in READERS[sys.argv[1]](SourceFile(small, "a", "a")): pass
before, rows = peak_mb(), 0
for batch in READERS[sys.argv[1]](SourceFile(path, "a", "a")): rows += batch.num_rows
print(rows, peak_mb() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["wkt-csv", "geojson-lines", "geoparquet"])
def test_memory_does_not_grow_with_the_file(tmp_path, layout: str) -> None:
    """Six times the rows that were read before take no more than a few batches besides.

    Arrow reads text ahead: 32 blocks, which were half a gigabyte.
    """
    paths = []
    for times in (1, 6):
        path = tmp_path / f"{times}.gz"
        if layout == "geoparquet":
            write_parquet(path, [shapely.to_wkb(HOUSES[0])] * 100_000 * times)
        else:
            header, line = "", feature(HOUSES[0], height=3)
            if layout == "wkt-csv":
                one = write_open_buildings(tmp_path / "one.gz", [open_building(30, -2)])
                header, line = gzip.decompress(one.read_bytes()).decode().splitlines()
            with gzip.open(path, "wt", compresslevel=1) as file:
                file.write(f"{header}\n" if header else "")
                file.write(f"{line}\n" * 100_000 * times)
        paths.append(str(path))
    rows, grown = map(int, run_measured(MEMORY, layout, paths[1], paths[0]).split())
    assert rows == 600_000
    assert grown < 80
