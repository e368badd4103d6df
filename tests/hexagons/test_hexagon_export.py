from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb
import geopandas
import geoparquet_validator
import h3.api.numpy_int as h3
import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from hexagon_tables import flood_series, statistics

from thalweg.domain.tiles import BoundingBox
from thalweg.errors import NothingSelected, UnknownFormat
from thalweg.hexagons import export as module
from thalweg.hexagons import selection
from thalweg.hexagons.export import FORMATS, Shape, export
from thalweg.hexagons.places import box, seed
from thalweg.hexagons.selection import Form, Selection
from thalweg.hexagons.tables import find_tables, partition, series_table, write_table

CELLS = seed(box(BoundingBox(29, -3, 31, -1)), 5).cells
LATER = "flood_fluvial_2050_ssp245"


def opened(path: Path) -> geopandas.GeoDataFrame:
    return geopandas.read_parquet(path) if path.suffix == ".parquet" else geopandas.read_file(path)


@pytest.mark.parametrize("suffix", [one for one in FORMATS if one != ".csv"])
@pytest.mark.parametrize("form", ["wide", "long"])
@pytest.mark.parametrize("shape", ["polygon", "centroid"])
def test_every_format_opens_in_geopandas_with_the_same_numbers(
    tables: Path, tmp_path: Path, suffix: str, form: Form, shape: Shape
) -> None:
    path = tmp_path / f"out{suffix}"
    written = export(find_tables(tables), path, Selection(5), form=form, shape=shape)
    found = opened(path)
    with selection.selected(find_tables(tables), Selection(5), form) as reader:
        expected = reader.read_all().to_pandas()
    assert written == len(found) == len(expected)
    assert found.crs.to_epsg() == 4326 or found.crs.to_string() == "OGC:CRS84"
    order = ["h3", "series"] + (["layer"] if form == "long" else [])
    found, expected = (one.sort_values(order, ignore_index=True) for one in (found, expected))
    for name in expected.columns:
        if name != "cell" or suffix != ".geojson":
            np.testing.assert_array_equal(
                found[name].to_numpy(dtype=object, na_value=None),
                expected[name].to_numpy(dtype=object, na_value=None),
                err_msg=name,
            )
    places = found.geometry.to_numpy()
    centres = shapely.get_coordinates(shapely.centroid(places))
    cells = [h3.latlng_to_cell(lat, lon, 5) for lon, lat in centres.tolist()]
    assert [h3.int_to_str(cell) for cell in cells] == found["h3"].tolist()


