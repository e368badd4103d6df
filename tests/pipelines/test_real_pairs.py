"""Real buildings and facilities in the water, by YAML alone, held against rasterio and shapely."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import geopandas
import numpy as np
import pyarrow.parquet as pq
import pyogrio
import pytest
import rasterio
import shapely
from deliveries import Chain, write_tif
from numpy.typing import NDArray
from rasterio.features import geometry_mask
from rasterio.merge import merge
from rasterio.windows import Window, from_bounds
from shapely.geometry.base import BaseGeometry

from thalweg.exposure.report import Choices, write_report
from thalweg.hexagons.outlines import countries, outlines_file
from thalweg.pipelines.choice import choose, enabling
from thalweg.pipelines.loader import built_in, find, load
from thalweg.pipelines.tables import exposure_tables
from thalweg.synth.delivery import deliver
from thalweg.synth.order import Order
from thalweg.synth.presets import Selection

PAIRS = Path(__file__).parent / "pairs"
type Numbers = NDArray[np.float64]

needs_outlines = pytest.mark.skipif(
    not outlines_file("10m").exists(), reason="no outlines of countries: call script/bootstrap"
)


def one_table(chain: Chain, pattern: str) -> Path:
    (found,) = (chain.folder / "silver").glob(pattern)
    return found


def read_around(pixels: NDArray, window: Window) -> NDArray:
    """The pixels of a window; -1 beyond the raster."""
    rows, cols = np.ogrid[: window.height, : window.width]
    rows, cols = rows + window.row_off, cols + window.col_off
    height, width = pixels.shape
    inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    return np.where(inside, pixels[rows.clip(0, height - 1), cols.clip(0, width - 1)], -1)


def deepest(pixels: NDArray, transform: rasterio.Affine, shape: BaseGeometry, rule: str) -> float:
    """The deepest pixel of a building, -inf where nothing is measured: `max` by rasterio's mask,
    `any` by the area that each pixel shares."""
    around = from_bounds(*shape.bounds, transform)
    left, top = int(np.floor(around.col_off)) - 1, int(np.floor(around.row_off)) - 1
    window = Window(left, top, int(around.width) + 4, int(around.height) + 4)
    part = read_around(pixels, window)
    placed = rasterio.windows.transform(window, transform)
    if rule == "max":
        held = geometry_mask([shape], part.shape, placed, invert=True)
    else:
        held = np.zeros(part.shape, bool)
        for row, col in np.ndindex(*part.shape):
            (west, north), (east, south) = placed @ (col, row), placed @ (col + 1, row + 1)
            pixel = shapely.box(west, south, east, north)
            held[row, col] = shape.intersection(pixel).area > 1e-6 * pixel.area
    if not held.any():
        col, row = np.floor(~placed @ (shape.centroid.x, shape.centroid.y)).astype(int)
        held[row, col] = True
    return float(np.where(held & (part >= 0), part, -np.inf).max())


def compare(table: Path, label: str, expected: dict[str, float], unit: float) -> int:
    """Holds a table of each building's depths against others, in metres by id; gives how many are
    deeper than half a metre."""
    columns = ["id", f"depth_m_{label}"]
    rows = pq.read_table(table, columns=columns).to_pylist()
    found = {row["id"]: row[columns[1]] for row in rows}
    assert set(found) == set(expected)
    for name, depth in expected.items():
        known = np.isfinite(depth)
        assert (found[name] is not None) == known, name
        assert not known or found[name] == pytest.approx(depth * unit, abs=1e-4), name
    return sum(depth * unit > 0.5 for depth in expected.values())


def test_what_is_left_out_unless_asked_for_and_what_it_needs() -> None:
    for name in built_in():
        definition = load(find(name))
        plain = [step.name for step in choose(definition, [])[0].steps]
        assert not {"hexagons", "tables", "buildings", "exposure", "exposure-items"} & {*plain}
        asked, _ = choose(definition, enabling(definition, ["exposure"]))
        more = ["buildings", "building-items", "exposure", "exposure-items"]
        assert [step.name for step in asked.steps] == [*plain, *more]


def river(periods: int) -> NDArray[np.float32]:
    """Depths around a winding river of 300 x 300 pixels, deeper with longer return periods."""
    y, x = np.mgrid[:300, :300] / 300
    away = np.abs(x - 0.5 - 0.2 * np.sin(9 * y))
    depth = np.maximum(0.8 + 0.7 * periods - 25 * away, 0).astype(np.float32)
    depth[:, 140:143] = -1
    return depth


@pytest.mark.slow
@pytest.mark.shared
def test_footprints_of_kampala_in_a_synthetic_river(shared: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "footprints").mkdir(parents=True)
    file = source / "footprints/kampala.geojson"
    shutil.copy(shared / "rwanda/kampala_buildings/kampala_buildings_ms.geojson", file)
    rasters = {
        label: write_tif(
            source / f"depth/{label}.tif",
            river(number),
            west=32.58,
            north=0.38,
            pixel=1 / 3600,
            nodata=-1,
        )
        for number, label in enumerate(("rp10", "rp100"))
    }
    chain = Chain(tmp_path / "workspace", source, str(PAIRS / "kampala.yaml"))
    outcome = chain.run()
    assert outcome.complete, (outcome.missing, outcome.failed)
    _, _, wkb, (ids,) = pyogrio.raw.read(file, columns=["FID_1"])
    shapes = dict(zip([f"{one:.0f}" for one in ids], shapely.from_wkb(wkb), strict=True))
    each = one_table(chain, "kampala/exposure/buildings/*.parquet")
    for label, path in rasters.items():
        with rasterio.open(path) as dataset:
            pixels, transform = dataset.read(1), dataset.transform
        expected = {
            name: deepest(pixels, transform, shape, "any") for name, shape in shapes.items()
        }
        deep = compare(each, label, expected, 1.0)
        assert 100 < deep < len(shapes) / 2
        for resolution in (8, 10):
            cells = one_table(chain, f"kampala/exposure/**/resolution={resolution}/*.parquet")
            (total,) = duckdb.sql(
                f"select sum(buildings), sum(exposed_above_50cm_{label}) from '{cells}'"
            ).fetchall()
            assert total == (len(shapes), deep)


@needs_outlines
@pytest.mark.shared
def test_schools_and_health_centres_of_rwanda(shared: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    chosen = Selection(("s02e030", "s03e030"), ("FLUVIAL_DEFENDED",), (2020,), (), (10, 100))
    deliver(Order("rwanda", 800, selection=chosen), source, workers=1)
    for folder, path in (
        ("facilities", "rwanda/facilities/wasac-rwasom-2-data-revised.gpkg"),
        ("admin", "rwanda/admin/province.geojson"),
        ("curves", "flood/damage_curves_open_gira/residential_asia.csv"),
    ):
        (source / folder).mkdir()
        shutil.copy(shared / path, source / folder)
    chain = Chain(tmp_path / "workspace", source, str(PAIRS / "rwanda.yaml"))
    outcome = chain.run()
    assert outcome.complete, (outcome.missing, outcome.failed)
    provinces = shared / "rwanda/admin/province.geojson"
    _, _, outlines, (names,) = pyogrio.raw.read(provinces, columns=["name"])
    for step, layer, least in (("schools", "School", 1180), ("health", "Health_Facility", 455)):
        file = source / "facilities/wasac-rwasom-2-data-revised.gpkg"
        _, _, wkb, _ = pyogrio.raw.read(file, layer=layer, columns=[])
        shapes = {
            f"{file.name}#{row}": shapely.make_valid(shape)
            for row, shape in enumerate(shapely.from_wkb(wkb), start=1)
            if shape is not None
        }
        each = one_table(chain, f"facilities/{step}-exposed/buildings/*.parquet")
        held = pq.read_table(each, columns=["id"])["id"].to_pylist()
        assert least < len(held) <= len(shapes)
        for label in ("1in10", "1in100"):
            rasters = sorted(source.glob(f"rwa/*/2020/{label}/*.tif"))
            (pixels,), transform = merge(rasters)
            expected = {
                name: deepest(pixels, transform, shapes[name.rpartition("/")[2]], "max")
                for name in held
            }
            deep = compare(each, label, expected, 0.01)
            areas = one_table(chain, f"facilities/{step}-exposed/areas=provinces/*.parquet")
            rows = {row["area"]: row for row in pq.read_table(areas).to_pylist()}
            if step == "health":
                assert {row["country"] for row in rows.values()} == {"RWA"}
            column = f"exposed_above_50cm_{label}"
            assert 0 < sum(row[column] for row in rows.values()) <= deep
            for name, outline in zip(names, shapely.from_wkb(outlines), strict=True):
                inside = [
                    one for one in held
                    if outline.intersects(shapes[one.rpartition("/")[2]].centroid)
                ]  # fmt: skip
                if inside:
                    assert rows[name]["buildings"] == len(inside)
                    assert rows[name][column] == sum(expected[one] > 50 for one in inside)


@needs_outlines
@pytest.mark.slow
@pytest.mark.shared
def test_a_report_of_jamaica_from_homes_made_of_its_people(shared: Path, tmp_path: Path) -> None:
    """A home for every forty people, where the population raster has them."""
    source = tmp_path / "source"
    shutil.copytree(shared / "flood/jrc_jamaica/JAM", source / "JAM")
    with rasterio.open(shared / "flood/jrc_jamaica/JAM_POP.tif") as dataset:
        people = np.maximum(dataset.read(1).astype(float), 0).ravel()
        homes = np.diff(np.floor(np.cumsum(people) / 40), prepend=0).astype(int)
        places = np.repeat(np.arange(len(people)), homes)
        rows, columns = np.divmod(places, dataset.width)
        x, y = dataset.transform @ (columns + 0.5, rows + 0.5)
    assert 50_000 < len(places) < 100_000
    (source / "buildings").mkdir()
    geopandas.GeoDataFrame(geometry=shapely.points(x, y), crs=4326).to_parquet(
        source / "buildings/homes.parquet"
    )
    chain = Chain(tmp_path / "workspace", source, "jrc")
    settings = enabling(load(find("jrc")), ["exposure"])
    outcome = chain.run(*settings)
    assert outcome.complete, (outcome.missing, outcome.failed)
    assert len(chain.items("jrc-exposure")) == 5
    areas = one_table(chain, "jrc/exposure/areas=countries/*.parquet")
    found = {row["area"]: row for row in pq.read_table(areas).to_pylist()}["JAM"]
    inside = shapely.intersects_xy(countries().of("JAM"), np.column_stack([x, y]))
    assert found["buildings"] == inside.sum() > 0.9 * len(places)
    for period in (10, 100, 500):
        path = source / f"JAM/FLUVIAL_UNDEFENDED/2020/1in{period}.tif"
        with rasterio.open(path) as dataset:
            depth = np.array([value for (value,) in dataset.sample(zip(x, y, strict=True))])
        for threshold in (0.5, 1.0):
            column = f"exposed_above_{100 * threshold:.0f}cm_1in{period}"
            assert found[column] == (inside & (depth > 100 * threshold)).sum() > 100
        assert found[f"unknown_1in{period}"] == 0
    cells, by_area = exposure_tables(chain.workspace)
    page = tmp_path / "jamaica.html"
    write_report(cells, by_area, page, Choices("JAM"), name="Jamaica", borders=countries())
    text = page.read_text()
    assert f"{found['exposed_above_50cm_1in100']:,}" in text
    assert "Pixels without data are taken as dry." in text
