"""The matrix: what is expected, found, made and catalogued, and what is missing by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from thalweg.domain.coordinates import Coordinates


@dataclass(frozen=True)
class Level:
    """One kind of thing, from raw files to what the last step makes.

    `present` are those found (of files) or made (of artifacts). `catalogued` are those that have
    an item, or None for what is never catalogued.
    """

    name: str
    expected: frozenset[Coordinates]
    present: frozenset[Coordinates]
    catalogued: frozenset[Coordinates] | None = None

    @property
    def missing(self) -> frozenset[Coordinates]:
        return self.expected - self.present

    @property
    def surplus(self) -> frozenset[Coordinates]:
        """Present, but not expected."""
        return self.present - self.expected

    @property
    def uncatalogued(self) -> frozenset[Coordinates]:
        return frozenset() if self.catalogued is None else self.present - self.catalogued

    @property
    def complete(self) -> bool:
        return not (self.missing or self.uncatalogued)

    def split(self, dimensions: Iterable[str]) -> dict[Coordinates, Level]:
        """The level in parts that agree in these dimensions; nothing is lost or doubled."""
        names = tuple(dimensions)
        expected, present = _grouped(self.expected, names), _grouped(self.present, names)
        catalogued = None if self.catalogued is None else _grouped(self.catalogued, names)
        return {
            part: Level(
                self.name,
                expected.get(part, frozenset()),
                present.get(part, frozenset()),
                None if catalogued is None else catalogued.get(part, frozenset()),
            )
            for part in expected.keys() | present.keys() | (catalogued or {}).keys()
        }


def _grouped(
    those: Iterable[Coordinates], names: tuple[str, ...]
) -> dict[Coordinates, frozenset[Coordinates]]:
    groups: dict[Coordinates, set[Coordinates]] = {}
    for one in those:
        groups.setdefault(one.only(names), set()).add(one)
    return {part: frozenset(group) for part, group in groups.items()}


@dataclass(frozen=True)
class Matrix:
    """The levels of a pipeline, raw files first."""

    levels: tuple[Level, ...]

    @property
    def complete(self) -> bool:
        return all(level.complete for level in self.levels)

    def rows(self, dimensions: Iterable[str]) -> list[tuple[Coordinates, Matrix]]:
        """The matrix split by some dimensions that every level has; a level that has nothing
        in a row is empty there."""
        names = tuple(dimensions)
        splits = [level.split(names) for level in self.levels]
        parts = {part for split in splits for part in split}
        return [
            (
                part,
                Matrix(
                    tuple(
                        split.get(part) or _empty(level)
                        for level, split in zip(self.levels, splits, strict=True)
                    )
                ),
            )
            for part in parts
        ]


def _empty(level: Level) -> Level:
    nothing: frozenset[Coordinates] = frozenset()
    return Level(level.name, nothing, nothing, None if level.catalogued is None else nothing)
