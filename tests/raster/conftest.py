from __future__ import annotations

import pytest
from raster_files import Pixels, depths


@pytest.fixture
def depth_pixels() -> Pixels:
    """A small raster of depths in centimetres."""
    return depths(90, 120)
