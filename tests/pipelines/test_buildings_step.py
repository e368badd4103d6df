"""The step `buildings`, in a pipeline of its own."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pyarrow.parquet as pq
import pytest
from commands import Command
from deliveries import Chain

from thalweg.errors import PipelineError, UnknownThreshold
from thalweg.pipelines.loader import load
from thalweg.synth.buildings import BuildingOrder, deliver_buildings

OPEN_BUILDINGS = """\
latitude,longitude,area_in_meters,confidence,geometry,full_plus_code
-2.1,30.1,80,0.72,"POLYGON((30.1 -2.1, 30.1001 -2.1, 30.1001 -2.0999, 30.1 -2.0999, 30.1 -2.1))",A
-2.2,30.2,80,0.66,"POLYGON((30.2 -2.2, 30.2001 -2.2, 30.2001 -2.1999, 30.2 -2.1999, 30.2 -2.2))",B
-2.3,30.3,80,0.9,POLYGON((30.3 -2.3,C
"""
THRESHOLDS = """\
s2_token,confidence_threshold_80%_precision,confidence_threshold_90%_precision
19d,0.7,0.8
"""
PIPELINE = """
name: homes
title: Homes
description: Homes of a synthetic country.
source: {prefix: delivery}
steps:
  - operator: buildings
    keep: first
    countries: false
    sources:
      - name: open
        files: open/*_buildings.csv.gz
        layout: wkt-csv
        precision: 80
        thresholds: open/thresholds.csv
      - name: synth
        files: synth/buildings.parquet
        layout: geoparquet
        columns: {id: id, height: height}
"""


@dataclass
class Homes(Chain):
    """A delivery of two sources, and a workspace for it."""

    @classmethod
    def of(cls, folder: Path) -> Self:
        homes = cls(folder / "workspace", folder / "bronze", str(folder / "homes.yaml"))
        Path(homes.pipeline).write_text(PIPELINE)
        deliver_buildings(BuildingOrder("tiny", 400), homes.source / "delivery/synth")
        homes.open.parent.mkdir(parents=True)
        homes.write(OPEN_BUILDINGS)
        homes.open.with_name("thresholds.csv").write_text(THRESHOLDS)
        return homes

    @property
    def open(self) -> Path:
        return self.source / "delivery/open/19d_buildings.csv.gz"

    def write(self, text: str) -> None:
        self.open.write_bytes(gzip.compress(text.encode()))

    def tables(self, part: str) -> list[Path]:
        return sorted((self.folder / "silver/homes/buildings").glob(f"homes-{part}.*.parquet"))

    def facts(self) -> list[dict]:
        with self.workspace.catalog() as catalog:
            return [one.facts for one in catalog.artifacts("homes")]


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    return Homes.of(tmp_path)


def test_sources_become_a_table_and_a_report_and_are_not_made_again(homes: Homes) -> None:
    assert homes.run().made == {"buildings": ["homes"]}
    (table,), (report,) = homes.tables("buildings"), homes.tables("report")
    assert pq.read_table(table).num_rows == 401
    assert [(row["row"], row["reason"]) for row in pq.read_table(report).to_pylist()] == [
        (4, "bad_geometry_text")
    ]
    assert len(homes.facts()) == 2
    for facts in homes.facts():
        assert facts["buildings"] == 401
        assert facts["sources"] == {"open": 1, "synth": 400}
        assert facts["dropped"] == {"bad_geometry_text": 1}
        assert facts["unconfident"] == 1
    again = homes.run()
    assert again.made == {"buildings": []}
    assert again.already == {"buildings": 2}


def test_a_changed_source_or_rule_makes_a_new_table(homes: Homes) -> None:
    homes.run()
    homes.write(OPEN_BUILDINGS.replace("0.66", "0.71"))
    homes.run()
    assert {pq.read_table(path).num_rows for path in homes.tables("buildings")} == {401, 402}
    homes.run("buildings.resolution=9")
    assert len(homes.tables("buildings")) == len(homes.tables("report")) == 3


def test_a_source_without_files_is_named(homes: Homes) -> None:
    homes.open.unlink()
    missing = homes.run().missing["buildings"]
    assert "delivery/open/*_buildings.csv.gz" in missing["homes"]
    assert not homes.tables("buildings")


def test_a_tile_without_a_threshold_is_named(homes: Homes) -> None:
    homes.open.rename(homes.open.with_name("1a3_buildings.csv.gz"))
    error = homes.run().failed["homes"]
    assert type(error) is UnknownThreshold
    assert "1a3" in str(error)


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_and_the_next_makes_the_same(homes: Homes) -> None:
    homes.run()
    made = {path.name: path.read_bytes() for path in homes.tables("*")}
    arguments = ("run", homes.pipeline, "-w", homes.folder.with_name("other"), "--source")
    killed = Command(*arguments, homes.source)
    killed.kill_one_worker(after=0.2)
    killed.kill()
    code, _, err = Command(*arguments, homes.source).result()
    assert code == 0, err
    other = Chain(homes.folder.with_name("other"), homes.source)
    assert {Path(key).name: held for key, held in other.silver().items()} == made


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: synth", "name: open", "two sources"),
        ("        thresholds: open/thresholds.csv\n", "", "together"),
        ("precision: 80", "precision: 81", "80, 85 or 90"),
        ("countries: false", "countries: false\n    bbox: [30, -1, 31, -2]", "bounding box"),
        ("layout: wkt-csv", "layout: shapes", "layout"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused(tmp_path: Path, old, new, said: str) -> None:
    path = tmp_path / "homes.yaml"
    path.write_text(PIPELINE.replace(old, new))
    with pytest.raises(PipelineError, match=said):
        load(path)
