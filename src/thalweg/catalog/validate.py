"""Holding STAC documents against the specification and its extensions, without a network.

The core schemas are pystac's. Those of the extensions, under `schemas/`, are Thalweg's own
statements of their rules: a document of an extension that has none there is checked without it,
and the answer says so.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import pystac
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from jsonschema.exceptions import ValidationError, best_match  # type: ignore[import-untyped]
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from referencing import Registry, Resource

from thalweg.catalog.ledger import Document
from thalweg.catalog.stac import STAC_VERSION
from thalweg.errors import InvalidItem

_SPECIFICATION = f"https://schemas.stacspec.org/v{STAC_VERSION}"
_CORE = {
    "Feature": f"{_SPECIFICATION}/item-spec/json-schema/item.json",
    "Collection": f"{_SPECIFICATION}/collection-spec/json-schema/collection.json",
}


class OfflineValidator(JsonSchemaSTACValidator):
    """pystac's validator, which knows the schemas under `schemas/` and asks for no other.

    `skipped` lists the addresses of the schemas that it would have had to fetch. Give it to
    `pystac.validation.set_validator` to have pystac's own `validate` use it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.skipped: list[str] = []
        for file in files("thalweg.catalog").joinpath("schemas").iterdir():
            schema = json.loads(file.read_text())
            self.schema_cache[schema["$id"].rstrip("#")] = schema

    def validate_extension(
        self,
        stac_dict: dict[str, Any],
        stac_object_type: pystac.STACObjectType,
        stac_version: str,
        extension_id: str,
        href: str | None = None,
    ) -> str | None:
        if extension_id not in self.schema_cache:
            self.skipped.append(extension_id)
            return None
        validated: str | None = super().validate_extension(
            stac_dict, stac_object_type, stac_version, extension_id, href
        )
        return validated


def validate_item(item: Document) -> list[str]:
    """Check a STAC item; gives the schemas of extensions that could not be checked.

    Raises `InvalidItem`, which names the document and the JSON path of what is wrong.
    """
    return _validate(item, "Feature")


def validate_collection(collection: Document) -> list[str]:
    """Check a STAC collection, as `validate_item` does an item."""
    return _validate(collection, "Collection")


def _validate(document: Document, kind: str) -> list[str]:
    name = f"{document.get('collection', '')}/{document.get('id', '?')}".lstrip("/")
    if document.get("type") != kind:
        raise InvalidItem(
            f"$.type is {document.get('type')!r}, not {kind!r}",
            hint="is this another kind of STAC document?",
            where=name,
        )
    skipped = []
    for schema in [_CORE[kind], *document.get("stac_extensions", [])]:
        if schema not in _schemas():
            skipped.append(schema)
        elif fault := _fault(document, schema):
            raise InvalidItem(
                f"{fault.json_path}: {fault.message} (schema {schema})",
                hint="correct the facts that it was built from",
                where=name,
            )
    return skipped


def _fault(document: Document, schema: str) -> ValidationError | None:
    """What is wrong with a document, if anything: found by the compiled schema, told by the
    reference implementation, which takes a hundred times as long and names it best."""
    if _compiled(schema).is_valid(document):
        return None
    return best_match(_reference(schema).iter_errors(document))


@cache
def _compiled(schema: str) -> jsonschema_rs.Draft7Validator:
    known = jsonschema_rs.Registry([*_schemas().items()])
    return jsonschema_rs.Draft7Validator(
        _schemas()[schema], registry=known, validate_formats=False, offline=True
    )


@cache
def _reference(schema: str) -> Any:
    return Draft7Validator(_schemas()[schema], registry=_registry())


@cache
def _registry() -> Registry[Any]:
    known = [(address, Resource.from_contents(schema)) for address, schema in _schemas().items()]
    return Registry[Any]().with_resources(known).crawl()


@cache
def _schemas() -> dict[str, Any]:
    return OfflineValidator().schema_cache
