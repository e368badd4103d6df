"""A small world of items in which every operator has something to find and to leave out."""

from __future__ import annotations

from typing import Any

from thalweg.catalog.collections import build_collection
from thalweg.catalog.geometries import box_geometry
from thalweg.catalog.ledger import Document

FLOOD, LAND = "flood", "land-cover"
_PERILS = ("fluvial", "pluvial", "coastal")
_NAMES = ("Zürich", "ZURICH", "Łódź", "Kigali", "100%_sure", "it's")


def item(
    item_id: str, collection: str, bbox: list[float], times: list[str], **properties: Any
) -> Document:
    start, end = times[0], times[-1]
    dated = (
        {"datetime": start}
        if start == end
        else {"datetime": None, "start_datetime": start, "end_datetime": end}
    )
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": item_id,
        "collection": collection,
        "geometry": box_geometry(bbox),
        "bbox": bbox,
        "properties": {**dated, **properties},
        "assets": {
            "data": {
                "href": f"https://files.example.org/{item_id}.tif",
                "type": "image/tiff; application=geotiff; profile=cloud-optimized",
                "roles": ["data"],
            }
        },
        "links": [{"rel": "via", "href": "https://origin.example.org/a.tif"}],
    }


def world() -> tuple[list[Document], list[Document]]:
    """The collections and the items."""
    items = [
        item(
            f"flood-{n:02}",
            FLOOD,
            [28.0 + n % 6, -3.0 + n // 6, 29.0 + n % 6, -2.0 + n // 6],
            [f"20{20 + n}-01-01T00:00:00Z", f"20{20 + n}-12-31T23:59:59.5Z"],
            **{
                "title": _NAMES[n % len(_NAMES)],
                "thalweg:peril": _PERILS[n % 3],
                "thalweg:year": 2020 + n,
                "depth:max": n * 1.5 - 4,
                "verified": n % 2 == 0,
                "keywords": ["flood", _PERILS[n % 3]] + (["dry"] if n % 4 == 0 else []),
                "numbers": [n, n + 1],
            },
            **({"note": f"note {n}"} if n % 5 == 0 else {}),
        )
        for n in range(20)
    ]
    moments = [
        "2020-06-01T00:00:00Z",
        "2020-06-01T00:00:00.000001Z",
        "2020-06-01T00:00:00.0Z",
        "1999-12-31T23:59:59Z",
        "2050-01-01T00:00:00Z",
    ]
    items += [
        item(f"land-{n}", LAND, [178.0 + n, -10.0, -178.0 + n, -8.0], [moment], title="land")
        if n < 2
        else item(f"land-{n}", LAND, [-60.0, -5.0, -50.0, 5.0 + n], [moment], title="Land")
        for n, moment in enumerate(moments)
    ]
    items.append(item("flood-00", LAND, [28.2, -2.8, 28.4, -2.6], [moments[0]], title="a twin"))
    return [_collection(name, items) for name in (FLOOD, LAND)], items


def _collection(name: str, items: list[Document]) -> Document:
    mine = [one for one in items if one["collection"] == name]
    return build_collection(
        name, mine, title=name.title(), description=f"What there is of {name}.", license="CC-BY-4.0"
    )
