from __future__ import annotations

import json
from pathlib import Path

import duckdb
import geopandas
import h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from building_files import (
    feature,
    house,
    open_building,
    source,
    write_geojson_lines,
    write_open_buildings,
    write_parquet,
)

from memory import run_measured
from thalweg.domain.tiles import BoundingBox, Tile
from thalweg.errors import NoBuildings
from thalweg.exposure.cleaning import Wanted
from thalweg.exposure.countries import CountryOf
from thalweg.exposure.ellipsoid import area_m2
from thalweg.exposure.normalise import Rules, Source, Summary, normalise
from thalweg.exposure.readers.reading import Columns
from thalweg.exposure.table import read_tile, tiles
from thalweg.hexagons.outlines import Outlines
from thalweg.synth.buildings import BuildingOrder, deliver_buildings

SYNTH = Columns(id="id", height="height", confidence="confidence", area="area_in_meters")


def made(folder: Path, *sources: Source, **rules) -> tuple[pa.Table, pa.Table, Summary]:
    target, report = folder / "out.parquet", folder / "report.parquet"
    summary = normalise(sources, target, report, Rules(**rules), folder)
    assert sum(summary.read.values()) == (
        summary.buildings + summary.dropped.total() + summary.outside
        + summary.unconfident + summary.duplicates
    )  # fmt: skip
    return pq.read_table(target), pq.read_table(report), summary


def of(layout: str, path: Path, *, wanted: Wanted | None = None, **more) -> Source:
    file = source(path, **more)
    return Source(file.source, layout, [(file, wanted or Wanted())])


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("synth")
    deliver_buildings(BuildingOrder("rwanda", 12_000), folder)
    return folder


def test_the_known_answers_come_out(tmp_path, synthetic) -> None:
    table, report, summary = made(
        tmp_path, of("geoparquet", synthetic / "buildings.parquet", columns=SYNTH)
    )
    manifest = json.loads((synthetic / "manifest.json").read_text())
    assert table.num_rows == summary.buildings == manifest["count"] == 12_000
    assert report.num_rows == 0
    assert summary.area_m2 == pytest.approx(manifest["area_m2"], rel=1e-9)
    assert dict(summary.tiles) == {tile: one["count"] for tile, one in manifest["tiles"].items()}
    for tile, one in manifest["tiles"].items():
        here = read_tile(tmp_path / "out.parquet", tile)
        assert here.num_rows == one["count"]
        assert np.sum(here["area_m2"]) == pytest.approx(one["area_m2"], rel=1e-9)
    original = pq.read_table(synthetic / "buildings.parquet").sort_by("id")
    assert table.sort_by("id")["geometry"].to_pylist() == original["geometry"].to_pylist()


def test_rows_are_grouped_by_tile_and_near_each_other(tmp_path, synthetic) -> None:
    table, _, summary = made(
        tmp_path, of("geoparquet", synthetic / "buildings.parquet", columns=SYNTH)
    )
    assert tiles(tmp_path / "out.parquet") == dict(summary.tiles)
    with pq.ParquetFile(tmp_path / "out.parquet") as file:
        for index in range(file.num_row_groups):
            assert len(file.read_row_group(index, ["tile"])["tile"].unique()) == 1
    steps = np.hypot(np.diff(table["longitude"]), np.diff(table["latitude"]))
    assert np.median(steps) < 0.005
    for tile in map(Tile.parse, summary.tiles):
        here = read_tile(tmp_path / "out.parquet", tile.name, ["longitude", "latitude"])
        assert here["longitude"].to_numpy().min() >= tile.west
        assert here["latitude"].to_numpy().max() < tile.south + 1
    assert read_tile(tmp_path / "out.parquet", "n50e010").num_rows == 0


def test_the_cell_is_h3s_own_and_the_country_that_of_the_outlines(tmp_path, synthetic) -> None:
    from thalweg.hexagons.outlines import countries

    outlines = countries("50m")
    table, _, _ = made(
        tmp_path,
        of("geoparquet", synthetic / "buildings.parquet", columns=SYNTH),
        resolution=11,
        outlines=outlines,
    )
    some = table.take(np.arange(0, 12_000, 97))
    places = np.column_stack([some["longitude"], some["latitude"]])
    assert some["cell"].to_pylist() == [
        h3.str_to_int(h3.latlng_to_cell(y, x, 11)) for x, y in places.tolist()
    ]
    everywhere = np.column_stack([table["longitude"], table["latitude"]])
    assert table["country"].to_pylist() == outlines.codes_at(everywhere)
    assert {"RWA", "BDI", "UGA"} < set(table["country"].to_pylist())


def test_countries_of_places_equal_the_outlines_at_their_borders_and_at_sea() -> None:
    areas = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(0.5, 0.5, 1.5, 0.75)]
    outlines = Outlines(("AAA", "BBB", "CCC"), np.array(areas), "test")
    places = np.random.default_rng(0).uniform((-0.5, -0.5), (2.5, 1.5), (5000, 2))
    places = np.concatenate([places, [(1, 0.5), (0, 0), (2, 1), (0.5, 0.5)]])
    assert CountryOf(outlines).codes(*places.T) == outlines.codes_at(places)
    assert CountryOf(outlines).codes(np.empty(0), np.empty(0)) == []


