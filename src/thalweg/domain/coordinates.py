"""Coordinates: where in its dimensions a file, an artifact or an item stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

NONE = "none"


@dataclass(frozen=True)
class Coordinates:
    """An immutable value for each of some dimensions, in the order of the dimensions.

    The `id` joins the values by hyphens and leaves out those that are `none`: a dimension that
    does not apply.
    """

    pairs: tuple[tuple[str, str], ...]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.pairs)

    def __getitem__(self, name: str) -> str:
        return dict(self.pairs)[name]

    def __contains__(self, name: object) -> bool:
        return any(name == known for known, _ in self.pairs)

    def get(self, name: str) -> str | None:
        return dict(self.pairs).get(name)

    def items(self) -> tuple[tuple[str, str], ...]:
        return self.pairs

    def to_json(self) -> dict[str, str]:
        return dict(self.pairs)

    @property
    def id(self) -> str:
        return "-".join(value for _, value in self.pairs if value != NONE)

    def without(self, *names: str) -> Coordinates:
        """The coordinates in all other dimensions."""
        return Coordinates(tuple(pair for pair in self.pairs if pair[0] not in names))

    def only(self, names: Iterable[str]) -> Coordinates:
        """The coordinates in these dimensions, in the order they have here."""
        wanted = set(names)
        return Coordinates(tuple(pair for pair in self.pairs if pair[0] in wanted))

    def replaced(self, name: str, new_name: str, value: str) -> Coordinates:
        """The same coordinates with one dimension exchanged for another, in its place."""
        return Coordinates(
            tuple((new_name, value) if pair[0] == name else pair for pair in self.pairs)
        )

    def within(self, selection: Mapping[str, frozenset[str]]) -> bool:
        """Whether each selected dimension that stands here has one of the selected values."""
        return all(value in selection[name] for name, value in self.pairs if name in selection)

    def __str__(self) -> str:
        return self.id
