"""Files that a table of links names by region and quadkey, as Microsoft's `dataset-links.csv`."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from urllib.parse import urlsplit

from thalweg.domain.tiles import BoundingBox
from thalweg.errors import ObjectNotFound, UnexpectedAnswer
from thalweg.exposure.publishers.fetching import Remote, read_text, remote_at
from thalweg.exposure.publishers.quadkeys import quadkeys_of, restored
from thalweg.settings import BuildingSettings

_COLUMNS = ("Location", "QuadKey", "Url")


def linked_files(
    settings: BuildingSettings,
    *,
    region: str = "",
    quadkeys: frozenset[str] = frozenset(),
    bounds: BoundingBox | None = None,
) -> list[Remote]:
    """The files of a choice, by quadkey, kept by region and quadkey with its leading zeros.

    Raises `ObjectNotFound` where there is none, `UnexpectedAnswer` or `PublisherUnavailable`.
    """
    touched = quadkeys_of(bounds) if bounds is not None else None
    found = [
        (key, location, url)
        for location, key, url in _links(settings.links)
        if (not region or location == region)
        and (not quadkeys or key in quadkeys)
        and (touched is None or key in touched)
    ]
    if not found:
        raise ObjectNotFound(
            "no link is in what was asked for",
            where=settings.links,
            hint="regions are spelled as the publisher does, such as Rwanda",
        )
    return [
        remote_at(
            url, f"RegionName={location}/quadkey={key}/{urlsplit(url).path.rpartition('/')[2]}"
        )
        for key, location, url in sorted(found)
    ]


def _links(url: str) -> Iterator[tuple[str, str, str]]:
    """(region, quadkey, address) of every row."""
    rows = csv.DictReader(read_text(url).splitlines())
    if missing := [name for name in _COLUMNS if name not in (rows.fieldnames or ())]:
        raise UnexpectedAnswer(f"the table of links has no column {missing[0]!r}", where=url)
    for row in rows:
        yield row["Location"], restored(row["QuadKey"]), row["Url"]
