"""Grammars: what a path says about a file, by patterns over its folders and its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from thalweg.domain.coordinates import Coordinates
from thalweg.domain.dimensions import Dimensions
from thalweg.errors import (
    ConflictingName,
    MissingCoordinate,
    NamingError,
    PipelineError,
    UnmatchedName,
)

_TOKEN = re.compile(r"\{(?P<name>\w+)\}|(?P<open>\[)|(?P<close>\])|(?P<text>[^{}\[\]]+)")
ANYTHING = "_"


@dataclass(frozen=True)
class Pattern:
    """A pattern such as `[{region}/]{peril}_{defence}/{year}[/{scenario}]`.

    `{name}` stands for a spelling of that dimension, `{_}` for anything within one folder or
    name, brackets for what may be absent. A dimension may stand more than once; its spellings
    must then mean one value.
    """

    text: str
    regex: re.Pattern[str]

    @classmethod
    def compile(cls, text: str, dimensions: Dimensions) -> Pattern:
        """Raises `PipelineError` for an unknown dimension or unbalanced brackets."""
        parts: list[str] = []
        position = depth = 0
        while position < len(text):
            token = _TOKEN.match(text, position)
            if token is None:
                raise PipelineError(f"pattern {text!r} cannot be read from {text[position:]!r} on")
            depth += bool(token["open"]) - bool(token["close"])
            if depth < 0:
                break
            parts.append(_expression(token, len(parts), text, dimensions))
            position = token.end()
        if depth:
            raise PipelineError(f"the brackets of pattern {text!r} do not match")
        return cls(text, re.compile("".join(parts), re.IGNORECASE))

    def spellings(self, text: str) -> dict[str, list[str]] | None:
        """What each dimension is spelled as in `text`; None where the pattern does not match."""
        match = self.regex.fullmatch(text)
        if match is None:
            return None
        found: dict[str, list[str]] = {}
        for group, spelling in match.groupdict().items():
            if spelling is not None:
                found.setdefault(group.rpartition("__")[0], []).append(spelling)
        return found


def _expression(token: re.Match[str], index: int, text: str, dimensions: Dimensions) -> str:
    if token["open"]:
        return "(?:"
    if token["close"]:
        return ")?"
    if token["text"]:
        return re.escape(token["text"])
    name = token["name"]
    if name == ANYTHING:
        return "[^/]*"
    if name not in dimensions:
        raise PipelineError(
            f"pattern {text!r} names {name!r}, which is no dimension",
            hint=f"dimensions are {', '.join(dimensions.names)}",
        )
    return f"(?P<{name}__{index}>{dimensions[name].pattern})"


class Grammar:
    """Reads paths: the folder part by `folders`, the last part by `names`.

    Both are read, and where both speak of a dimension they must agree. `given` are values for
    dimensions that a path does not speak of, before the dimensions' own defaults.
    """

    def __init__(
        self,
        dimensions: Dimensions,
        folders: Iterable[str],
        names: Iterable[str],
        ignore: Iterable[str] = (),
    ) -> None:
        self._dimensions = dimensions
        self._folders = tuple(Pattern.compile(text, dimensions) for text in folders)
        self._names = tuple(Pattern.compile(text, dimensions) for text in names)
        self._ignore = tuple(ignore)

    def ignores(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        return any(fnmatchcase(path, glob) or fnmatchcase(name, glob) for glob in self._ignore)

    def read(self, path: str, given: Mapping[str, str] | None = None) -> Coordinates:
        """The coordinates of a path; raises a `NamingError` that names the path."""
        folder, _, name = path.rpartition("/")
        try:
            from_folder = self._reading(folder, self._folders, "folder", "grammar.folders")
            from_name = self._reading(name, self._names, "file name", "grammar.names")
            return self._joined(from_folder, from_name, given or {})
        except NamingError as error:
            error.where = path
            raise

    def _reading(
        self, text: str, patterns: tuple[Pattern, ...], part: str, field: str
    ) -> dict[str, str]:
        readings: list[dict[str, str]] = []
        problems: list[NamingError] = []
        for pattern in patterns:
            spellings = pattern.spellings(text)
            if spellings is None:
                continue
            try:
                reading = self._values(spellings)
            except NamingError as problem:
                problems.append(problem)
                continue
            if reading not in readings:
                readings.append(reading)
        if len(readings) == 1:
            return readings[0]
        if readings:
            raise ConflictingName(f"the {part} {text!r} can be read in {len(readings)} ways")
        if problems:
            raise problems[0]
        raise UnmatchedName(
            f"no pattern matches the {part} {text!r}",
            hint=f"add a pattern to {field}, or the file to grammar.ignore",
        )

    def _values(self, spellings: Mapping[str, list[str]]) -> dict[str, str]:
        reading: dict[str, str] = {}
        for name, written in spellings.items():
            values = {self._dimensions[name].read(spelling) for spelling in written}
            if len(values) > 1:
                raise ConflictingName(f"{name} is written both {' and '.join(sorted(written))}")
            reading[name] = values.pop()
        return reading

    def _joined(
        self, folder: Mapping[str, str], name: Mapping[str, str], given: Mapping[str, str]
    ) -> Coordinates:
        for spoken in folder.keys() & name.keys():
            if folder[spoken] != name[spoken]:
                raise ConflictingName(
                    f"the folder says {spoken} {folder[spoken]}, the file name says {name[spoken]}",
                    hint="move or rename the file: Thalweg does not choose",
                )
        values = {**given, **folder, **name}
        for dimension in self._dimensions:
            if dimension.name in values:
                continue
            if dimension.default is None:
                raise MissingCoordinate(
                    f"the path does not say which {dimension.name}",
                    hint=f"name it in a pattern, set it by --set {dimension.name}=…, "
                    f"or declare dimensions.{dimension.name}.default",
                )
            values[dimension.name] = dimension.default
        return self._dimensions.coordinates(values)