def test_the_file_is_geoparquet_that_others_read(tmp_path, synthetic) -> None:
    made(tmp_path, of("geoparquet", synthetic / "buildings.parquet", columns=SYNTH))
    path = tmp_path / "out.parquet"
    frame = geopandas.read_parquet(path)
    assert frame.crs.equals("OGC:CRS84")
    part = geopandas.read_parquet(path, bbox=(30, -2, 30.2, -1.8))
    expected = frame.cx[30:30.2, -2:-1.8]
    assert len(part) == len(expected) > 0
    geo = json.loads(pq.read_schema(path).metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    column = geo["columns"]["geometry"]
    assert column["geometry_types"] == ["Polygon"]
    assert column["bbox"] == pytest.approx(frame.total_bounds.tolist())
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    counted = duckdb.sql(
        f"SELECT count(*), min(cell)::UBIGINT FROM read_parquet('{path}') WHERE tile = 's02e030'"
    ).fetchall()
    assert counted[0][0] == tiles(path)["s02e030"]


def test_the_same_sources_give_the_same_bytes(tmp_path, synthetic, monkeypatch) -> None:
    from thalweg.exposure import sorting

    one = of("geoparquet", synthetic / "buildings.parquet", columns=SYNTH)
    made(tmp_path, one)
    first = (tmp_path / "out.parquet").read_bytes()
    made(tmp_path, one)
    assert (tmp_path / "out.parquet").read_bytes() == first
    monkeypatch.setattr(sorting.ExternalSort.__init__, "__defaults__", (200_000,))
    made(tmp_path, one)
    assert (tmp_path / "out.parquet").read_bytes() == first


def test_several_sources_of_several_layouts_become_one_table(tmp_path) -> None:
    bounds = BoundingBox(29, -3, 31, -1)
    google = write_open_buildings(
        tmp_path / "19d_buildings.csv.gz",
        [
            open_building(30.1, -2.1, 0.9, "G1"),
            open_building(30.2, -2.2, 0.6, "G2"),
            open_building(35.2, -2.2, 0.9, "G3"),
            [*open_building(30.1, -2.1)[:4], "POLYGON((", "G4"],
            open_building(30.3, -2.3, 1.5, "G5"),
        ],
    )
    microsoft = write_geojson_lines(
        tmp_path / "part.csv.gz",
        [
            feature(house(30.1, -2.1), height=5, confidence=-1),
            feature(house(30.4, -2.4), height=-1),
        ],
    )
    table, report, summary = made(
        tmp_path,
        of("wkt-csv", google, name="google", wanted=Wanted(bounds, confidence=0.65)),
        of("geojson-lines", microsoft, name="microsoft", wanted=Wanted(bounds, unknown=-1)),
        keep="first",
    )
    assert sorted(table["id"].to_pylist()) == ["G1", "part.csv.gz#2"]
    assert dict(summary.sources) == {"google": 1, "microsoft": 1}
    assert (summary.outside, summary.unconfident, summary.duplicates) == (1, 1, 1)
    assert report.to_pylist() == [
        {"source": "google", "file": "19d_buildings.csv.gz", "row": row, "id": name,
         "reason": reason, "kept": False}
        for row, name, reason in [
            (5, "G4", "bad_geometry_text"), (6, "G5", "confidence_out_of_range")]
    ]  # fmt: skip
    everything, _, _ = made(
        tmp_path,
        of("wkt-csv", google, name="google"),
        of("geojson-lines", microsoft, name="microsoft", wanted=Wanted(unknown=-1)),
    )
    assert everything.num_rows == 5


def test_a_table_of_nothing_is_refused_and_says_why(tmp_path) -> None:
    path = write_parquet(tmp_path / "in.parquet", [house(0, 0), None])
    wanted = Wanted(BoundingBox(29, -3, 31, -1))
    with pytest.raises(NoBuildings, match=r"1 outside, .* 1 no_geometry"):
        made(tmp_path, of("geoparquet", path, wanted=wanted))
    assert pq.read_table(tmp_path / "report.parquet")["row"].to_pylist() == [2]


def garbage(
    count: int, random: np.random.Generator
) -> list[tuple[bytes | None, float, str | None]]:
    """(geometry, confidence, reason) of rows, one in twelve of them wrong."""
    rows = []
    for _ in range(count):
        lon, lat = random.uniform((29, -3), (31, -1))
        kind = random.integers(0, 60)
        geometry = shapely.to_wkb(house(lon, lat))
        match kind:
            case 0:
                rows.append((geometry[:30], 0.9, "damaged_geometry"))
            case 1:
                rows.append(
                    (shapely.to_wkb(shapely.Point(np.nan, lat)), 0.9, "coordinate_not_finite")
                )
            case 2:
                rows.append((shapely.to_wkb(house(lat, lon)), 0.9, "coordinates_swapped"))
            case 3:
                rows.append((geometry, 1.5, "confidence_out_of_range"))
            case 4:
                rows.append((None, 0.9, "no_geometry"))
            case _:
                rows.append((geometry, 0.9, None))
    return rows


def test_garbage_is_reported_by_row_and_reason_and_the_rest_is_right(tmp_path) -> None:
    rows = garbage(6_000, np.random.default_rng(5))
    path = write_parquet(
        tmp_path / "in.parquet", [row[0] for row in rows], confidence=[row[1] for row in rows]
    )
    columns = Columns(confidence="confidence")
    wanted = Wanted(BoundingBox(29, -3, 31, -1))
    table, report, summary = made(tmp_path, of("geoparquet", path, columns=columns, wanted=wanted))
    expected = {place + 1: row[2] for place, row in enumerate(rows) if row[2]}
    assert len(expected) > 300
    told = dict(zip(report["row"].to_pylist(), report["reason"].to_pylist(), strict=True))
    assert told == expected
    assert summary.dropped.total() == len(expected)
    sound = sorted(row[0] for row in rows if not row[2])
    assert sorted(table["geometry"].to_pylist()) == sound


NORMALISE = """
import json, sys
from thalweg.exposure.cleaning import Wanted
from thalweg.exposure.normalise import Rules, Source, normalise
from thalweg.exposure.readers.reading import Columns, SourceFile
from thalweg.hexagons.outlines import countries
folder = Path(sys.argv[1])
file = SourceFile(folder / "in.parquet", "a", "a", Columns(confidence="confidence"))
summary = normalise(
    [Source("a", "geoparquet", [(file, Wanted())])],
    folder / "out.parquet", folder / "report.parquet", Rules(outlines=countries()), folder,
)
print(json.dumps({**summary.to_json(), "peak": peak_mb()}))
"""


@pytest.mark.slow
def test_a_thousand_rows_of_garbage_in_a_million_are_named_within_a_gigabyte(tmp_path) -> None:
    manifest = deliver_buildings(BuildingOrder("rwanda", 1_000_000), tmp_path / "synth")
    table = pq.read_table(tmp_path / "synth/buildings.parquet", columns=["geometry", "confidence"])
    geometries = table["geometry"].to_numpy().copy()
    confidence = table["confidence"].to_numpy().copy()
    bad = np.random.default_rng(7).choice(1_000_000, 1000, replace=False)
    kinds = np.array_split(bad, 4)
    lost = area_m2(shapely.from_wkb(geometries[bad])).sum()
    geometries[kinds[0]] = b"\x01\x03\x00"
    geometries[kinds[1]] = shapely.to_wkb(shapely.Point(np.nan, np.nan))
    geometries[kinds[2]] = shapely.to_wkb(house(-2, 130))
    confidence[kinds[3]] = 1.5
    columns = {"geometry": pa.array(geometries, pa.binary()), "confidence": confidence}
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    told = json.loads(run_measured(NORMALISE, tmp_path))
    assert told["peak"] < 1000
    assert told["buildings"] == 999_000
    assert told["area_m2"] == pytest.approx(manifest["area_m2"] - lost, rel=1e-9)
    assert set(told["dropped"].values()) == {250}
    report = pq.read_table(tmp_path / "report.parquet")
    assert sorted(report["row"].to_pylist()) == sorted((bad + 1).tolist())


@pytest.mark.shared
def test_kampala_is_normalised(tmp_path, shared) -> None:
    path = shared / "rwanda/kampala_buildings/kampala_buildings_ms.geojson"
    table, _, summary = made(tmp_path, of("features", path))
    assert summary.buildings + summary.dropped.total() == 4840
    frame = geopandas.read_file(path).to_crs("EPSG:32636")
    assert summary.area_m2 == pytest.approx(frame.area.sum(), rel=2e-3)
    assert set(table["tile"].to_pylist()) == {"n00e032"}


@pytest.mark.shared
def test_rwandas_facilities_are_normalised_with_their_faults_named(tmp_path, shared) -> None:
    import pyogrio

    path = shared / "rwanda/facilities/wasac-rwasom-2-data-revised.gpkg"
    for layer, kind in pyogrio.list_layers(path):
        if kind and "Polygon" in kind:
            table, _, summary = made(tmp_path, of("features", path, layer=layer))
            assert summary.read.total() == pyogrio.read_info(path, layer=layer)["features"]
            assert shapely.is_valid(shapely.from_wkb(table["geometry"].to_numpy())).all()
            frame = geopandas.read_file(path, layer=layer)
            absent = frame.geometry.isna() | frame.geometry.is_empty
            assert summary.dropped.total() == absent.sum()
            assert summary.mended.total() == (~frame.geometry[~absent].is_valid).sum()
