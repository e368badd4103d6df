"""Which layers a delivery holds, what their files are called, and what is to be made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from thalweg.synth.presets import Hazard, Preset, Variant, corner

CELL_SIZES = (4, 5)  # degrees: merged answers are given for both grids


@dataclass(frozen=True)
class Layer:
    """One raster's coordinates, but for its tile. `scenario` is None in the baseline."""

    hazard: Hazard
    year: int
    scenario: str | None
    return_period: int

    def path(self, variant: Variant, region: str, tile: str) -> str:
        """Where the tile's file lies in the delivery."""
        template = variant.baseline if self.scenario is None else variant.future
        return template.format(
            region=region,
            HAZARD=self.hazard.name,
            hazard=self.hazard.name.replace("_", "-"),
            year=self.year,
            scenario=self.scenario,
            rp=f"1in{self.return_period}",
            tile=tile,
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "hazard": self.hazard.name,
            "year": self.year,
            "scenario": self.scenario,
            "return_period": self.return_period,
        }


def layers_of(preset: Preset, hazard: Hazard) -> Iterator[Layer]:
    """Every layer of a hazard: by year, scenario and return period, in order."""
    for year, scenario in preset.epochs:
        for return_period in preset.return_periods:
            yield Layer(hazard, year, scenario, return_period)


def expected_answers(preset: Preset) -> dict[str, Any]:
    """Counts of what a pipeline finds and makes; `merged` by the size of the grid in degrees."""
    epochs = len(preset.epochs)
    rasters = sum(len(hazard.tiles) for hazard in preset.hazards) * epochs
    return {
        "tiles": len(preset.tiles),
        "scenarios": len(preset.hazards) * epochs,
        "sources": rasters * len(preset.return_periods),
        "stacked": rasters,
        "merged": {
            str(size): sum(len(_cells(hazard, size)) for hazard in preset.hazards) * epochs
            for size in CELL_SIZES
        },
    }


def _cells(hazard: Hazard, size: int) -> set[tuple[int, int]]:
    corners = (corner(tile) for tile in hazard.tiles)
    return {(lon // size, lat // size) for lon, lat in corners}
