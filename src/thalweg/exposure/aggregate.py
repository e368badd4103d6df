"""Exposure: what of the buildings of each place stands in the water, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numba
import numpy as np
from numpy.typing import NDArray

from thalweg.domain.pixels import PixelRules
from thalweg.domain.units import convert
from thalweg.errors import UsageError
from thalweg.exposure.damage import Damage
from thalweg.exposure.pixel_lists import Rule
from thalweg.exposure.sampling import MEASURED, OUTSIDE, SPECIAL, Depths, Nodata
from thalweg.hexagons.layers import above
from thalweg.raster.codec import stored

type Water = Literal["apart", "unknown", "exposed"]
type Keys = NDArray[Any]
type Losses = Sequence[NDArray[np.float64]]
type Sums = Mapping[str, NDArray[Any]]

BUILDINGS, AREA, WITHOUT_AREA, OUT = "buildings", "area_m2", "without_area", "outside"
FIXED = (BUILDINGS, AREA, WITHOUT_AREA, OUT)
DEPTH_SUM = "depth_sum"


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


@dataclass(frozen=True)
class Groups:
    """Which of `keys` (unique, rising) each building [n] belongs to, as an index; -1 is none."""

    keys: Keys
    labels: NDArray[np.int32]

    @classmethod
    def of(cls, keys: Keys) -> Self:
        """The groups of buildings with these keys [n]; quickest where equal ones follow upon each
        other."""
        starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
        unique, labels = np.unique(keys[starts], return_inverse=True)
        lengths = np.diff(starts, append=len(keys))
        return cls(unique, np.repeat(labels.astype(np.int32), lengths))


@dataclass(frozen=True)
class Exposure:
    """The sums of each key [n]: `fixed` ones [n] are the same for all layers, `layers` [n, bands].

    `deepest` [n, bands] is the greatest depth of an exposed building, 0 where none is.
    """

    keys: Keys
    fixed: Sums
    layers: Sums
    deepest: NDArray[np.float32]

    def part(self, rows: slice) -> Exposure:
        """That of some of the keys."""
        return Exposure(
            self.keys[rows],
            {name: values[rows] for name, values in self.fixed.items()},
            {name: values[rows] for name, values in self.layers.items()},
            self.deepest[rows],
        )


class Aggregation:
    """Adds up the bands of buildings in one grouping, whose groups have the `keys`.

    Buildings come in any number of parts, which come to what the whole does: counts are whole
    numbers, and depths are summed in the unit of the pixels, exactly where that is whole too.
    """

    def __init__(self, question: Question, keys: Keys, bands: int) -> None:
        groups, thresholds = len(keys), len(question.thresholds_m)
        self._question = question
        self._keys = keys
        self._fixed = {name: np.zeros(groups) for name in FIXED}
        # A layer's counts lie side by side, as a column of a table does.
        self._apart = np.zeros((bands, 1 + len(question.meanings), groups), np.int32)
        self._exposed = np.zeros((bands, thresholds, groups), np.int32)
        self._area = np.zeros((bands, thresholds, groups))
        self._known = np.zeros((bands, groups), np.int32)
        self._total = np.zeros((bands, groups))
        self._deepest = np.zeros((bands, groups), np.float32)
        self._lost = np.zeros((bands, len(question.damages), groups))

    def place(self, keys: Keys) -> NDArray[np.int64]:
        """Where groups of these keys stand here; what has the label -1 stays out."""
        return np.append(np.searchsorted(self._keys, keys), -1)

    def add_fixed(self, places: NDArray[np.int64], fixed: Sums) -> None:
        """Adds what is the same for all bands, of groups at these places."""
        for name, values in fixed.items():
            self._fixed[name][places[:-1]] += values

    def add(
        self,
        band: int,
        depths: Depths,
        labels: NDArray[np.int32],
        places: NDArray[np.int64],
        area_m2: NDArray[np.float64],
        losses: Losses,
    ) -> None:
        """Adds a band, counted from 0, of buildings [n] whose groups stand at `places[labels]`.

        `area_m2` is NaN where it is not known. `losses` are those of `losses_of` for the question's
        damages.
        """
        question = self._question
        _add(
            depths.noted,
            depths.state,
            depths.depth,
            labels,
            places,
            area_m2,
            question.thresholds,
            question.water == "exposed",
            self._apart[band],
            self._exposed[band],
            self._area[band],
            self._known[band],
            self._total[band],
            self._deepest[band],
        )
        for lost, sums in zip(losses, self._lost[band], strict=True):
            _add_values(depths.noted, labels, places, lost, sums)

    def exposure(self) -> Exposure:
        """What all that was added comes to; to be called once."""
        question = self._question
        metre = convert(1, question.rules.unit, "m")
        layers: dict[str, NDArray[Any]] = {"unknown": self._apart[:, 0].T}
        for index, meaning in enumerate(question.meanings):
            layers[meaning] = self._apart[:, 1 + index].T
        for index, threshold in enumerate(question.thresholds_m):
            layers[f"exposed_{above(threshold)}"] = self._exposed[:, index].T
            layers[f"exposed_area_{above(threshold)}_m2"] = self._area[:, index].T
        self._total *= metre
        np.multiply(self._deepest, metre, out=self._deepest, dtype=np.float64, casting="same_kind")
        layers |= {"known_exposed": self._known.T, DEPTH_SUM: self._total.T}
        for index, damage in enumerate(question.damages):
            layers[damage.statistic] = self._lost[:, index].T
        return Exposure(self._keys, self._fixed, layers, self._deepest.T)


def fixed_sums(
    labels: NDArray[np.int32],
    groups: int,
    area_m2: NDArray[np.float64],
    outside: NDArray[np.bool_],
) -> Sums:
    """The sums [groups] of buildings [n] that no raster's depths change."""
    known = np.isfinite(area_m2)
    weights = (None, np.nan_to_num(area_m2), ~known, outside)
    # What belongs to no group is counted before the first.
    return {
        name: np.bincount(labels + 1, weight, minlength=groups + 1)[1:].astype(np.float64)
        for name, weight in zip(FIXED, weights, strict=True)
    }


