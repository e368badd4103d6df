from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.exposure import sorting
from thalweg.exposure.sorting import ExternalSort

SCHEMA = pa.schema([("key", pa.uint64()), ("place", pa.int64()), ("text", pa.string())])


def batches(keys: list[list[int]]) -> list[pa.RecordBatch]:
    found, place = [], 0
    for some in keys:
        places = np.arange(place, place + len(some))
        place += len(some)
        found.append(
            pa.record_batch([pa.array(some, pa.uint64()), places, places.astype(str)], SCHEMA)
        )
    return found


@pytest.mark.parametrize("run_bytes", [1, 300, 1 << 30])
@settings(max_examples=40, deadline=None)
@given(keys=st.lists(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3), max_size=40)))
def test_all_rows_come_in_order(tmp_path_factory, keys, run_bytes: int) -> None:
    sort = ExternalSort(SCHEMA, tmp_path_factory.mktemp("runs"), run_bytes)
    for batch in batches(keys):
        sort.add(batch)
    rows = [row for table in sort.batches() for row in table.to_pylist()]
    expected = [one for some in keys for one in some]
    assert [row["key"] for row in rows] == sorted(expected)
    assert sorted(row["place"] for row in rows) == list(range(len(expected)))
    assert all(expected[row["place"]] == row["key"] for row in rows)
    assert all(row["text"] == str(row["place"]) for row in rows)


def test_more_runs_than_are_merged_at_once_are_merged_in_turns(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sorting, "RUNS_AT_ONCE", 3)
    sort = ExternalSort(SCHEMA, tmp_path, run_bytes=1)
    keys = np.random.default_rng(2).integers(0, 50, (23, 7)).tolist()
    for batch in batches(keys):
        sort.add(batch)
    assert len(list(tmp_path.iterdir())) == 23
    rows = [row for table in sort.batches() for row in table.to_pylist()]
    assert [row["key"] for row in rows] == sorted(one for some in keys for one in some)
    assert sorted(row["place"] for row in rows) == list(range(23 * 7))
    assert not list(tmp_path.iterdir())


def test_no_more_than_a_batch_of_each_run_is_read_at_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sorting, "MERGED_ROWS", 100)
    sort = ExternalSort(SCHEMA, tmp_path, run_bytes=20_000)
    random = np.random.default_rng(1)
    for batch in batches(random.integers(0, 2**60, (20, 1000)).tolist()):
        sort.add(batch)
    runs = len(list(tmp_path.iterdir()))
    assert runs > 5
    sizes = [table.num_rows for table in sort.batches()]
    assert sum(sizes) == 20_000
    assert max(sizes) <= (runs + 1) * 100
    assert not list(tmp_path.iterdir())
