from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from thalweg.catalog.ledger import Catalog
from thalweg.catalog.sqlite import open_catalog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "workspace" / "catalog.db"


@pytest.fixture
def catalog(path: Path) -> Iterator[Catalog]:
    with open_catalog(path) as catalog:
        catalog.put_collection({"id": "flood", "type": "Collection"})
        yield catalog