def losses_of(question: Question, depths: Depths, area_m2: NDArray[np.float64]) -> Losses:
    """What each of the buildings noted loses, by damage."""
    if not question.damages:
        return []
    noted = depths.noted
    metres = depths.depth[noted] * convert(1, question.rules.unit, "m")
    return [one.of(metres, area_m2[noted]) for one in question.damages]


@numba.njit(nogil=True, cache=True)
def _add(
    noted: Any,
    state: Any,
    depth: Any,
    labels: Any,
    places: Any,
    area_m2: Any,
    thresholds: Any,
    water_exposed: bool,
    apart: Any,
    exposed: Any,
    exposed_area: Any,
    known: Any,
    total: Any,
    deepest: Any,
) -> None:
    for k in noted:
        group = places[labels[k]]
        if group < 0 or state[k] == OUTSIDE:
            continue
        passed = 0
        if state[k] == MEASURED:
            while passed < thresholds.size and depth[k] > thresholds[passed]:
                passed += 1
            if passed:
                known[group] += 1
                total[group] += depth[k]
                deepest[group] = max(deepest[group], depth[k])
        else:
            # Special values that are not told apart are unknown.
            meaning = state[k] - SPECIAL + 1 if state[k] >= SPECIAL else 0
            apart[meaning if meaning < len(apart) else 0, group] += 1
            if water_exposed and meaning:
                passed = thresholds.size
        area = area_m2[k] if area_m2[k] == area_m2[k] else 0.0
        for threshold in range(passed):
            exposed[threshold, group] += 1
            exposed_area[threshold, group] += area


@numba.njit(nogil=True, cache=True)
def _add_values(noted: Any, labels: Any, places: Any, values: Any, sums: Any) -> None:
    for index in range(noted.size):
        group = places[labels[noted[index]]]
        if group >= 0:
            sums[group] += values[index]
