"""What is measured in each cell: the declaration that statistics carry with them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from thalweg.domain.pixels import PixelRules
from thalweg.domain.units import convert
from thalweg.errors import UsageError
from thalweg.raster.codec import checked_dtype, stored
from thalweg.raster.statistics import BUCKETS_PER_OCTAVE

BUCKET_SHIFT = 52 - int(math.log2(BUCKETS_PER_OCTAVE))
MOST_KINDS = 100
DEPTHS_M = (0.15, 0.5, 1.0, 1.5, 2.0)

# Of what is not whole, smaller values go to the bucket of zero.
_FINEST = 2.0**-10
_WHOLE_SUMS_UP_TO = 65_535


class Rule(StrEnum):
    """How pixels are given to cells.

    `centre` gives each pixel to the cell that its centre lies in. `area` shares a pixel that is cut
    by an edge out between cells, by 16 samples.
    """

    CENTRE = "centre"
    AREA = "area"

    @property
    def samples(self) -> int:
        return 1 if self is Rule.CENTRE else 16


@dataclass(frozen=True)
class Measures:
    """The bands and pixels that were measured, and by which rule.

    `bands` are the bands' names. `rules` say what their pixels are. `depths_m` are thresholds in
    metres, ascending: what lies above them is counted. `histogram` says whether values are counted
    by bucket, for percentiles.
    """

    bands: tuple[str, ...]
    rules: PixelRules
    rule: Rule = Rule.CENTRE
    depths_m: tuple[float, ...] = DEPTHS_M
    histogram: bool = False

    def __post_init__(self) -> None:
        checked_dtype(self.rules.dtype)
        if list(self.depths_m) != sorted(set(self.depths_m)) or min(self.depths_m, default=0) < 0:
            raise UsageError(f"the thresholds {self.depths_m} are not positive and ascending")
        # A pixel's kind and class have to fit a byte.
        if max(len(self.depths_m), len(self.rules.special)) > MOST_KINDS:
            raise UsageError(f"more than {MOST_KINDS} thresholds or special values are declared")

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.rules.dtype)

    @cached_property
    def thresholds(self) -> NDArray[np.float64]:
        """`depths_m` in the unit of the pixels, as these hold them."""
        unit = self.rules.unit
        return np.array([stored(convert(m, "m", unit), self.dtype) for m in self.depths_m], float)

    @property
    def largest(self) -> float:
        return max(abs(self.rules.minimum), abs(self.rules.maximum))

    @property
    def sums_dtype(self) -> np.dtype[Any]:
        """int64, and exact, where pixels are whole and declared below 65,536; else float64."""
        whole = self.dtype.kind in "iu" and self.largest <= _WHOLE_SUMS_UP_TO
        return np.dtype(np.int64 if whole else np.float64)

    @property
    def special(self) -> tuple[str, ...]:
        """The meanings of the special values that are counted apart."""
        return tuple(value.meaning for value in self.rules.kept_special())

    @property
    def zero(self) -> str:
        """What a pixel of 0 is: `valid`, `nodata`, or the meaning of a special value.

        Zeros are never looked at one by one: they are what remains of a cell.
        """
        if self.rules.nodata == 0:
            return "nodata"
        for value in self.rules.special:
            if value.value == 0:
                return "nodata" if value.as_nodata else value.meaning
        return "valid" if self.rules.minimum <= 0 <= self.rules.maximum else "undeclared"

    @cached_property
    def buckets(self) -> Buckets:
        whole = self.dtype.kind in "iu"
        return Buckets.over(self.rules.minimum, self.rules.maximum, 1.0 if whole else _FINEST)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "rules": self.rules.to_json(), "rule": self.rule.value}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(
            bands=tuple(document["bands"]),
            rules=PixelRules.from_json(document["rules"]),
            rule=Rule(document["rule"]),
            depths_m=tuple(document["depths_m"]),
            histogram=document["histogram"],
        )


@dataclass(frozen=True)
class Buckets:
    """Each power of two cut into `BUCKETS_PER_OCTAVE`, as in `raster.statistics`.

    Magnitudes below the first have the bucket `zero`; a negative value's bucket lies as far below
    it as a positive one's above.
    """

    first: int
    zero: int
    count: int

    @classmethod
    def over(cls, minimum: float, maximum: float, finest: float) -> Self:
        first = _code(finest)
        below = max(0, _code(-minimum) - first + 1) if minimum < 0 else 0
        above = max(0, _code(maximum) - first + 1) if maximum > 0 else 0
        return cls(first, below, below + above + 1)

    def values(self) -> NDArray[np.float64]:
        """The middle of each bucket."""
        step = np.arange(self.count) - self.zero
        low = self.first - 1 + np.abs(step)
        edges = (np.stack([low, low + 1]) << BUCKET_SHIFT).view(np.float64)
        return np.where(step == 0, 0.0, np.sign(step) * edges.mean(axis=0))


def _code(magnitude: float) -> int:
    return int(np.array(magnitude, np.float64).view(np.int64)) >> BUCKET_SHIFT
