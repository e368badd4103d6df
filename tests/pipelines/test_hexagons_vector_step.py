"""The step `hexagons_vector`, alone or beside rasters."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest
import shapely
from deliveries import Chain, Delivery

from thalweg.errors import MissingColumn, PipelineError, SourceChanged, UsageError
from thalweg.pipelines.loader import find, load, parse
from thalweg.pipelines.matrix import matrix_of
from thalweg.pipelines.runner import rehearse, run_task
from vector_files import write

ALONE = """
name: places
title: Schools and roads
description: Schools by kind with their pupils, and roads.
steps:
  - operator: hexagons_vector
    name: schools
    source: schools/*.gpkg
    category: kind
    sums: {pupils: person}
    theme: infrastructure
    dataset: schools
    resolutions: [5, 7]
  - operator: hexagons_vector
    name: roads
    source: roads.shp
    rule: share
    theme: infrastructure
    dataset: roads
    resolutions: [6]
"""
BESIDE = """  - operator: hexagons_vector
    source: schools/*.gpkg
    theme: infrastructure
    dataset: schools
    resolutions: [5]
"""


@pytest.fixture
def places(tmp_path: Path) -> Chain:
    """Two files of schools and a Shapefile of roads."""
    source = tmp_path / "source"
    (source / "schools").mkdir(parents=True)
    for number in range(2):
        add_schools(source, number)
    write(source / "roads.shp", [shapely.LineString([(30, -2), (30.4, -1.8)])])
    pipeline = tmp_path / "places.yaml"
    pipeline.write_text(ALONE)
    return Chain(tmp_path / "workspace", source, str(pipeline))


def add_schools(source: Path, number: int, pupils: object = 100) -> Path:
    points = shapely.points(np.random.default_rng(number).uniform((29, -3), (31, -1), (50, 2)))
    columns = {"kind": ["Primary", "Secondary"] * 25, "pupils": [pupils] * 50}
    return write(source / "schools" / f"{number}.gpkg", points, columns)


def tables(chain: Chain, step: str = "schools") -> list[Path]:
    return sorted((chain.folder / "silver").glob(f"*/{step}/**/*.parquet"))


def facts(chain: Chain, step: str) -> list[dict[str, object]]:
    with chain.workspace.catalog() as catalog:
        return [one.facts["faults"] for one in catalog.artifacts() if one.kind == step]


def test_a_pipeline_of_vector_files_alone_makes_its_tables(places: Chain) -> None:
    outcome = places.run()
    assert outcome.complete
    assert outcome.made == {"schools": ["schools"], "roads": ["roads"]}
    coarse, fine = tables(places)
    assert coarse.parent.relative_to(places.folder / "silver/places/schools") == Path(
        "theme=infrastructure/dataset=schools/resolution=5"
    )
    for table in (coarse, fine):
        counted = duckdb.sql(
            "select sum(count_primary), sum(count_secondary), sum(sum_pupils_primary) "
            f"from '{table}'"
        ).fetchall()
        assert counted == [(50, 50, 5000)]
    (roads,) = tables(places, "roads")
    ((count, length),) = duckdb.sql(f"select sum(count), sum(length_km) from '{roads}'").fetchall()
    assert count == pytest.approx(1)
    assert length == pytest.approx(49.7, rel=0.01)


def test_the_same_again_does_nothing_and_a_changed_file_remakes_its_tables(places: Chain) -> None:
    places.run()
    before = places.silver()
    again = places.run()
    assert again.made == {"schools": [], "roads": []}
    assert again.already == {"schools": 2, "roads": 1}
    assert places.silver() == before
    (places.source / "roads.dbf").touch()
    assert places.run().made == {"schools": [], "roads": ["roads"]}
    add_schools(places.source, 2)
    assert places.run().made == {"schools": ["schools"], "roads": []}
    newest = max(tables(places), key=lambda path: path.stat().st_mtime_ns)
    assert duckdb.sql(f"select sum(count_primary) from '{newest}'").fetchall() == [(75,)]


def test_rows_that_were_left_out_are_counted_and_named_in_the_ledger(places: Chain) -> None:
    path = places.source / "schools" / "2.gpkg"
    columns = {"kind": ["Primary"] * 3, "pupils": ["12", "many", None]}
    write(path, [shapely.Point(30, -2), shapely.Point(30, -2), None], columns)
    outcome = places.run()
    assert outcome.results["schools"] == [
        {"tables": 2, "rows": 103, "rows_left_out": 1, "numbers_left_out": 1}
    ]
    first, second = facts(places, "schools")
    assert first == second
    assert first["reasons"] == {"no geometry": 1, "text instead of a number in pupils": 1}
    assert first["named"] == [
        {"where": "schools/2.gpkg", "row": 3, "reason": "no geometry", "text": ""},
        {"where": "schools/2.gpkg", "row": 2, "reason": "text instead of a number in pupils",
         "text": "many"},
    ]  # fmt: skip


def test_a_step_without_files_is_named_and_the_others_go_on(places: Chain) -> None:
    for path in (places.source / "schools").iterdir():
        path.unlink()
    outcome = places.run()
    assert outcome.made == {"schools": [], "roads": ["roads"]}
    reason = outcome.missing["schools"]["schools"]
    assert reason == f"there is no file {places.source}/schools/*.gpkg"


def test_a_file_that_fails_is_named_and_made_once_it_is_mended(places: Chain) -> None:
    good = (places.source / "schools" / "0.gpkg").read_bytes()
    write(places.source / "schools" / "0.gpkg", shapely.points([(30, -2)]), {"kind": ["a"]})
    outcome = places.run()
    assert isinstance(outcome.failed["schools"], MissingColumn)
    assert outcome.failed["schools"].where == "schools/0.gpkg"
    assert outcome.made["roads"] == ["roads"]
    (places.source / "schools" / "0.gpkg").write_bytes(good)
    only = {"schools": frozenset({"schools"})}
    assert places.run(only=only).made == {"schools": ["schools"], "roads": []}


