"""Runs that are killed, interrupted, or lose a worker: they go on, and nothing is made twice."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import shapely
from commands import Command, items, ledger, objects, runs
from deliveries import Delivery

from thalweg.pipelines.loader import find
from vector_files import write

TILES = ("s02e029", "s02e030", "s03e029")


@dataclass
class Runner:
    """A run of one delivery in one place, again and again, beside what it gives undisturbed."""

    workspace: Path
    delivery: Path
    undisturbed: Path
    seconds: float

    def start(self) -> Command:
        return start(self.workspace, self.delivery)

    def assert_as_undisturbed(self) -> None:
        assert objects(self.workspace) == objects(self.undisturbed)
        assert items(self.workspace) == items(self.undisturbed)
        assert {run.state for run in runs(self.workspace)} == {"succeeded"}


def start(
    workspace: Path, delivery: Path, pipeline: object = "fathom", years: str = "2020,2050"
) -> Command:
    chosen = (f"year={years}", "peril=fluvial", "defence=defended", f"tiles={','.join(TILES)}")
    choice = [word for one in chosen for word in ("--set", one)]
    return Command("run", pipeline, "--source", delivery, "-w", workspace, *choice)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Made in the place where the others are made, because items name their files by path."""
    folder = tmp_path_factory.mktemp("kills")
    delivery = Delivery(folder / "delivery").add(
        TILES,
        epochs=("2020", *(f"2050/SSP{scenario}" for scenario in SCENARIOS)),
        size=16,
    )
    began = time.monotonic()
    code, _, err = start(folder / "workspace", delivery.folder).result()
    assert code == 0, err
    seconds = time.monotonic() - began
    (folder / "workspace").rename(folder / "undisturbed")
    return Runner(folder / "workspace", delivery.folder, folder / "undisturbed", seconds)


SCENARIOS = ("1_2.6", "2_4.5", "3_7.0", "5_8.5")


@pytest.fixture
def runner(undisturbed: Runner) -> Runner:
    shutil.rmtree(undisturbed.workspace, ignore_errors=True)
    return undisturbed


def kill_and_go_on(runner: Runner, kills: int) -> None:
    """Kill so many times at random moments; where a run ends before, the next begins anew."""
    chance = random.Random(kills)
    killed = 0
    while killed < kills:
        before = ledger(runner.workspace)
        command = runner.start()
        time.sleep(chance.uniform(0.2, runner.seconds))
        if command.process.poll() is None:
            command.kill()
            killed += 1
        else:
            assert command.result()[0] == 0
            runner.assert_as_undisturbed()
            shutil.rmtree(runner.workspace)
            continue
        assert ledger(runner.workspace).items() >= before.items()
    before = ledger(runner.workspace)
    code, out, err = runner.start().result()
    assert code == 0, out + err
    assert ledger(runner.workspace).items() >= before.items()
    runner.assert_as_undisturbed()


@pytest.mark.slow
def test_killed_at_random_moments_it_goes_on_to_the_same_bytes(runner: Runner) -> None:
    kill_and_go_on(runner, kills=2)


@pytest.mark.slow
def test_killed_twenty_times_it_goes_on_to_the_same_bytes(runner: Runner) -> None:
    kill_and_go_on(runner, kills=20)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nothing(runner: Runner) -> None:
    command = runner.start()
    command.kill_one_worker(after=runner.seconds / 4)
    code, out, err = command.result()
    assert code == 0, out + err
    runner.assert_as_undisturbed()


@pytest.mark.slow
def test_an_interrupt_is_answered_and_the_same_command_goes_on(runner: Runner) -> None:
    command = runner.start()
    while not (runner.workspace / "silver" / "fathom").is_dir():
        assert command.process.poll() is None
        time.sleep(0.05)
    command.signal_all(signal.SIGINT)
    code, out, err = command.result(timeout=20)
    assert (code, out) == (130, "")
    (run,) = runs(runner.workspace)
    assert run.state == "queued"
    assert err.splitlines()[-1] == (
        "Stopped. The same command goes on; to give it up: "
        f"thalweg runs cancel {run.id} -w {runner.workspace}"
    )
    assert "Traceback" not in err
    before = ledger(runner.workspace)
    code, _, err = runner.start().result()
    assert code == 0, err
    assert f"Going on with run {run.id}" in err
    assert ledger(runner.workspace).items() >= before.items()
    runner.assert_as_undisturbed()


