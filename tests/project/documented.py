"""What a reader can meet, by the name that the documentation must give it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from typer.core import TyperArgument


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """`concern.name` of every setting of the model and of the models in it."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if inner:
            yield from settings_of(inner[0], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def commands_of(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command that takes something or does something, with its full name; none hidden."""
    if command.hidden:
        return
    inner = getattr(command, "commands", {})
    if not inner or command.params:
        yield path, command
    for name in inner:
        yield from commands_of(inner[name], f"{path} {name}")


def parameters_of(command: Any) -> Iterator[str]:
    """The long name of every option and the name of every argument in capitals."""
    for parameter in command.params:
        if isinstance(parameter, TyperArgument):
            yield (parameter.metavar or parameter.name).upper()
        elif not parameter.hidden:
            yield max(parameter.opts, key=len)


def fields_of(schema: dict[str, Any]) -> Iterator[str]:
    """The path of every field in a JSON Schema: `a.b`, `a[].b` in lists, `a.*.b` in maps."""
    yield from _fields(schema, schema.get("$defs", {}), "", ())


def operators_of(schema: dict[str, Any]) -> dict[str, set[str]]:
    """The fields of a step of each operator."""
    models = (model.get("properties", {}) for model in schema["$defs"].values())
    return {fields["operator"]["const"]: set(fields) for fields in models if "operator" in fields}


def _fields(
    node: dict[str, Any], definitions: dict[str, Any], path: str, within: tuple[str, ...]
) -> Iterator[str]:
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name not in within:
            yield from _fields(definitions[name], definitions, path, (*within, name))
    for branch in [*node.get("anyOf", []), *node.get("oneOf", []), *node.get("allOf", [])]:
        yield from _fields(branch, definitions, path, within)
    for name, field in node.get("properties", {}).items():
        inner = f"{path}.{name}" if path else name
        yield inner
        yield from _fields(field, definitions, inner, within)
    mapped = [node.get("additionalProperties"), *node.get("patternProperties", {}).values()]
    for below, suffix in [(node.get("items"), "[]"), *((one, ".*") for one in mapped)]:
        if isinstance(below, dict):
            yield from _fields(below, definitions, path + suffix, within)


def rows(page: str) -> set[str]:
    """What stands in code quotes at the beginning of the rows of a page's tables."""
    return set(re.findall(r"(?m)^\| `([^`]+)` \|", page))


def sections(page: str) -> dict[str, str]:
    """The text under each heading of a Markdown page, up to the next heading of any level."""
    without_fences = re.sub(r"(?ms)^```.*?^```$", lambda block: block[0].replace("#", " "), page)
    parts = re.split(r"(?m)^#+ +(.+?)(?: *\{.*\})?$", without_fences)
    return dict(zip((title.strip("` ") for title in parts[1::2]), parts[2::2], strict=True))


def quoted(page: str) -> set[str]:
    """Everything that a page sets in code quotes within its text."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```$", "", page)))