class TestGeoParquet:
    @pytest.fixture
    def path(self, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(selection, "ROWS_AT_ONCE", 500)
        monkeypatch.setattr(module, "ROWS_AT_ONCE", 500)
        path = tmp_path / "out.parquet"
        export(find_tables(tables), path, Selection(6), form="long")
        return path

    def test_its_metadata_tells_type_box_and_covering(self, path: Path) -> None:
        geo = json.loads(pq.read_metadata(path).metadata[b"geo"])
        assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
        column = geo["columns"]["geometry"]
        assert column["encoding"] == "WKB"
        assert column["geometry_types"] == ["Polygon"]
        assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
        geometries = opened(path).geometry
        assert column["bbox"] == pytest.approx(list(geometries.total_bounds))
        rings = shapely.get_exterior_ring(geometries.to_numpy())
        assert column["orientation"] == "counterclockwise"
        assert shapely.is_ccw(rings).all()

    @pytest.mark.parametrize("form", ["wide", "long"])
    @pytest.mark.parametrize("shape", ["polygon", "centroid"])
    def test_a_validator_finds_no_fault(
        self, tables: Path, tmp_path: Path, form: Form, shape: Shape
    ) -> None:
        export(find_tables(tables), tmp_path / "a.parquet", Selection(6), form=form, shape=shape)
        report = geoparquet_validator.check(str(tmp_path / "a.parquet"))
        assert geoparquet_validator.failed(report) == [], report
        passed = {one["id"] for one in report["outcomes"] if one["status"] == "pass"}
        assert {"/conf/core/bbox-extent", "/conf/covering/bbox-paths"} <= passed, report

    def test_the_validator_finds_a_fault_where_there_is_one(
        self, path: Path, tmp_path: Path
    ) -> None:
        geo = json.loads(pq.read_metadata(path).metadata[b"geo"])
        geo["columns"]["geometry"]["bbox"] = [0, 0, 1, 1]
        wrong = pq.read_table(path).replace_schema_metadata({"geo": json.dumps(geo)})
        pq.write_table(wrong, tmp_path / "wrong.parquet")
        report = geoparquet_validator.check(str(tmp_path / "wrong.parquet"))
        assert geoparquet_validator.failed(report) == ["/conf/core/bbox-extent"]

    @pytest.mark.shared
    def test_its_metadata_follows_the_official_schema(self, path: Path, shared: Path) -> None:
        """The schema at hand is that of the draft of 2.0, which 1.1 differs from in its version."""
        schema = json.loads((shared / "vector" / "geoparquet" / "schema.json").read_text())
        schema["properties"]["version"]["const"] = "1.1.0"
        jsonschema.validate(json.loads(pq.read_metadata(path).metadata[b"geo"]), schema)

    def test_the_covering_is_that_of_each_row_and_row_groups_are_compact(self, path: Path) -> None:
        with duckdb.connect() as connection:
            sides = connection.sql(f"SELECT unnest(bbox) FROM '{path}'").fetchall()
        bounds = shapely.bounds(opened(path).geometry.to_numpy())
        np.testing.assert_allclose(np.array(sides), bounds)
        file = pq.ParquetFile(path)
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        assert {group.num_rows for group in groups[:-1]} == {500}
        columns = {groups[0].column(i).path_in_schema: i for i in range(groups[0].num_columns)}
        widths = [
            group.column(columns["bbox.xmax"]).statistics.max
            - group.column(columns["bbox.xmin"]).statistics.min
            for group in groups
        ]
        assert np.median(widths) < 1
        assert groups[0].column(0).compression == "ZSTD"

    def test_duckdb_filters_by_the_box(self, path: Path) -> None:
        with duckdb.connect() as connection:
            query = f"SELECT count(DISTINCT cell) FROM '{path}' WHERE bbox.xmax < 29.5"
            (found,) = connection.sql(query).fetchall()[0]
        assert 0 < found < len(seed(box(BoundingBox(29, -3, 31, -1)), 6).cells)

    def test_the_same_rows_give_the_same_bytes(self, tables: Path, tmp_path: Path) -> None:
        for name in ("a.parquet", "b.parquet"):
            export(find_tables(tables), tmp_path / name, Selection(5))
        assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
class TestLonboard:
    """What lonboard draws: outlines from GeoParquet, and cells by either id."""

    @pytest.fixture
    def path(self, tables: Path, tmp_path: Path) -> Path:
        export(find_tables(tables), tmp_path / "out.parquet", Selection(5, (f"{LATER}_1in100",)))
        return tmp_path / "out.parquet"

    def test_it_draws_the_outlines(self, path: Path) -> None:
        from lonboard import Map, PolygonLayer

        layer = PolygonLayer.from_geopandas(opened(path)[["h3", "mean_1in100", "geometry"]])
        assert layer.table.num_rows == len(CELLS)
        assert Map(layer).to_html()

    @pytest.mark.parametrize("name", ["h3", "cell"])
    def test_it_draws_cells_by_either_id(self, path: Path, name: str) -> None:
        from lonboard import H3HexagonLayer, Map

        rows = opened(path).drop(columns="geometry")
        layer = H3HexagonLayer.from_pandas(rows[["mean_1in100"]], get_hexagon=rows[name])
        assert layer.table.num_rows == len(CELLS)
        assert Map(layer).to_html()


class TestAntimeridian:
    @pytest.mark.parametrize("suffix", [".parquet", ".geojson", ".fgb", ".gpkg"])
    def test_cells_over_it_are_cut_in_every_format(self, tmp_path: Path, suffix: str) -> None:
        cells = seed(box(BoundingBox(178, -18, -178, -16)), 4).cells
        series = flood_series("2020", "none")
        path = tmp_path / partition(series, 4) / "one.parquet"
        path.parent.mkdir(parents=True)
        write_table(series_table(series, cells, statistics(len(cells), 3)), path)
        export([path], tmp_path / f"fiji{suffix}", Selection(4))
        found = opened(tmp_path / f"fiji{suffix}")
        assert set(found.geom_type) == {"Polygon", "MultiPolygon"}
        for one in found.geometry:
            assert all(part.bounds[2] - part.bounds[0] < 2 for part in shapely.get_parts(one))


class TestCsv:
    def test_centres_are_two_columns(self, tables: Path, tmp_path: Path) -> None:
        path = tmp_path / "out.csv"
        export(
            find_tables(tables),
            path,
            Selection(5, (f"{LATER}_1in100",)),
            form="long",
            shape="centroid",
        )
        with path.open(newline="") as file:
            found = list(csv.DictReader(file))
        assert len(found) == len(CELLS)
        first = found[0]
        assert int(first["cell"]) == int(first["h3"], 16) == CELLS[0]
        assert first["mean"] == ""
        lat, lon = float(first["latitude"]), float(first["longitude"])
        assert h3.latlng_to_cell(lat, lon, 5) == CELLS[0]

    def test_outlines_are_wkt(self, tables: Path, tmp_path: Path) -> None:
        export(find_tables(tables), tmp_path / "out.csv", Selection(5))
        with (tmp_path / "out.csv").open(newline="") as file:
            first = next(csv.DictReader(file))
        assert shapely.from_wkt(first["geometry"]).is_valid


class TestNamesAndFiles:
    @pytest.mark.parametrize("suffix", FORMATS)
    def test_long_names_are_never_cut(self, tmp_path: Path, suffix: str) -> None:
        label = "1in100_" + "x" * 80
        series = flood_series("2020", "none", labels=(label,), periods=())
        path = tmp_path / partition(series, 5) / "one.parquet"
        path.parent.mkdir(parents=True)
        write_table(series_table(series, CELLS, statistics(len(CELLS), 1)), path)
        export([path], tmp_path / f"out{suffix}", Selection(5))
        if suffix == ".csv":
            names = (tmp_path / "out.csv").read_text().splitlines()[0].replace('"', "").split(",")
        else:
            names = list(opened(tmp_path / f"out{suffix}").columns)
        assert {f"mean_{label}", f"valid_{label}", f"wet_share_{label}"} <= set(names)

    def test_an_unknown_format_is_refused(self, tables: Path, tmp_path: Path) -> None:
        with pytest.raises(UnknownFormat) as error:
            export(find_tables(tables), tmp_path / "out.shp", Selection(5))
        assert ".gpkg" in error.value.hint

    def test_an_earlier_file_is_replaced_and_kept_where_it_fails(
        self, tables: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "out.gpkg"
        export(find_tables(tables), path, Selection(6))
        export(find_tables(tables), path, Selection(5))
        assert len(opened(path)) == 3 * len(CELLS)
        before = path.read_bytes()
        with pytest.raises(NothingSelected):
            export(find_tables(tables), path, Selection(5, countries=("FJI",)))
        assert path.read_bytes() == before
        assert [one.name for one in tmp_path.iterdir() if one.name[0] != "."] == ["out.gpkg"]
