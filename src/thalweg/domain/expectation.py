"""What a delivery ought to hold, from what the pipeline declares and what is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from thalweg.domain.coordinates import NONE, Coordinates
from thalweg.domain.dimensions import Dimensions
from thalweg.errors import PipelineError

Selection = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Declared:
    """Combinations that ought to exist even if no file of them is there.

    They apply where `when` holds: where each of its dimensions has one of its values in some file
    found or in the selection. `combine` gives the values of the observed dimensions.
    """

    when: Mapping[str, tuple[str, ...]]
    combine: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Expectation:
    """The rule by which one knows what is missing.

    The dimensions of `observed` are known only from the delivery: every combination of them that
    any file has is expected. Each is combined with every row of `combinations`, with those rows of
    `if_found` that some file has, and, in the dimensions that neither names, with all of `values`.
    """

    observed: tuple[str, ...]
    combinations: tuple[Mapping[str, tuple[str, ...]], ...]
    values: Mapping[str, tuple[str, ...]]
    declared: tuple[Declared, ...] = ()
    if_found: tuple[Mapping[str, tuple[str, ...]], ...] = ()

    def check(self, dimensions: Dimensions) -> None:
        """Raises `PipelineError` unless each dimension is spoken of exactly once."""
        combined = self.combinations[0].keys() if self.combinations else set[str]()
        if any(row.keys() != combined for row in (*self.combinations, *self.if_found)):
            raise PipelineError(
                "every row of expect.combinations and expect.if_found must name the same dimensions"
            )
        spoken = [*self.observed, *combined, *self.values]
        for name in spoken:
            if name not in dimensions:
                raise PipelineError(f"expect names {name!r}, which is no dimension")
            if spoken.count(name) > 1:
                raise PipelineError(f"expect names {name!r} twice")
        for name in dimensions.names:
            if name not in spoken:
                raise PipelineError(
                    f"expect does not say what is expected of {name!r}",
                    hint="name it under expect.observed, expect.combinations or expect.values",
                )

    def expected(
        self, found: Iterable[Coordinates], dimensions: Dimensions, selection: Selection
    ) -> frozenset[Coordinates]:
        """All coordinates that ought to have a file, within the selection.

        A selection replaces the expected values of a dimension under `values`: whoever selects a
        value that is not expected by default asks for it.
        """
        found = list(found)
        observed = self._observed(found, selection)
        combinations = self._combinations(found)
        values = {
            name: tuple(sorted(selection[name])) if name in selection else default
            for name, default in self.values.items()
        }
        rows = [*_products(values)]
        everything = (
            dimensions.coordinates({**place, **combination, **rest})
            for place in observed
            for combination in combinations
            for rest in rows
        )
        return frozenset(one for one in everything if one.within(selection))

    def _combinations(self, found: Sequence[Coordinates]) -> list[dict[str, str]]:
        always = [row for rows in self.combinations or ({},) for row in _products(rows)]
        names = set().union(*self.if_found)
        seen = [one.only(names).to_json() for one in {one.only(names) for one in found}]
        return always + [row for rows in self.if_found for row in _products(rows) if row in seen]

    def _observed(
        self, found: Sequence[Coordinates], selection: Selection
    ) -> Iterable[dict[str, str]]:
        places = {one.only(self.observed) for one in found if one.within(selection)}
        seen = {name: {one[name] for one in found} for name in self.observed}
        for declared in self.declared:
            if all(
                set(values) & (selection.get(name) or seen[name])
                for name, values in declared.when.items()
            ):
                combine = {**declared.when, **declared.combine}
                places |= {
                    Coordinates(tuple((name, row.get(name, NONE)) for name in self.observed))
                    for row in _products(combine)
                }
        return [place.to_json() for place in places]


def _products(values: Mapping[str, Sequence[str]]) -> Iterable[dict[str, str]]:
    for row in product(*values.values()):
        yield dict(zip(values, row, strict=True))
