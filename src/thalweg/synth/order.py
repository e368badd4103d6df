"""What to make: a preset or a part of it, how fine, from which seed, under which names."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from thalweg.errors import UsageError, WrongTileSize
from thalweg.synth.layers import expected_answers
from thalweg.synth.presets import (
    DEFAULT_SEED,
    EVERYTHING,
    VARIANTS,
    Preset,
    Selection,
    find_preset,
)

FORMAT_VERSION = 1
FINEST = 3600  # pixels a degree: one arc-second
STEP = 16  # TIFF blocks are multiples of 16 pixels


@dataclass(frozen=True)
class Order:
    """What to make: a preset, or a part of it, at `tile_size` pixels a degree."""

    preset: str
    tile_size: int
    seed: int = DEFAULT_SEED
    variant: str = "region"
    selection: Selection = EVERYTHING

    def __post_init__(self) -> None:
        check_tile_size(self.tile_size)
        if self.variant not in VARIANTS:
            raise UsageError(
                f"no naming variant is called '{self.variant}'",
                hint=f"one of {', '.join(VARIANTS)}",
            )
        if not 0 <= self.seed < 2**31:
            raise UsageError(f"seed {self.seed} is out of range", hint="0 to 2147483647")

    @property
    def delivered(self) -> Preset:
        """The selected part of the preset."""
        part = self.selection.of(find_preset(self.preset))
        if expected_answers(part)["sources"] == 0:
            raise UsageError("the selection holds no file", hint="leave some of the options out")
        return part

    @property
    def files(self) -> int:
        """How many files the delivery holds."""
        return int(expected_answers(self.delivered)["sources"])

    def to_json(self) -> dict[str, Any]:
        """The order as JSON; equal orders make equal bytes."""
        return {"format": FORMAT_VERSION, **json.loads(json.dumps(asdict(self)))}


def check_tile_size(size: int) -> None:
    """`WrongTileSize` unless `size` is a multiple of 16 in 16..3600."""
    if size % STEP == 0 and STEP <= size <= FINEST:
        return
    below = min(max(size // STEP * STEP, STEP), FINEST)
    above = min(below + STEP, FINEST)
    nearest = f"{below} or {above}" if STEP < size < FINEST else str(below)
    raise WrongTileSize(
        f"a tile cannot be {size} pixels wide",
        hint=f"a multiple of {STEP} from {STEP} to {FINEST}: the nearest is {nearest}",
    )
