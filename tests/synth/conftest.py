from __future__ import annotations

import pytest

from thalweg.synth.flood import Region, build_region
from thalweg.synth.presets import DEFAULT_SEED, find_preset


@pytest.fixture(scope="session")
def rwanda() -> Region:
    return build_region(find_preset("rwanda"), DEFAULT_SEED)


@pytest.fixture(scope="session")
def tiny() -> Region:
    return build_region(find_preset("tiny"), DEFAULT_SEED)
