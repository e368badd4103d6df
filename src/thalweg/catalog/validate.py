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

import pystac
from jsonschema.exceptions import best_match  # type: ignore[import-untyped]
from pystac.errors import STACValidationError
from pystac.validation.stac_validator import JsonSchemaSTACValidator

from thalweg.catalog.ledger import Document
from thalweg.errors import InvalidItem

_KINDS = {
    "Feature": pystac.STACObjectType.ITEM,
    "Collection": pystac.STACObjectType.COLLECTION,
    "Catalog": pystac.STACObjectType.CATALOG,
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
    validator = _validator()
    validator.skipped = []
    try:
        validator.validate_core(document, _KINDS[kind], pystac.get_stac_version())
        for extension in document.get("stac_extensions", []):
            validator.validate_extension(
                document, _KINDS[kind], pystac.get_stac_version(), extension
            )
    except STACValidationError as error:
        raise InvalidItem(
            _explained(error), hint="correct the facts that it was built from", where=name
        ) from error
    return validator.skipped


def _explained(error: STACValidationError) -> str:
    deepest = best_match(error.source)
    schema = str(error).partition("schema at ")[2].splitlines()[0]
    return f"{deepest.json_path}: {deepest.message} (schema {schema})"


@cache
def _validator() -> OfflineValidator:
    return OfflineValidator()
