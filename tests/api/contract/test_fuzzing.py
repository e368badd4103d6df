"""No request that the OpenAPI document allows, or nearly, is answered by a 500."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from feature_world import add_to
from test_clients import listening

from thalweg.api.app import create_app
from thalweg.features import schema
from thalweg.features.geopackage import GeoPackages
from thalweg.features.postgis import PostgisTables
from thalweg.pipelines.workspace import Workspace

FUZZ = Path(__file__).parents[3] / "bench" / "fuzz.py"
MINUTES = 2


@pytest.mark.parametrize("backend", ["embedded", "postgresql"])
def test_schemathesis_finds_no_fault(world_url: tuple[Path, str], backend: str) -> None:
    """For a couple of minutes; `bench/fuzz.py` does it for longer, of any service."""
    folder, database = world_url
    workspace, settings = Workspace.at(folder)
    if backend == "postgresql":
        schema.prepare(database)
        add_to(PostgisTables(database))
        settings = settings.model_copy(update={"database_url": database})
    else:
        add_to(GeoPackages(folder / "features"))
    with listening(create_app(workspace, settings)) as url:
        done = subprocess.run(
            [sys.executable, FUZZ, url, str(MINUTES)],
            capture_output=True,
            text=True,
            timeout=60 * MINUTES + 300,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
