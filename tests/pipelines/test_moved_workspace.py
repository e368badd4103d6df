"""A workspace that was copied or moved while a run was unfinished in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from thalweg.errors import WorkspaceMoved
from thalweg.jobs.engine import open_runs
from thalweg.jobs.recorded_runs import DATABASE, open_database
from thalweg.jobs.records import Records
from thalweg.jobs.schema import create_tables
from thalweg.pipelines.choice import choose
from thalweg.pipelines.loader import find, load
from thalweg.pipelines.runner import refuse_moved, run_request
from thalweg.pipelines.workspace import Workspace


def begin_run(workspace: Workspace) -> str:
    """Records a run that no engine has taken up."""
    request = run_request(*choose(load(find("fathom")), ["region=rwa"]), workspace)
    database = open_database(workspace.jobs_folder / DATABASE)
    create_tables(database)
    with database.begin() as connection:
        run, _ = Records(database).open_run(connection, request)
    database.dispose()
    return run


def refused(workspace: Workspace) -> None:
    with open_runs(workspace.jobs_folder) as runs:
        refuse_moved(workspace, runs)


def test_a_copy_does_not_go_on_with_a_run_of_the_original(tmp_path: Path) -> None:
    """It went on in the original's folder, beside whatever ran there."""
    original, _ = Workspace.open(tmp_path / "original")
    run = begin_run(original)
    shutil.copytree(original.folder, tmp_path / "copy")
    copy, _ = Workspace.open(tmp_path / "copy")
    with pytest.raises(WorkspaceMoved, match=f"{run} began in {original.folder}") as caught:
        refused(copy)
    assert f"thalweg runs cancel {run} -w {copy.folder}" in caught.value.hint
    refused(original)
    with open_runs(copy.jobs_folder) as runs:
        runs.cancel(run)
    refused(copy)
