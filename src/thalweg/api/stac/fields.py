"""The fields of an item or collection that are asked for."""

from __future__ import annotations

from fastapi.responses import JSONResponse
from stac_fastapi.api.models import GeoJSONResponse
from stac_fastapi.pgstac.utils import clean_exclude_set, filter_fields, include_fields

from thalweg.api.stac.asked import Asked
from thalweg.catalog.ledger import Document


def only_fields(document: Document, wanted: Asked) -> Document:
    """The fields that are wanted, and the links unless these are left out."""
    if not wanted.fields:
        return document
    include = set(wanted.include)
    if include and not include_fields(document, include):
        # pgSTAC's own way breaks off at a collection, which has no field `collection`.
        return {name: document[name] for name in ("id", "collection") if name in document}
    exclude = clean_exclude_set(set(wanted.exclude), include)
    shown: Document = filter_fields(document, include, exclude)
    return shown if "links" in exclude else {**shown, "links": document["links"]}


def answer(wanted: Asked, document: Document) -> Document | JSONResponse:
    """Items at once as they are: encoding them as models takes longer than finding them."""
    if "features" in document:
        found: JSONResponse = GeoJSONResponse(document)
        return found
    return JSONResponse(document) if wanted.fields else document
