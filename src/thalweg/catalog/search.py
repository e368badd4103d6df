"""Items by what they hold: the values of dimensions, and a place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from thalweg.catalog.ledger import Catalog, Document
from thalweg.catalog.stac import PREFIX
from thalweg.domain.coordinates import NONE
from thalweg.domain.tiles import BoundingBox
from thalweg.errors import UnknownCoordinate

type Wanted = Mapping[str, str | int | Sequence[str | int]]
"""Values of dimensions, such as `{"peril": "fluvial", "year": [2030, 2050]}`."""


def search(
    catalog: Catalog,
    collections: Sequence[str] = (),
    *,
    bbox: BoundingBox | None = None,
    where: Wanted | None = None,
) -> list[Document]:
    """The items of the collections (all, where none is named) that hold one of each's values.

    Ordered by collection and id. `none` stands for no value. `bbox` takes those whose own box
    shares area with it. Raises `CollectionNotFound`, and `UnknownCoordinate` for a dimension or a
    value that no item has.
    """
    named = collections or [one["id"] for one in catalog.collections()]
    items = [item for name in named for item in catalog.items(name)]
    wanted = {name: _texts(values) for name, values in (where or {}).items()}
    for name, values in wanted.items():
        _check_known(name, values, items)
    return [
        item
        for item in items
        if all(coordinates(item).get(name, NONE) in values for name, values in wanted.items())
        and (bbox is None or ("bbox" in item and _touches(item["bbox"], bbox)))
    ]


def coordinates(item: Document) -> dict[str, str]:
    """The values of dimensions that an item's properties tell."""
    return {
        name.removeprefix(PREFIX): str(value)
        for name, value in item["properties"].items()
        if name.startswith(PREFIX)
    }


def _texts(values: str | int | Sequence[str | int]) -> list[str]:
    many = [values] if isinstance(values, (str, int)) else values
    return [str(value) for value in many]


def _check_known(name: str, values: Iterable[str], items: Sequence[Document]) -> None:
    dimensions = dict.fromkeys(key for item in items for key in coordinates(item))
    if name not in dimensions:
        raise UnknownCoordinate(
            f"no item has a dimension {name!r}", hint=f"there are {_listed(dimensions)}"
        )
    known = sorted({coordinates(item).get(name, NONE) for item in items})
    for value in values:
        if value not in known:
            raise UnknownCoordinate(
                f"no item has {name} {value!r}", hint=f"there are {_listed(known)}"
            )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _touches(held: Sequence[float], box: BoundingBox) -> bool:
    """Whether two boxes share area, either of which may cross the antimeridian."""
    west, south, east, north = held
    if north <= box.south or box.north <= south:
        return False
    return any(
        min(one_east, other_east) > max(one_west, other_west)
        for one_west, one_east in _spans(west, east)
        for other_west, other_east in _spans(box.west, box.east)
    )


def _spans(west: float, east: float) -> list[tuple[float, float]]:
    return [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
