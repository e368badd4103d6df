"""The choice among scenarios: what each dimension may still be, given those before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from thalweg.domain.coordinates import NONE

FAVOURITE_PERIOD = 100.0
"""The return period, in years, that is shown where none is asked for."""

type Scenario = Mapping[str, str]
"""The value of each dimension; `none` where it has none."""


@dataclass(frozen=True)
class Option:
    """One value; `there` says whether a scenario has it with what was chosen before."""

    value: str
    title: str
    chosen: bool
    there: bool


@dataclass(frozen=True)
class Dimension:
    """One dimension that scenarios differ in, and its values."""

    name: str
    title: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Choice:
    """A scenario that there is, and the dimensions by which to choose another."""

    scenario: Scenario
    dimensions: tuple[Dimension, ...]
    kept: bool
    """Whether all that was wished for could be had."""


@dataclass(frozen=True)
class Titles:
    """What dimensions and their values are called, where a pipeline tells it."""

    dimensions: Mapping[str, str]
    values: Mapping[tuple[str, str], str]
    ranks: Mapping[tuple[str, str], int]

    def of_value(self, dimension: str, value: str) -> str:
        return self.values.get((dimension, value)) or value

    def of_dimension(self, dimension: str) -> str:
        return self.dimensions.get(dimension) or dimension.replace("_", " ")

    def rank(self, dimension: str, value: str) -> tuple[int, str]:
        return self.ranks.get((dimension, value), -1 if value == NONE else len(self.ranks)), value


def choose(scenarios: Sequence[Scenario], wished: Mapping[str, str], titles: Titles) -> Choice:
    """The scenario that is nearest to the wish, dimension by dimension in their order.

    A wish that no scenario has with those before it gives way to the first value that one has.
    `scenarios` is not empty, and all have the same dimensions. Those that some scenario lacks come
    last: today's climate has no emission scenario, and whoever asks for 2050 is to be given one.
    """
    names = sorted(scenarios[0], key=lambda name: any(one[name] == NONE for one in scenarios))
    left = list(scenarios)
    chosen: dict[str, str] = {}
    dimensions = []
    for name in names:
        there = _sorted({one[name] for one in left}, name, titles)
        every = _sorted({one[name] for one in scenarios}, name, titles)
        value = wished[name] if wished.get(name) in there else there[0]
        chosen[name] = value
        left = [one for one in left if one[name] == value]
        if len(every) > 1:
            options = tuple(
                Option(one, titles.of_value(name, one), one == value, one in there) for one in every
            )
            dimensions.append(Dimension(name, titles.of_dimension(name), options))
    kept = all(wished.get(name, value) == value for name, value in chosen.items())
    return Choice(chosen, tuple(dimensions), kept)


def nearest_period(periods: Sequence[float], wished: str) -> float:
    """The return period that is nearest to the wish, or to the favourite; `periods` has one."""
    try:
        wanted = float(wished)
    except ValueError:
        wanted = FAVOURITE_PERIOD
    return min(periods, key=lambda one: abs(one - wanted))


def _sorted(values: Iterable[str], name: str, titles: Titles) -> list[str]:
    return sorted(values, key=lambda value: titles.rank(name, value))
