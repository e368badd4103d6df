"""The survey of a delivery: which file stands for which coordinates, and which files for none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from thalweg.domain.coordinates import Coordinates
from thalweg.errors import (
    DuplicateCoordinates,
    NamingError,
    ThalwegError,
    UnexpectedCoordinates,
    WrongGrid,
)
from thalweg.pipelines.choice import Choice
from thalweg.pipelines.schema import Pipeline

type Claims = Mapping[Coordinates, Sequence[RawFile]]


@dataclass(frozen=True)
class RawFile:
    """A file of the delivery.

    `facts` come from its inspection and are empty before it; `problem` is why it was rejected.
    """

    key: str
    size: int
    etag: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    problem: ThalwegError | None = None


@dataclass(frozen=True)
class Survey:
    """What a delivery holds within a choice.

    `named` are the files whose path could be read, `unnamed` the others, with the reason. `usable`
    are the files that stand for expected coordinates, alone and sound. `refused` are named files
    that are not usable, with the reason, and `blamed` those reasons by coordinates.
    """

    expected: frozenset[Coordinates]
    named: Mapping[str, Coordinates]
    unnamed: Mapping[str, ThalwegError]
    usable: Mapping[Coordinates, RawFile]
    refused: Mapping[str, ThalwegError]
    blamed: Mapping[Coordinates, Sequence[ThalwegError]]

    @property
    def misplaced(self) -> dict[str, ThalwegError]:
        """Files that their name alone rules out: unreadable, unexpected or claimed twice."""
        refused = {k: error for k, error in self.refused.items() if isinstance(error, NamingError)}
        return {**self.unnamed, **refused}


def survey(pipeline: Pipeline, files: Iterable[RawFile], choice: Choice) -> Survey:
    """Reads the names of all files, and finds what is expected, unusable, or claimed twice."""
    claims, unnamed = _read_names(pipeline, files, choice)
    expected = pipeline.expect.domain().expected(
        claims, pipeline.domain_dimensions, choice.selection
    )
    strangers = _strangers_to_the_grid(pipeline, claims)
    usable: dict[Coordinates, RawFile] = {}
    refused: dict[str, ThalwegError] = {}
    blamed: dict[Coordinates, list[ThalwegError]] = defaultdict(list)
    for coordinates, claimants in claims.items():
        for file in claimants:
            problem = _misplaced(coordinates, file, claimants, expected)
            problem = problem or file.problem or strangers.get(file.key)
            if problem is None:
                usable[coordinates] = file
            else:
                refused[file.key] = problem
                blamed[coordinates].append(problem)
    named = {file.key: one for one, claimants in claims.items() for file in claimants}
    return Survey(expected, named, unnamed, usable, refused, blamed)


def source_prefix(pipeline: Pipeline, choice: Choice) -> str:
    """The folder of the source zone that a run looks at."""
    return "/".join(part for part in (pipeline.source.prefix.strip("/"), choice.prefix) if part)


def _read_names(
    pipeline: Pipeline, files: Iterable[RawFile], choice: Choice
) -> tuple[Claims, dict[str, ThalwegError]]:
    grammar = pipeline.domain_grammar()
    given = {
        name: next(iter(values))
        for name, values in choice.selection.items()
        if pipeline.dimensions[name].given and len(values) == 1
    }
    prefix = source_prefix(pipeline, choice)
    claims: dict[Coordinates, list[RawFile]] = defaultdict(list)
    unnamed: dict[str, ThalwegError] = {}
    for file in files:
        if grammar.ignores(file.key):
            continue
        try:
            path = file.key.removeprefix(f"{prefix}/") if prefix else file.key
            coordinates = grammar.read(path, given)
        except NamingError as error:
            error.where = file.key
            unnamed[file.key] = error
            continue
        if coordinates.within(choice.selection):
            claims[coordinates].append(file)
    return claims, unnamed


def _misplaced(
    coordinates: Coordinates,
    file: RawFile,
    claimants: Sequence[RawFile],
    expected: frozenset[Coordinates],
) -> ThalwegError | None:
    if len(claimants) > 1:
        others = ", ".join(one.key for one in claimants if one is not file)
        return DuplicateCoordinates(
            f"claims the same coordinates ({coordinates.id}) as {others}",
            where=file.key,
            hint="remove all but one: Thalweg does not choose",
        )
    if coordinates not in expected:
        return UnexpectedCoordinates(
            f"the pipeline expects nothing at {coordinates.id}",
            where=file.key,
            hint="move it, or add its values to the pipeline's expect, or choose them by --set",
        )
    return None


def _strangers_to_the_grid(pipeline: Pipeline, claims: Claims) -> dict[str, ThalwegError]:
    """Tiles whose pixel size is not that of most, where the pipeline does not declare one."""
    if pipeline.grid.pixel is not None or pipeline.tile_dimension is None:
        return {}
    sizes = {
        file.key: (round(transform[0], 12), round(-transform[4], 12))
        for claimants in claims.values()
        for file in claimants
        if (transform := file.facts.get("grid", {}).get("transform"))
    }
    if len(set(sizes.values())) < 2:
        return {}
    usual, count = Counter(sizes.values()).most_common(1)[0]
    return {
        key: WrongGrid(
            f"its pixels are {size[0]:.10g} x {size[1]:.10g}, those of {count} other files are "
            f"{usual[0]:.10g} x {usual[1]:.10g}",
            where=key,
            hint="deliver it on the grid of the others, or declare grid.pixel",
        )
        for key, size in sizes.items()
        if size != usual
    }
