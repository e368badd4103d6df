"""A STAC collection, its extents, summaries and asset definitions gathered from its items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from thalweg.catalog.ledger import Document
from thalweg.catalog.stac import (
    CLASSIFICATION,
    EO,
    PROJECTION,
    RASTER,
    SCIENTIFIC,
    STAC_VERSION,
    TABLE,
)

MOST_SUMMARISED = 64
WORLD = [-180.0, -90.0, 180.0, 90.0]
_NOT_SUMMARISED = {"datetime", "start_datetime", "end_datetime", "title", "description"}
_SUMMARISED_EXTENSION_FIELDS = {"proj:code"}
_EXTENSION_PREFIXES = ("proj:", "processing:", "file:", "table:")
_OF_EACH_FILE = ("href", "file:size", "file:checksum")
_OF_EACH_BAND = ("statistics", "thalweg:percentiles")
_DECLARED = (PROJECTION, EO, CLASSIFICATION, RASTER, TABLE)


def build_collection(
    collection_id: str,
    items: Iterable[Document],
    *,
    title: str,
    description: str,
    license: str,  # noqa: A002 - STAC's own name
    providers: Sequence[Document] = (),
    keywords: Sequence[str] = (),
    links: Sequence[Document] = (),
    citation: str = "",
) -> Document:
    """A STAC collection of items, which are read once and in any order.

    `license` is an SPDX name or `other`; `providers` are STAC provider objects; `citation` says how
    to cite it; `links` are added to those of `export_static`'s layout. Without items the extents
    are the world and all time. The columns of tables are those that any of them has.
    """
    gathered = _Gathered()
    for item in items:
        gathered.add(item)
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "stac_extensions": [
            *(uri for uri in _DECLARED if uri in gathered.extensions),
            *([SCIENTIFIC] if citation else []),
        ],
        "id": collection_id,
        "title": title,
        "description": description,
        "license": license,
        **({"keywords": list(keywords)} if keywords else {}),
        **({"providers": list(providers)} if providers else {}),
        **({"sci:citation": citation} if citation else {}),
        "extent": {
            "spatial": {"bbox": [gathered.bbox or WORLD]},
            "temporal": {"interval": [[gathered.start, gathered.end]]},
        },
        **({"summaries": gathered.summaries()} if gathered.values else {}),
        **({"table:columns": list(gathered.columns.values())} if gathered.columns else {}),
        **({"item_assets": gathered.item_assets()} if gathered.assets else {}),
        "links": [
            {"rel": "root", "href": "../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "../catalog.json", "type": "application/json"},
            *links,
        ],
    }


@dataclass
class _Gathered:
    bbox: list[float] | None = None
    start: str | None = None
    end: str | None = None
    extensions: set[str] = field(default_factory=set)
    values: dict[str, set[Any]] = field(default_factory=dict)
    assets: dict[str, Document] = field(default_factory=dict)
    bands: dict[str, dict[str, Document]] = field(default_factory=dict)
    columns: dict[str, Document] = field(default_factory=dict)

    def add(self, item: Document) -> None:
        properties = item["properties"]
        if "bbox" in item:
            self.bbox = _union(self.bbox, item["bbox"])
        start = properties.get("start_datetime") or properties["datetime"]
        end = properties.get("end_datetime") or properties["datetime"]
        self.start = min(start, self.start or start)
        self.end = max(end, self.end or end)
        self.extensions.update(item["stac_extensions"])
        for name, value in properties.items():
            if _is_summarised(name) and isinstance(value, str | int | float | bool):
                self.values.setdefault(name, set()).add(value)
        for column in properties.get("table:columns", ()):
            self.columns.setdefault(column["name"], column)
        for key, asset in item["assets"].items():
            self._add_asset(key, asset)

    def _add_asset(self, key: str, asset: Document) -> None:
        known = self.assets.setdefault(key, {})
        for name, value in asset.items():
            if name not in _OF_EACH_FILE and name not in ("bands", "eo:bands"):
                known.setdefault(name, value)
        for kind in ("bands", "eo:bands"):
            bands = self.bands.setdefault(f"{key}/{kind}", {})
            for band in asset.get(kind, ()):
                shared = {n: v for n, v in band.items() if n not in _OF_EACH_BAND}
                bands.setdefault(band["name"], shared)

    def summaries(self) -> Document:
        found = {name: _summary(values) for name, values in sorted(self.values.items())}
        return {name: summary for name, summary in found.items() if summary is not None}

    def item_assets(self) -> Document:
        return {
            key: asset
            | {
                kind: list(bands.values())
                for kind in ("bands", "eo:bands")
                if (bands := self.bands[f"{key}/{kind}"])
            }
            for key, asset in sorted(self.assets.items())
        }


def _is_summarised(name: str) -> bool:
    if name in _SUMMARISED_EXTENSION_FIELDS:
        return True
    return name not in _NOT_SUMMARISED and not name.startswith(_EXTENSION_PREFIXES)


def _summary(values: set[Any]) -> list[Any] | Document | None:
    """All values where they are few, else the range of numbers, else nothing."""
    if len(values) <= MOST_SUMMARISED:
        return sorted(values, key=lambda value: (isinstance(value, str), value))
    if any(isinstance(value, str) for value in values):
        return None
    return {"minimum": min(values), "maximum": max(values)}


def _union(known: list[float] | None, bbox: list[float]) -> list[float]:
    west, south, east, north = bbox
    if west > east:  # across the antimeridian: one box around both sides is the whole circle
        west, east = -180.0, 180.0
    if known is None:
        return [west, south, east, north]
    return [
        min(known[0], west),
        min(known[1], south),
        max(known[2], east),
        max(known[3], north),
    ]