# Tables ------------------------------------------------------------------------------------------

TABLES = """
  - {operator: hexagons, resolutions: [4, 5, 6], countries: false}
  - {operator: hexagons_vector, source: places.gpkg, theme: towns, dataset: towns, countries: false}
"""


def tables(workspace: Path) -> dict[str, bytes]:
    root = workspace / "silver"
    return {str(p.relative_to(root)): p.read_bytes() for p in root.glob("*/*/theme=*/**/*.parquet")}


@pytest.fixture
def places(runner: Runner) -> Iterator[Path]:
    """Points beside the delivery's rasters, gone afterwards: the other tests know no such file."""
    points = shapely.points(np.random.default_rng(1).uniform((29, -3), (31, -1), (500, 2)))
    path = write(runner.delivery / "places.gpkg", points)
    yield path
    path.unlink()


@pytest.mark.slow
@pytest.mark.usefixtures("places")
def test_killed_in_the_middle_of_the_hexagons_it_goes_on_to_the_same_tables(
    runner: Runner, tmp_path: Path
) -> None:
    """As soon as another table is there the run is killed, until none is left to make."""
    count = 3 + 4
    text = find("fathom").read_text()
    definition = tmp_path / "tables.yaml"
    definition.write_text(text[: text.index("\nsteps:")] + STEPS + TABLES)
    code, _, err = start(runner.workspace, runner.delivery, definition, years="2020").result()
    assert code == 0, err
    whole = objects(runner.workspace)
    assert len(tables(runner.workspace)) == count
    shutil.rmtree(runner.workspace)
    seen: list[int] = []
    while not seen or seen[-1] < count:
        command = start(runner.workspace, runner.delivery, definition, years="2020")
        before = len(tables(runner.workspace))
        while command.process.poll() is None and len(tables(runner.workspace)) == before:
            time.sleep(0.002)
        command.kill()
        made = tables(runner.workspace)
        assert all(whole[key] == one for key, one in made.items())
        seen.append(len(made))
    assert {0 < number < 3 for number in seen} == {True, False}, "no kill was in the middle"
    code, _, err = start(runner.workspace, runner.delivery, definition, years="2020").result()
    assert code == 0, err
    assert objects(runner.workspace) == whole
    assert {run.state for run in runs(runner.workspace)} == {"succeeded"}


STEPS = """
steps:
  - {operator: inventory}
  - {operator: stack, over: return_period}
  - {operator: mosaic, cell_degrees: 4}
"""


# Several at once ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_runs_of_the_same_thing_at_once_are_one(runner: Runner) -> None:
    both = [runner.start(), runner.start()]
    for code, _, err in [command.result() for command in both]:
        assert code == 0, err
    runner.assert_as_undisturbed()
    assert {made_by for _, made_by, _ in ledger(runner.workspace).values()} == {
        runs(runner.workspace)[-1].id
    }


@pytest.mark.slow
def test_two_pipelines_in_one_workspace_at_once_do_not_disturb_each_other(
    runner: Runner, tmp_path: Path
) -> None:
    definition = tmp_path / "other.yaml"
    shown, whole, _ = Command("pipelines", "show", "fathom").result()
    assert shown == 0
    definition.write_text(
        whole.replace("name: fathom\n", "name: other\n").replace(": fathom-", ": other-")
    )
    other = start(runner.workspace, runner.delivery, definition, years="2020")
    fathom = runner.start()
    for code, _, err in (other.result(), fathom.result()):
        assert code == 0, err
    assert items(runner.workspace) == items(runner.undisturbed)
    assert len(items(runner.workspace, "other-flood-depth")) == 1
    made = {key: one for key, one in objects(runner.workspace).items() if key.startswith("fathom/")}
    assert made == objects(runner.undisturbed)
    assert not list((runner.workspace / "silver" / ".staging").iterdir())
