"""Dimensions: what a delivery varies over, and how each value is written in names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

from thalweg.domain.coordinates import NONE, Coordinates
from thalweg.domain.tiles import TILE_NAME, Tile
from thalweg.errors import PipelineError, UnknownValue

VALUE_ID = re.compile(r"[a-z0-9_]+")
ANY_WORD = r"[^/]+?"


@dataclass(frozen=True)
class Value:
    """One value of a dimension: its id, the spellings that names use, and its number if it has one.

    An id holds lower-case letters, digits and underscores only: ids are joined by hyphens.
    """

    id: str
    aliases: tuple[str, ...] = ()
    number: float | None = None
    title: str = ""


@dataclass(frozen=True)
class Dimension:
    """A named axis of a delivery.

    `values` are in the dimension's order; without any, every spelling that `pattern` matches is
    a value (its lower-case form is the id). `pattern` is the regular expression of a spelling,
    looser than the values, so that an unknown value is recognised as one. `default` is the value
    of files that do not say. A `kind` of `tile` reads names of one-degree tiles.
    """

    name: str
    values: tuple[Value, ...] = ()
    pattern: str = ANY_WORD
    default: str | None = None
    unit: str | None = None
    kind: Literal["value", "tile"] = "value"
    title: str = ""
    _spellings: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_spellings", self._index_spellings())
        if self.kind == "tile":
            object.__setattr__(self, "pattern", TILE_NAME)
        if self.default is not None and self.default != NONE:
            self.read(self.default)

    def _index_spellings(self) -> dict[str, str]:
        spellings: dict[str, str] = {}
        for value in self.values:
            if not VALUE_ID.fullmatch(value.id):
                raise PipelineError(
                    f"value {value.id!r} of dimension {self.name!r} is not an id",
                    hint="use lower-case letters, digits and underscores; "
                    "put the spelling of names under aliases",
                )
            for spelling in (value.id, *value.aliases):
                known = spellings.setdefault(spelling.casefold(), value.id)
                if known != value.id:
                    raise PipelineError(
                        f"{spelling!r} of dimension {self.name!r} is both {known} and {value.id}"
                    )
        return spellings

    @property
    def ids(self) -> tuple[str, ...]:
        """The declared values in order; empty where every spelling is allowed."""
        return tuple(value.id for value in self.values)

    @property
    def may_be_none(self) -> bool:
        return self.default == NONE or NONE in self.ids

    def read(self, spelling: str) -> str:
        """The value that a spelling in a name means; raises `UnknownValue`."""
        if self.kind == "tile":
            return Tile.parse(spelling).name
        if self.values:
            known = self._spellings.get(spelling.casefold())
            if known is None:
                raise UnknownValue(
                    f"unknown {self.name} {spelling!r}; known are {', '.join(self.ids)}",
                    hint=f"if it is right, add it to dimensions.{self.name}.values",
                )
            return known
        value_id = spelling.casefold()
        if value_id != NONE and not self.could_mean(value_id):
            raise UnknownValue(
                f"{spelling!r} is no {self.name}: it should match {self.pattern} and hold letters, "
                "digits and underscores only",
                hint=f"if it is right, declare it under dimensions.{self.name}.values",
            )
        return value_id

    def value(self, value_id: str) -> Value:
        """The declared value of an id; for an open dimension, a value of that id alone."""
        return next((value for value in self.values if value.id == value_id), Value(value_id))

    def rank(self, value_id: str) -> tuple[int, str]:
        """Sorts ids in the dimension's order; those it does not declare come last, by name."""
        ids = self.ids
        return (ids.index(value_id) if value_id in ids else len(ids), value_id)

    def could_mean(self, value_id: str) -> bool:
        """Whether a spelling here could have this id."""
        if self.values:
            return value_id in self.ids
        return bool(
            VALUE_ID.fullmatch(value_id) and re.fullmatch(self.pattern, value_id, re.IGNORECASE)
        )


class Dimensions:
    """The dimensions of a pipeline, in the order in which they make up an id.

    The values that are `none` are left out of an id, so a dimension that may be `none` must share
    no value with any dimension behind it: else two coordinates could have one id. That is checked
    here, and is all that is needed for ids never to collide: at the first dimension in which two
    coordinates differ either both have a value there, and the ids differ in it, or one has a
    value that no later dimension of the other can have.
    """

    def __init__(self, dimensions: tuple[Dimension, ...]) -> None:
        self._by_name = {dimension.name: dimension for dimension in dimensions}
        if len(self._by_name) != len(dimensions):
            raise PipelineError("two dimensions have one name")
        for first, later in combinations(dimensions, 2):
            if first.may_be_none:
                _refuse_shared_values(first, later)

    def __iter__(self) -> Iterator[Dimension]:
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> Dimension:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    def coordinates(self, values: Mapping[str, str]) -> Coordinates:
        """Coordinates of these values, in the order of the dimensions."""
        return Coordinates(tuple((n, values[n]) for n in self._by_name if n in values))

    def sort_key(self, coordinates: Coordinates) -> tuple[tuple[int, str], ...]:
        """Sorts coordinates by each dimension's own order, first dimension first."""
        return tuple(
            self[name].rank(value) if name in self else (0, value)
            for name, value in coordinates.items()
        )


def _refuse_shared_values(first: Dimension, later: Dimension) -> None:
    shared = [value for value in _examples(first, later) if later.could_mean(value)]
    if shared:
        raise PipelineError(
            f"dimensions {first.name!r} (which may be none) and {later.name!r} share the value "
            f"{shared[0]!r}, so two files could get one id",
            hint="give the values of one of them a prefix, or declare its values",
        )


def _examples(first: Dimension, later: Dimension) -> list[str]:
    """Values of `first` that `later` might have too; for two open ones, any that either names."""
    if first.values:
        return [value for value in first.ids if value != NONE]
    if later.kind == "tile":
        return [name for name in ("n00e000", "s01w001") if first.could_mean(name)]
    if later.values:
        return [value for value in later.ids if value != NONE and first.could_mean(value)]
    raise PipelineError(
        f"dimensions {first.name!r} (which may be none) and {later.name!r} are both open, so two "
        "files could get one id",
        hint="declare the values of one of them",
    )
