from __future__ import annotations

from pathlib import Path

import pytest
from deliveries import Chain, Delivery


@pytest.fixture
def delivery(tmp_path: Path) -> Delivery:
    return Delivery(tmp_path / "delivery")


@pytest.fixture
def chain(tmp_path: Path, delivery: Delivery) -> Chain:
    return Chain(tmp_path / "workspace", delivery.folder)
