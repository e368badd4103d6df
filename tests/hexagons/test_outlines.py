from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import geopandas
import h3.api.numpy_int as h3
import numpy as np
import pytest
import shapely

from thalweg.errors import MissingColumn, OutlinesMissing, UnknownPlace, UnreadableOutlines
from thalweg.hexagons import outlines
from thalweg.hexagons.bounds import MOST_CELLS
from thalweg.hexagons.cells import cell_centres
from thalweg.hexagons.outlines import Outlines, cell_codes, countries, read_outlines
from thalweg.hexagons.sphere import area_km2

SQUARES = geopandas.GeoDataFrame(
    {"code": ["A", "B", None], "name": ["a", "b", "c"]},
    geometry=[
        shapely.box(29, -2, 30, -1),
        shapely.box(30, -2, 31, -1),
        shapely.box(31, -2, 32, -1),
    ],
    crs="EPSG:4326",
)


@pytest.fixture
def squares() -> Outlines:
    return Outlines(("A", "B", None), SQUARES.geometry.to_numpy(), "squares")


class TestCodes:
    def test_an_area_is_found_by_its_code_in_either_case(self, squares: Outlines) -> None:
        assert squares.of("a").equals(shapely.box(29, -2, 30, -1))

    def test_parts_of_one_code_are_one_area(self) -> None:
        parts = Outlines(("A", "A"), SQUARES.geometry.to_numpy()[:2], "squares")
        assert parts.of("A").equals(shapely.box(29, -2, 31, -1))

    def test_an_unknown_code_is_named_with_what_is_near(self) -> None:
        near = Outlines(("RWA", "COD"), SQUARES.geometry.to_numpy()[:2], "squares")
        with pytest.raises(UnknownPlace, match="'RWW'") as error:
            near.of("RWW")
        assert error.value.hint == "did you mean RWA?"

    def test_points_get_the_code_of_where_they_lie(self, squares: Outlines) -> None:
        points = np.array([(29.5, -1.5), (30.5, -1.5), (31.5, -1.5), (0, 0), (30, -1.5)])
        assert squares.codes_at(points) == ["A", "B", None, None, "A"]

    def test_no_points_have_no_codes(self, squares: Outlines) -> None:
        assert squares.codes_at(np.empty((0, 2))) == []


