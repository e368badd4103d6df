"""The step `exposure` behind the others: tables whose numbers are those of the rasters."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from commands import Command
from deliveries import PERIODS, Chain, Delivery, rasters_of_fathom
from rasterio.features import geometry_mask
from rasterio.merge import merge

from thalweg.catalog.validate import validate_item
from thalweg.errors import InvalidCurve, PipelineError
from thalweg.hexagons.selection import Selection, selected
from thalweg.hexagons.tables import describe
from thalweg.pipelines.loader import load
from thalweg.pipelines.tables import exposure_tables, hexagon_tables

CHOICE = ("year=2020", "peril=fluvial", "defence=defended", "tiles=n04w006,n04w004,n05w004")
SCENARIO = "rwa-fluvial-defended-2020"
STEPS = """\
  - operator: buildings
    sources:
      - {name: homes, files: homes/*.geojson, layout: features}
    countries: false
  - operator: exposure
    resolutions: [4, 6]
    thresholds: [0.15, 0.5]
    countries: false
    areas:
      - {name: halves, outlines: areas.geojson, column: name}
    damage:
      - {name: homes, curve: curve.csv, value: 200, per: m2, currency: USD}
    keep_buildings: true
"""


CATALOG = """\
  - operator: catalog
    name: homes
    of: buildings
    collection: homes
    title: "Homes of {dataset}"
  - operator: catalog
    name: tables
    of: exposure
    collection: homes-exposed
    title: "Homes exposed: {peril}, {year}, {table}"
"""


def geojson(path: Path, shapes, **names) -> None:
    features = [
        {
            "type": "Feature",
            "properties": {name: values[n] for name, values in names.items()},
            "geometry": json.loads(shapely.to_geojson(shape)),
        }
        for n, shape in enumerate(shapes)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


@pytest.fixture
def exposed(chain: Chain, delivery: Delivery, tmp_path: Path) -> Chain:
    """Homes on three tiles in two grid cells, some of them on the cells' common edge."""
    delivery.add(["n04w006", "n04w004", "n05w004"])
    random = np.random.default_rng(5)
    places = [*random.uniform((-6.1, 3.9), (-2.9, 6.1), (400, 2)), (-4.0, 4.5), (-4.0 - 1e-9, 4.5)]
    homes = [shapely.box(x - 0.01, y - 0.01, x + 0.01, y + 0.01) for x, y in places]
    geojson(delivery.folder / "homes/homes.geojson", homes)
    halves = [shapely.box(-7, 3, -4, 7), shapely.box(-4, 3, -2, 7)]
    geojson(delivery.folder / "areas.geojson", halves, name=["west", "east"])
    (delivery.folder / "curve.csv").write_text("depth,damage_fraction\n0,0\n2,1\n")
    path = tmp_path / "exposed.yaml"
    text = rasters_of_fathom()
    path.write_text(text.replace("  - operator: catalog", f"{STEPS}  - operator: catalog", 1))
    chain.pipeline = str(path)
    return chain


def tables(chain: Chain) -> dict[str, Path]:
    folder = chain.folder / "silver/fathom/exposure"
    return {path.parent.name: path for path in sorted(folder.rglob("*.parquet"))}


def depths(chain: Chain, period: int) -> np.ndarray:
    """The deepest pixel of each kept home by rasterio; nan where nothing is measured."""
    rows = pq.read_table(tables(chain)["buildings"], columns=["longitude", "latitude"]).to_pylist()
    rasters = [item["assets"]["data"]["href"] for item in chain.items().values()]
    (pixels,), transform = merge(rasters, indexes=[PERIODS.index(period) + 1])
    found = np.full(len(rows), np.nan)
    for k, row in enumerate(rows):
        x, y = row["longitude"], row["latitude"]
        home = shapely.box(x - 0.01, y - 0.01, x + 0.01, y + 0.01)
        held = geometry_mask([home], pixels.shape, transform, invert=True)
        if not held.any():
            col, line = np.floor(np.round(~transform @ (x, y), 5)).astype(int)
            if 0 <= line < pixels.shape[0] and 0 <= col < pixels.shape[1]:
                held[line, col] = True
        values = pixels[held & (pixels >= 0)]
        found[k] = values.max() if len(values) else np.nan
    return found


def test_tables_hold_what_the_rasters_say_of_every_building(exposed: Chain) -> None:
    outcome = exposed.run(*CHOICE)
    assert outcome.complete
    assert outcome.made["exposure"] == [SCENARIO]
    assert outcome.results["exposure"] == [{"tables": 4, "buildings": 402}]
    found = tables(exposed)
    assert set(found) == {"resolution=4", "resolution=6", "areas=halves", "buildings"}
    for period in (5, 100):
        label = f"1in{period}"
        expected = depths(exposed, period)
        assert 20 < (expected > 50).sum() < 300
        rows = pq.read_table(found["buildings"]).to_pydict()
        kept = np.array(rows[f"depth_m_{label}"], float)
        assert kept * 100 == pytest.approx(expected, nan_ok=True, abs=1e-4)
        for name in ("resolution=4", "resolution=6"):
            total = duckdb.sql(
                f"select sum(buildings), sum(exposed_above_15cm_{label}), "
                f"sum(exposed_above_50cm_{label}) from '{found[name]}'"
            ).fetchall()[0]
            assert total == (402, (expected > 15).sum(), (expected > 50).sum())
        areas = pq.read_table(found["areas=halves"]).to_pylist()
        west = np.array(rows["longitude"]) <= -4
        assert [(row["area"], row["buildings"]) for row in areas] == [
            ("east", (~west).sum()),
            ("west", west.sum()),
        ]
        assert areas[1][f"exposed_above_50cm_{label}"] == (expected[west] > 50).sum()
        lost = 200 * np.array(rows["area_m2"]) * np.clip(np.nan_to_num(expected) / 200, 0, 1)
        assert areas[0][f"damage_homes_{label}"] == pytest.approx(lost[~west].sum())


def test_every_table_has_a_valid_item_that_tells_the_file(exposed: Chain) -> None:
    with Path(exposed.pipeline).open("a") as file:
        file.write(CATALOG)
    assert exposed.run(*CHOICE).complete
    homes, found = exposed.items("homes"), exposed.items("homes-exposed")
    assert set(homes) == {"fathom-buildings"}
    assert set(found) == {f"{SCENARIO}-{one}" for one in ("r4", "r6", "halves", "buildings")}
    for item in [*homes.values(), *found.values()]:
        assert validate_item(item) == []
        table = pq.read_table(item["assets"]["data"]["href"])
        properties = item["properties"]
        assert properties["table:row_count"] == table.num_rows
        assert [one["name"] for one in properties["table:columns"]] == table.column_names
        west, south, east, north = item["bbox"]
        assert (west < -6, south < 4, east > -3, north > 6) == (True, True, True, True)
    properties = homes["fathom-buildings"]["properties"]
    assert properties["title"] == "Homes of fathom"
    assert properties["table:primary_geometry"] == "geometry"
    box = pq.read_table(homes["fathom-buildings"]["assets"]["data"]["href"])["bbox"].to_pylist()
    west = min(one["xmin"] for one in box)
    assert homes["fathom-buildings"]["bbox"][0] == pytest.approx(west, abs=1e-8)
    titles = {name: item["properties"]["title"] for name, item in found.items()}
    assert titles[f"{SCENARIO}-r6"] == "Homes exposed: river flood, 2020, H3 resolution 6"
    assert titles[f"{SCENARIO}-halves"] == "Homes exposed: river flood, 2020, halves"
    properties = found[f"{SCENARIO}-r4"]["properties"]
    assert (properties["thalweg:rule"], properties["thalweg:thresholds"]) == ("max", [0.15, 0.5])
    assert properties["thalweg:dataset"] == "fathom-exposure"
    units = {
        one["name"]: one.get("unit")
        for one in found[f"{SCENARIO}-buildings"]["properties"]["table:columns"]
    }
    assert (units["depth_m_1in100"], units["area_m2"]) == ("m", "m2")
    assert not any(exposed.run(*CHOICE).made.values())


def test_tables_made_before_get_their_items(exposed: Chain) -> None:
    exposed.run(*CHOICE)
    with Path(exposed.pipeline).open("a") as file:
        file.write(CATALOG)
    again = exposed.run(*CHOICE)
    assert {step for step, made in again.made.items() if made} == {"homes", "tables"}
    assert (len(exposed.items("homes")), len(exposed.items("homes-exposed"))) == (1, 4)
    with exposed.workspace.catalog() as catalog:
        assert catalog.collection("homes")["title"] == "FATHOM v3 flood depth: buildings"


def test_hexagon_commands_take_the_tables(exposed: Chain) -> None:
    exposed.run(*CHOICE)
    paths = hexagon_tables(exposed.workspace)
    assert {describe(path).series.id for path in paths} == {
        "fathom_exposure_rwa_fluvial_defended_2020"
    }
    with selected(paths, Selection(6), "long") as reader:
        rows = reader.read_all().to_pylist()
    assert {row["return_period"] for row in rows} == set(PERIODS)
    assert sum(row["exposed_above_50cm"] for row in rows if row["label"] == "1in100") > 0
    cells, areas = exposure_tables(exposed.workspace)
    assert (len(cells), len(areas)) == (2, 1)


def test_the_same_again_does_nothing_and_a_change_makes_anew(
    exposed: Chain, delivery: Delivery
) -> None:
    exposed.run(*CHOICE)
    before = exposed.silver()
    assert not any(exposed.run(*CHOICE).made.values())
    assert exposed.silver() == before
    (delivery.folder / "curve.csv").write_text("depth,damage_fraction\n0,0\n1,1\n")
    again = exposed.run(*CHOICE)
    assert again.made["exposure"] == [SCENARIO]
    assert again.made["buildings"] == []
    ruled = exposed.run(*CHOICE, "exposure.rule=centroid")
    assert ruled.made["exposure"] == [SCENARIO]


def test_what_is_missing_is_named(exposed: Chain, delivery: Delivery) -> None:
    delivery.path("n04w006", 100).unlink()
    (delivery.folder / "curve.csv").unlink()
    (delivery.folder / "homes/homes.geojson").unlink()
    reasons = exposed.run(*CHOICE).missing["exposure"][SCENARIO]
    assert "n04w008" in reasons
    assert "table of buildings" in reasons
    assert "curve.csv" in reasons
    assert not tables(exposed)


def test_a_bad_curve_is_named_with_its_line(exposed: Chain, delivery: Delivery) -> None:
    (delivery.folder / "curve.csv").write_text("depth,damage_fraction\n0,0\n2,200\n")
    error = exposed.run(*CHOICE).failed[SCENARIO]
    assert type(error) is InvalidCurve
    assert error.where == "curve.csv:3"


def test_a_table_made_elsewhere_is_taken_by_its_path(exposed: Chain, delivery: Delivery) -> None:
    exposed.run(*CHOICE)
    (made,) = (exposed.folder / "silver/fathom/buildings").glob("*-buildings.*.parquet")
    (delivery.folder / "table.parquet").write_bytes(made.read_bytes())
    before = {name: path.read_bytes() for name, path in tables(exposed).items()}
    outcome = exposed.run(*CHOICE, "exposure.buildings=table.parquet", "buildings.enabled=false")
    assert outcome.made["exposure"] == [SCENARIO]
    assert set(before.values()) <= set(exposed.silver().values())


def test_without_its_buildings_the_step_is_left_out(exposed: Chain) -> None:
    outcome = exposed.run(*CHOICE, "buildings.enabled=false")
    assert "exposure" not in outcome.made


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_tables(exposed: Chain) -> None:
    exposed.run(*CHOICE)
    made = {path.name: path.read_bytes() for path in tables(exposed).values()}
    folder = exposed.folder.with_name("other")
    sets = [word for one in CHOICE for word in ("--set", one)]
    arguments = ("run", exposed.pipeline, "-w", folder, "--source", exposed.source, *sets)
    for after in (1.0, 2.5):
        killed = Command(*arguments)
        killed.kill_one_worker(after=after)
        killed.kill()
    code, _, err = Command(*arguments).result()
    assert code == 0, err
    other = Chain(folder, exposed.source)
    assert {path.name: path.read_bytes() for path in tables(other).values()} == made


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("thresholds: [0.15, 0.5]", "thresholds: [0.5, 0.15]", "rise"),
        ("thresholds: [0.15, 0.5]", "buildings: others", "no earlier step"),
        ("thresholds: [0.15, 0.5]", "of: inventory", "no earlier step"),
        ("thresholds: [0.15, 0.5]", "dataset: fathom", "that of the rasters"),
        ("name: halves", "name: countries", "names of their own"),
        ("unit: cm", "unit: K", "unknown unit"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused(exposed: Chain, old, new, said: str) -> None:
    path = Path(exposed.pipeline)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(PipelineError, match=said):
        load(path)


def test_retrying_a_failed_scenario_makes_it(exposed: Chain) -> None:
    exposed.run(*CHOICE, "exposure.enabled=false")
    only = {"exposure": frozenset([SCENARIO])}
    assert exposed.run(*CHOICE, only=only).made["exposure"] == [SCENARIO]
