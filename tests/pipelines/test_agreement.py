"""Whatever of a delivery is missing or damaged, run and matrix say the same, and it is true."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest
from deliveries import PERIODS, Chain, Delivery
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thalweg.pipelines.matrix import matrix_of

TILES = ("s01e030", "s02e029", "s05e030")
STATES = ("missing", "damaged", "named otherwise", "twice")
CHOICE = ("year=2020", "peril=fluvial", "defence=defended", f"tiles={','.join(TILES)}")
CELLS = {"s01e030": "s04e028", "s02e029": "s04e028", "s05e030": "s08e028"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Delivery(tmp_path_factory.mktemp("whole") / "delivery").add(TILES, size=16).folder


faults = st.dictionaries(
    st.tuples(st.sampled_from(TILES), st.sampled_from(PERIODS)), st.sampled_from(STATES), max_size=5
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(faults)
def test_what_is_made_is_exactly_the_complete_sets(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, faults: Mapping[tuple[str, int], str]
) -> None:
    folder = tmp_path_factory.mktemp("part")
    delivery = Delivery(Path(shutil.copytree(whole, folder / "delivery")))
    for (tile, period), fault in faults.items():
        spoil(delivery.path(tile, period), fault)
    chain = Chain(folder / "workspace", delivery.folder)
    outcome = chain.run(*CHOICE)
    incomplete = {tile for tile, _ in faults}
    # s05e030 is not declared: where nothing of it is there, nobody expects it.
    expected = (
        {tile for tile, period in product(TILES, PERIODS) if delivery.path(tile, period).exists()}
        | {tile for (tile, _), fault in faults.items() if fault != "missing"}
        | set(TILES[:2])
    )
    made = {key.rpartition("-")[2] for key in outcome.made["stack"]}
    assert made == expected - incomplete
    assert {key.rpartition("-")[2] for key in outcome.missing["stack"]} == expected & incomplete
    cells = {CELLS[tile] for tile in expected}
    whole_cells = cells - {CELLS[tile] for tile in incomplete}
    assert {key.rpartition("-")[2] for key in outcome.made["mosaic"]} == whole_cells
    assert {item.rpartition("-")[2] for item in chain.items()} == whole_cells
    found = matrix_of(*chain.chosen(*CHOICE), chain.workspace)
    levels = {level.name: level for level in found.matrix.levels}
    for stage in ("stack", "mosaic"):
        assert {one.id for one in levels[stage].missing} == set(outcome.missing[stage])
        assert {one.id for one in levels[stage].present} == set(outcome.made[stage])
    assert {(one["tile"], int(one["return_period"][3:])) for one in levels["source"].missing} == {
        key for key in faults if key[0] in expected
    }
    assert found.matrix.complete == (not faults)


def spoil(path: Path, fault: str) -> None:
    if fault == "missing":
        path.unlink()
    elif fault == "damaged":
        path.write_bytes(path.read_bytes()[:200])
    elif fault == "named otherwise":
        path.rename(path.with_name(f"copy-of-{path.name}"))
    else:
        shutil.copy(path, path.with_name(f"{path.stem.rpartition('_')[2]}.tif"))
