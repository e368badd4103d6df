from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from api_service import Serve
from fastapi.testclient import TestClient

from thalweg.api.app import PARTS, create_app
from thalweg.api.parts import Part
from thalweg.pipelines.workspace import Workspace


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts the service over an empty workspace: `serve(parts, max_body=2048)` for settings."""
    with ExitStack() as opened:

        def start(*parts: Part, database_url: str = "", **serve_settings: Any) -> TestClient:
            workspace, settings = Workspace.open(tmp_path / "workspace")
            settings = settings.model_copy(
                update={
                    "serve": type(settings.serve)(**serve_settings),
                    "database_url": database_url,
                }
            )
            app = create_app(workspace, settings, parts or PARTS)
            return opened.enter_context(TestClient(app, raise_server_exceptions=True))

        yield start


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks PostgreSQL too is slow: a developer's run asks the embedded service alone."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and (
            "contract" in item.path.parts or "[postgresql" in item.name
        ):
            item.add_marker(pytest.mark.slow)