def test_a_file_replaced_after_planning_is_not_read(places: Chain) -> None:
    pipeline, choice = places.chosen()
    (plan, *_) = rehearse(pipeline, choice, places.workspace)
    (task,) = plan.all_tasks()
    add_schools(places.source, 1, pupils=7)
    payload = {**task.payload, "workspace": places.workspace.to_json(), "run": "test"}
    with pytest.raises(SourceChanged, match=r"schools/1\.gpkg"):
        run_task(payload)


def test_a_run_sees_only_what_lies_below_its_prefix(places: Chain) -> None:
    source = places.source
    moved = source / "rwanda" / "2024"
    moved.mkdir(parents=True)
    (source / "schools").rename(moved / "schools")
    assert places.run().made["schools"] == []
    assert places.run("base_prefix=rwanda/2024").made["schools"] == ["schools"]


def test_a_setting_of_the_step_can_be_chosen_for_a_run(places: Chain) -> None:
    places.run("schools.rule=each")
    with places.workspace.catalog() as catalog:
        (one, *_) = [one for one in catalog.artifacts() if one.kind == "schools"]
    assert one.inputs[0].key == "schools/0.gpkg"
    assert not places.run("schools.rule=each").made["schools"]
    assert places.run().made["schools"] == ["schools"]


@pytest.mark.parametrize("rule", ["centroid", "share"])
def test_a_parameter_makes_other_tables_and_a_reading_step_none(places: Chain, rule: str) -> None:
    keys = {
        planned.key
        for plan in rehearse(*places.chosen(f"schools.rule={rule}"), places.workspace)
        for planned in plan.planned
    }
    others = {
        planned.key
        for plan in rehearse(*places.chosen("schools.rule=each"), places.workspace)
        for planned in plan.planned
    }
    assert len(keys & others) == 1


def test_beside_rasters_the_inventory_leaves_vector_files_alone(
    chain: Chain, delivery: Delivery, tmp_path: Path
) -> None:
    delivery.add(["s02e030"])
    (delivery.folder / "schools").mkdir()
    add_schools(delivery.folder, 0)
    text = find("fathom").read_text()
    both = tmp_path / "both.yaml"
    both.write_text(text.replace("  - operator: catalog", f"{BESIDE}  - operator: catalog", 1))
    chain.pipeline = str(both)
    choice = ("year=2020", "peril=fluvial", "defence=defended", "tiles=s02e030")
    outcome = chain.run(*choice)
    assert outcome.complete
    assert outcome.made["hexagons_vector"] == ["schools"]
    assert len(outcome.made["mosaic"]) == 1
    # What is shown of the rasters needs no look at the delivery.
    delivery.folder.rename(delivery.folder.with_name("elsewhere"))
    assert matrix_of(*chain.chosen(*choice), chain.workspace).matrix.complete


def test_a_pipeline_without_rasters_has_no_matrix(places: Chain) -> None:
    places.run()
    with pytest.raises(UsageError, match="has no rasters"):
        matrix_of(*places.chosen(), places.workspace)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    dataset: roads\n", "    dataset: schools\n", r":14:5: .* make tables of one dataset"),
        ("    rule: share\n", "    longitude: x\n", r":14:5: longitude and latitude are named"),
        ("    rule: share\n", "    rule: most\n", r":17:11: steps.1.rule"),
        ("    theme: infrastructure\n", "", r":6:5: steps.0.theme: this field is missing"),
        ("steps:\n", "steps:\n  - operator: inventory\n", r"dimensions: this field is missing"),
    ],
)
def test_a_faulty_step_is_named_with_its_line(old: str, new: str, said: str) -> None:
    assert len(parse(ALONE, "places.yaml").steps) == 2
    with pytest.raises(PipelineError, match=said):
        parse(ALONE.replace(old, new, 1), "places.yaml")


@pytest.mark.parametrize("field", ["dimensions", "grammar", "expect", "pixels"])
def test_an_inventory_needs_to_know_what_the_rasters_are(field: str, tmp_path: Path) -> None:
    import yaml

    document = yaml.safe_load(find("jrc").read_text())
    del document[field]
    path = tmp_path / "jrc.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(PipelineError) as caught:
        load(path)
    assert f"{field}: this field is missing" in caught.value.message


@pytest.mark.shared
def test_the_facilities_of_rwanda_by_yaml_alone(shared: Path, tmp_path: Path) -> None:
    path = tmp_path / "facilities.yaml"
    path.write_text(
        """
name: rwanda-facilities
title: Schools of Rwanda
description: Plots of schools.
license: CC-BY-4.0
steps:
  - operator: hexagons_vector
    source: facilities/*.gpkg
    layer: School
    category: type_ of_facility
    sums: {student_number: person, staff_number: person}
    rule: share
    theme: infrastructure
    resolutions: [6]
"""
    )
    chain = Chain(tmp_path / "workspace", shared / "rwanda", str(path))
    outcome = chain.run()
    assert outcome.complete
    assert outcome.results["hexagons_vector"] == [
        {"tables": 1, "rows": 1186, "rows_left_out": 0, "numbers_left_out": 24}
    ]
    (table,) = tables(chain, "hexagons_vector")
    countries = duckdb.sql(f"select country, count(*) from '{table}' group by 1 order by 2 desc")
    (country, cells), *over_the_border = countries.fetchall()
    assert country == "RWA"
    assert cells > 200 > 10 * sum(number for _, number in over_the_border)
