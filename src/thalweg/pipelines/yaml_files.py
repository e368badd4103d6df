"""YAML files read into a model; every fault is named with its line and column."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from thalweg.errors import ThalwegError


@dataclass(frozen=True)
class Location:
    """The places of a YAML text's fields; `where` names the text.

    `tags` name models that a list's entries may be of: behind an entry's number they stand for
    nothing in the text.
    """

    tree: yaml.Node | None
    where: str
    tags: Collection[str] = ()

    def of(self, path: Sequence[int | str], *, key: bool = False) -> str:
        """`where:line:column` of a field, or of the nearest above it that exists.

        That is where its value begins, or with `key` its name.
        """
        node = self.tree
        parts = self.fields(path)
        for depth, part in enumerate(parts):
            below = _child(node, part, key=key and depth == len(parts) - 1)
            if below is None:
                break
            node = below
        return f"{self.where}{_position(node)}"

    def fields(self, path: Sequence[int | str]) -> list[int | str]:
        """A path without its tags."""
        before = (None, *path)
        return [
            part
            for part, above in zip(path, before, strict=False)
            if not (part in self.tags and isinstance(above, int))
        ]


def read_text(path: Path, error: type[ThalwegError]) -> str:
    """The text of a file; raises `error` where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise error(f"cannot be read: {fault}", where=str(path)) from fault


def read_model[T: BaseModel](
    model: type[T],
    text: str,
    where: str,
    error: type[ThalwegError],
    *,
    hint: str,
    tags: Collection[str] = (),
) -> tuple[T, Location]:
    """The model of a YAML text, and where its fields stand; raises `error` for the first fault."""
    try:
        tree = yaml.compose(text, yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        at = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise error(f"not YAML: {fault.problem or fault.context}", where=f"{where}{at}") from fault
    if not isinstance(document, dict):
        raise error("the file should hold a mapping of fields", where=f"{where}:1:1", hint=hint)
    _refuse_repeated_fields(tree, where, error)
    location = Location(tree, where, tags)
    try:
        return model.model_validate(document), location
    except ValidationError as fault:
        raise _named(fault, location, error, hint) from fault


def _refuse_repeated_fields(
    node: yaml.Node | None,
    where: str,
    error: type[ThalwegError],
    above: tuple[yaml.Node, ...] = (),
) -> None:
    if node in above:
        raise error("this anchor refers to itself", where=f"{where}{_position(node)}")
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise error(f"field {key.value!r} stands twice", where=f"{where}{_position(key)}")
            seen.add(key.value)
            _refuse_repeated_fields(value, where, error, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_repeated_fields(value, where, error, (*above, node))


def _named(
    fault: ValidationError, location: Location, error: type[ThalwegError], hint: str
) -> ThalwegError:
    faults = fault.errors()
    first = faults[0]
    path = tuple(first["loc"])
    field = ".".join(map(str, location.fields(path)))
    others = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    return error(
        f"{field}: {_said(first)}{others}",
        where=location.of(path, key=first["type"] == "extra_forbidden"),
        hint=hint,
    )


def _said(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "no such field"
    if fault["type"] == "missing":
        return "this field is missing"
    return str(fault["msg"])


def _child(node: yaml.Node | None, part: int | str, *, key: bool) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        pair = next((pair for pair in node.value if pair[0].value == str(part)), (None, None))
        return pair[0] if key else pair[1]
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        found = node.value[part]
        return found if isinstance(found, yaml.Node) else None
    return None


def _position(node: yaml.Node | None) -> str:
    return f":{node.start_mark.line + 1}:{node.start_mark.column + 1}" if node else ""