class TestFiles:
    @pytest.mark.parametrize("suffix", [".geojson", ".gpkg", ".fgb", ".shp", ".parquet"])
    def test_the_users_own_file_is_read(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"areas{suffix}"
        if suffix == ".parquet":
            SQUARES.to_parquet(path)
        else:
            SQUARES.to_file(path)
        found = read_outlines(path, "code")
        by_code = dict(zip(found.codes, found.geometries, strict=True))
        assert set(by_code) == {"A", "B", None}
        assert by_code["B"].equals(shapely.box(30, -2, 31, -1))

    @pytest.mark.parametrize("suffix", [".gpkg", ".parquet"])
    def test_other_reference_systems_are_transformed(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"areas{suffix}"
        projected = SQUARES.to_crs("EPSG:32735")
        projected.to_parquet(path) if suffix == ".parquet" else projected.to_file(path)
        found = read_outlines(path, "code").of("B")
        assert found.bounds == pytest.approx((30, -2, 31, -1), abs=1e-6)

    def test_numbers_as_codes_are_text(self, tmp_path: Path) -> None:
        SQUARES.assign(code=[1, 2, 3]).to_file(tmp_path / "a.gpkg")
        assert read_outlines(tmp_path / "a.gpkg", "code").codes == ("1", "2", "3")

    def test_a_broken_outline_is_mended(self, tmp_path: Path) -> None:
        bow = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
        geopandas.GeoDataFrame({"code": ["A"]}, geometry=[bow], crs=4326).to_file(
            tmp_path / "a.gpkg"
        )
        found = read_outlines(tmp_path / "a.gpkg", "code").of("A")
        assert found.is_valid
        assert found.area == pytest.approx(2)

    def test_a_missing_column_is_named_with_those_there(self, tmp_path: Path) -> None:
        SQUARES.to_file(tmp_path / "a.gpkg")
        with pytest.raises(MissingColumn, match="'id'") as error:
            read_outlines(tmp_path / "a.gpkg", "id")
        assert error.value.hint == "it holds code, name"

    def test_what_is_no_outline_is_refused(self, tmp_path: Path) -> None:
        lines = SQUARES.set_geometry(SQUARES.boundary)
        lines.to_file(tmp_path / "lines.gpkg")
        (tmp_path / "text.gpkg").write_text("no geopackage")
        SQUARES.drop(columns="geometry").to_parquet(tmp_path / "plain.parquet")
        for name, said in [
            ("lines.gpkg", "feature 1 is no polygon"),
            ("text.gpkg", "not recognized"),
            ("plain.parquet", "not GeoParquet"),
            ("none.gpkg", "no such file"),
        ]:
            with pytest.raises(UnreadableOutlines, match=said) as error:
                read_outlines(tmp_path / name, "code")
            assert error.value.where == str(tmp_path / name)


class TestCountries:
    def test_absent_outlines_say_how_to_get_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outlines, "DATA_FOLDER", tmp_path)
        with pytest.raises(OutlinesMissing) as error:
            countries()
        assert "npm" in error.value.hint

    def test_they_are_valid_and_on_the_map(self, world: Outlines) -> None:
        assert shapely.is_valid(world.geometries).all()
        west, south, east, north = shapely.total_bounds(world.geometries)
        assert (west, east, south) == (-180, 180, -90)
        assert north < 84
        codes = {code for code in world.codes if code}
        assert {"RWA", "CIV", "FRA", "NOR", "XKX", "FJI"} <= codes
        assert all(len(code) == 3 and code.isupper() for code in codes)

    def test_land_is_a_little_more_than_a_quarter_of_the_world(self, world: Outlines) -> None:
        assert area_km2(world.geometries).sum() == pytest.approx(147e6, rel=0.005)

    @pytest.mark.shared
    def test_they_are_the_countries_of_natural_earth(self, shared: Path, world: Outlines) -> None:
        folder = shared / "naturalearth" / "ne_50m_admin_0_countries"
        published = read_outlines(folder / "ne_50m_admin_0_countries.shp", "ISO_A3_EH")
        areas = dict(zip(published.codes, area_km2(published.geometries), strict=True))
        ours = countries("50m")
        off = {
            code: abs(own / areas[code] - 1)
            for code, own in zip(ours.codes, area_km2(ours.geometries), strict=True)
            if code in areas and published.codes.count(code) == ours.codes.count(code) == 1
        }
        assert len(off) > 220
        # The editions differ in a few borders, and quantising moves the coasts of small islands.
        assert np.median(list(off.values())) < 0.001
        assert {code for code, share in off.items() if share > 0.04} <= {"VAT", "PCN"}


class TestConversion:
    """script/outlines, on a TopoJSON of two countries that share an arc, quantised."""

    TOPOLOGY = {  # noqa: RUF012
        "type": "Topology",
        "transform": {"scale": [0.5, 0.5], "translate": [10, 20]},
        "arcs": [
            [[4, 0], [0, 8]],
            [[4, 8], [-4, 0], [0, -8], [4, 0]],
            [[4, 8], [4, 0], [0, -8], [-4, 0]],
        ],
        "objects": {
            "countries": {
                "type": "GeometryCollection",
                "geometries": [
                    {
                        "type": "Polygon",
                        "id": "646",
                        "properties": {"name": "Rwanda"},
                        "arcs": [[0, 1]],
                    },
                    {"type": "Polygon", "properties": {"name": "Kosovo"}, "arcs": [[0, 2]]},
                ],
            }
        },
    }

    def test_topojson_becomes_geoparquet_with_codes(self, root: Path, tmp_path: Path) -> None:
        for scale in ("10m", "50m"):
            (tmp_path / f"countries-{scale}.json").write_text(json.dumps(self.TOPOLOGY))
        command = [sys.executable, root / "script/outlines", "--source", tmp_path]
        subprocess.run([*command, "--out", tmp_path / "out"], check=True, capture_output=True)
        found = geopandas.read_parquet(tmp_path / "out" / "countries-50m.parquet")
        assert found["iso3"].tolist() == ["RWA", "XKX"]
        assert found["name"].tolist() == ["Rwanda", "Kosovo"]
        assert found.geometry[0].equals(shapely.box(10, 20, 12, 24))
        assert found.geometry[1].equals(shapely.box(12, 20, 14, 24))

    def test_the_lock_names_no_host(self, root: Path) -> None:
        assert "http" not in (root / "npm/package-lock.json").read_text()


def test_areas_of_one_file_are_found_in_those_of_another() -> None:
    """By their largest outline: islands, and borders that differ a little, count for nothing."""
    around = Outlines(("A", "B"), np.array([shapely.box(0, 0, 5, 5), shapely.box(5, 0, 9, 5)]), "")
    parts = [
        shapely.box(0.5, 0, 5.1, 2),
        shapely.box(5, 0, 6, 2),
        shapely.box(0, 4, 0.1, 4.1),
        shapely.box(20, 20, 21, 21),
    ]
    own = Outlines(("one", "two", "two", "far"), np.array(parts, object), "")
    assert own.codes_around(["two", "far", "one"], around) == ["B", None, "A"]


@pytest.mark.skipif(
    not outlines.outlines_file("10m").exists(), reason="made by script/bootstrap, where npm is"
)
@pytest.mark.parametrize(("lat", "lon"), [(-2, 30), (52, 5), (-17, 179.9), (-80, 0)])
def test_many_cells_get_the_codes_of_their_own_centres(lat: float, lon: float) -> None:
    """Most are told by a box around them: in the middle of a country, at sea, over 180 degrees."""
    random = np.random.default_rng(4)
    points = np.array([lat, lon]) + random.uniform(-2, 2, (30_000, 2))
    cells = np.unique(
        np.array([h3.latlng_to_cell(*point, 8) for point in points.tolist()], np.uint64)
    )
    assert len(cells) > 2 * MOST_CELLS
    assert cell_codes(cells, countries()) == countries().codes_at(cell_centres(cells))
