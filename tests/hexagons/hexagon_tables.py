"""Series and numbers for tests of hexagon tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.domain.coordinates import Coordinates
from thalweg.hexagons.layers import Series

RETURN_PERIODS = (5.0, 20.0, 100.0)
LABELS = ("1in5", "1in20", "1in100")


def flood_series(
    year: str,
    scenario: str,
    *,
    dataset: str = "flood",
    labels: tuple[str, ...] = LABELS,
    periods: tuple[float, ...] = RETURN_PERIODS,
) -> Series:
    pairs = (("peril", "fluvial"), ("defence", "none"), ("year", year), ("scenario", scenario))
    return Series("flood_risk", dataset, "cm", Coordinates(pairs), labels, periods)


def statistics(cells: int, layers: int) -> dict[str, NDArray[Any]]:
    """Depth rises with the layer; the first cell of ten has no valid pixel."""
    number = np.arange(cells)[:, None]
    layer = np.arange(1, layers + 1)[None]
    mean = np.where(number % 10 == 0, np.nan, (number % 7) * layer * 1.5)
    return {
        "valid": np.where(number % 10 == 0, 0, 500 + 0 * layer),
        "mean": mean,
        "wet_share": np.minimum(1, (number % 7) * layer / 20),
    }
