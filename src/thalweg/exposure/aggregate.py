"""Exposure: what of the buildings of each place stands in the water, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numba
import numpy as np
from numpy.typing import NDArray

from thalweg.domain.pixels import PixelRules
from thalweg.domain.units import convert
from thalweg.errors import UsageError
from thalweg.exposure.damage import Damage
from thalweg.exposure.pixel_lists import Rule
from thalweg.exposure.sampling import MEASURED, OUTSIDE, SPECIAL, UNKNOWN, Depths, Nodata
from thalweg.hexagons.layers import slug
from thalweg.raster.codec import stored

type Water = Literal["apart", "unknown", "exposed"]
type Keys = NDArray[Any]
type Sums = Mapping[str, NDArray[np.float64]]

BUILDINGS, AREA, WITHOUT_AREA, OUT = "buildings", "area_m2", "without_area", "outside"
DEPTH_SUM, DEEPEST = "depth_sum", "deepest"


@dataclass(frozen=True)
class Question:
    """What is asked of each building.

    `thresholds_m` are depths in metres, rising: a building is exposed at each that it stands
    deeper than. `water` says what buildings are that stand in nothing but special values, such as
    permanent water: counted apart, unknown, or exposed at every threshold, of a depth that nobody
    knows. `rules` say what the pixels are.
    """

    rules: PixelRules
    rule: Rule = Rule.MAX
    buffer_m: float = 0.0
    thresholds_m: tuple[float, ...] = (0.15, 0.5, 1.0)
    nodata: Nodata = "unknown"
    water: Water = "apart"
    damages: tuple[Damage, ...] = ()

    def __post_init__(self) -> None:
        rising = list(self.thresholds_m) == sorted(set(self.thresholds_m))
        if not self.thresholds_m or not rising or self.thresholds_m[0] < 0:
            raise UsageError(f"the thresholds {self.thresholds_m} are not positive and rising")
        convert(1, "m", self.rules.unit)

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """`thresholds_m` in the unit of the pixels, as these hold them."""
        dtype, unit = np.dtype(self.rules.dtype), self.rules.unit
        return np.array([stored(convert(one, "m", unit), dtype) for one in self.thresholds_m])

    @property
    def meanings(self) -> tuple[str, ...]:
        """The special values that are counted apart from what is unknown."""
        return () if self.water == "unknown" else tuple(one.meaning for one in self.rules.special)

    def to_json(self) -> dict[str, Any]:
        told = asdict(self)
        damages = [one.to_json() for one in self.damages]
        return {**told, "rule": self.rule.value, "rules": self.rules.to_json(), "damages": damages}


def above(threshold_m: float) -> str:
    """How a threshold stands in names of columns: above_50cm."""
    return f"above_{slug(f'{threshold_m * 100:g}')}cm"


@dataclass(frozen=True)
class Groups:
    """Which of `keys` (unique, rising) each building [n] belongs to, as an index; -1 is none."""

    keys: Keys
    labels: NDArray[np.int32]

    @classmethod
    def of(cls, keys: Keys, known: NDArray[np.bool_] | None = None) -> Groups:
        """The groups of buildings with these keys [n], of those that are known."""
        if known is None:
            known = np.ones(len(keys), bool)
        unique, labels = np.unique(keys[known], return_inverse=True)
        every = np.full(len(keys), -1, np.int32)
        every[known] = labels
        return cls(unique, every)


@dataclass(frozen=True)
class Exposure:
    """The sums of each key [n]: `fixed` ones [n] are the same for all layers, `layers` [n, bands].

    `deepest` [n, bands] is the greatest depth of an exposed building, 0 where none is.
    """

    keys: Keys
    fixed: Sums
    layers: Sums
    deepest: NDArray[np.float64]


def merged(parts: Iterable[Exposure]) -> Exposure:
    """What disjoint sets of buildings come to together."""
    held = list(parts)
    if len(held) == 1:
        return held[0]
    keys = np.unique(np.concatenate([part.keys for part in held]))
    places = [np.searchsorted(keys, part.keys) for part in held]

    def summed(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        total = np.zeros((len(keys), *values[0].shape[1:]))
        for place, one in zip(places, values, strict=True):
            total[place] += one
        return total

    deepest = np.zeros((len(keys), held[0].deepest.shape[1]))
    for place, part in zip(places, held, strict=True):
        deepest[place] = np.maximum(deepest[place], part.deepest)
    return Exposure(
        keys,
        {name: summed([part.fixed[name] for part in held]) for name in held[0].fixed},
        {name: summed([part.layers[name] for part in held]) for name in held[0].layers},
        deepest,
    )


class Aggregation:
    """Adds up the bands of one set of buildings, in several groupings at once."""

    def __init__(
        self, question: Question, groupings: Sequence[Groups], area_m2: NDArray[np.float64]
    ) -> None:
        """`area_m2` [n] is NaN where the area of a building is not known."""
        self._question = question
        self._groupings = groupings
        self._area = area_m2
        self._bands: list[list[Sums]] = [[] for _ in groupings]
        self._outside: list[NDArray[np.float64]] = []

    def add(self, depths: Depths) -> None:
        """Adds the next band."""
        question = self._question
        noted = depths.noted
        state, depth = depths.state[noted], depths.depth[noted]
        area = np.nan_to_num(self._area[noted])
        # Deeper than every one of the first so many thresholds.
        passed = np.searchsorted(question.thresholds, depth, side="left")
        if question.water == "exposed":
            passed[state >= SPECIAL] = len(question.thresholds)
        elif question.water == "unknown":
            state = np.where(state >= SPECIAL, np.uint8(UNKNOWN), state)
        metres = depth * convert(1, question.rules.unit, "m")
        damages = [(one.statistic, one.of(metres, self._area[noted])) for one in question.damages]
        for groups, bands in zip(self._groupings, self._bands, strict=True):
            labels = groups.labels[noted]
            counted = self._counted(labels, len(groups.keys), state, passed, metres, area)
            for name, lost in damages:
                counted[name] = _summed(labels, lost, len(groups.keys))
            bands.append(counted)

    def _counted(
        self,
        labels: NDArray[np.int32],
        groups: int,
        state: NDArray[np.uint8],
        passed: NDArray[np.intp],
        metres: NDArray[np.float64],
        area: NDArray[np.float64],
    ) -> dict[str, NDArray[np.float64]]:
        question = self._question
        states = np.zeros((SPECIAL + len(question.meanings), groups))
        exposed = np.zeros((len(question.thresholds_m), groups))
        exposed_area, known = np.zeros_like(exposed), np.zeros(groups)
        total, deepest = np.zeros(groups), np.zeros(groups)
        sums = states, exposed, exposed_area, known, total, deepest
        _count(labels, state, passed, metres, area, *sums)
        counted = {OUT: states[OUTSIDE], "unknown": states[UNKNOWN]}
        counted |= dict(zip(question.meanings, states[SPECIAL:], strict=True))
        for index, threshold in enumerate(question.thresholds_m):
            counted[f"exposed_{above(threshold)}"] = exposed[index]
            counted[f"exposed_area_{above(threshold)}_m2"] = exposed_area[index]
        return {**counted, "known_exposed": known, DEPTH_SUM: total, DEEPEST: deepest}

    def exposures(self) -> list[Exposure]:
        """The exposure in each grouping, of the bands so far."""
        return [
            self._exposure(groups, bands)
            for groups, bands in zip(self._groupings, self._bands, strict=True)
        ]

    def _exposure(self, groups: Groups, bands: list[Sums]) -> Exposure:
        count = len(groups.keys)
        known = np.isfinite(self._area)
        fixed = {
            BUILDINGS: _summed(groups.labels, np.ones(len(known)), count),
            AREA: _summed(groups.labels, np.nan_to_num(self._area), count),
            WITHOUT_AREA: _summed(groups.labels, (~known).astype(float), count),
            OUT: bands[0][OUT],
        }
        stacked = {name: np.stack([band[name] for band in bands]).T for name in bands[0]}
        del stacked[OUT]
        deepest = stacked.pop(DEEPEST)
        return Exposure(groups.keys, fixed, stacked, deepest)


def _summed(
    labels: NDArray[np.int32], values: NDArray[np.float64], groups: int
) -> NDArray[np.float64]:
    """The sum of values by label."""
    inside = labels >= 0
    return np.bincount(labels[inside], values[inside], minlength=groups).astype(np.float64)


@numba.njit(nogil=True, cache=True)
def _count(
    labels: Any,
    state: Any,
    passed: Any,
    metres: Any,
    area: Any,
    states: Any,
    exposed: Any,
    exposed_area: Any,
    known: Any,
    total: Any,
    deepest: Any,
) -> None:
    for k in range(labels.size):
        group = labels[k]
        if group < 0:
            continue
        states[state[k], group] += 1
        for threshold in range(passed[k]):
            exposed[threshold, group] += 1
            exposed_area[threshold, group] += area[k]
        if passed[k] and state[k] == MEASURED:
            known[group] += 1
            total[group] += metres[k]
            deepest[group] = max(deepest[group], metres[k])
