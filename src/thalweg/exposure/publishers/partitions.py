"""Parquet partitioned by region and quadkey, found in a STAC catalogue and read by signed URLs.

As the Planetary Computer has it: an item for each partition, whose asset `data` names a folder of
an Azure container, and a service of its own that gives tokens to read the container.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import obstore
import pystac
from obstore.store import AzureStore
from pystac.errors import STACError

from thalweg.domain.tiles import BoundingBox
from thalweg.errors import ObjectNotFound, UnexpectedAnswer
from thalweg.exposure.publishers.fetching import Remote, client_options, named_errors, read_json
from thalweg.exposure.publishers.quadkeys import restored
from thalweg.settings import BuildingSettings

_PAGE = 250
_PLACE = re.compile(
    r"^abfs://(?P<container>[^/]+)/(?P<folder>.*RegionName=(?P<region>[^/]+)/quadkey=(?P<quadkey>\d+))/?$"
)


@dataclass(frozen=True)
class Partition:
    """A folder of Parquet files, in a container of an Azure account."""

    region: str
    quadkey: str
    processed: str
    account: str
    container: str
    folder: str


def find_partitions(
    settings: BuildingSettings,
    *,
    region: str = "",
    quadkeys: frozenset[str] = frozenset(),
    bounds: BoundingBox | None = None,
) -> list[Partition]:
    """The newest partition of each region and quadkey, by quadkey; each choice narrows.

    Raises `ObjectNotFound` where there is none, `UnexpectedAnswer` or `PublisherUnavailable`.
    """
    newest: dict[tuple[str, str], Partition] = {}
    for item in _items(settings, region, bounds):
        found = _partition(item)
        if found is None or (quadkeys and found.quadkey not in quadkeys):
            continue
        held = newest.get((found.region, found.quadkey))
        if held is None or held.processed < found.processed:
            newest[found.region, found.quadkey] = found
    if not newest:
        raise ObjectNotFound(
            "no partition is in what was asked for",
            where=f"{settings.stac}/collections/{settings.collection}",
            hint="regions are spelled as the publisher does, such as Rwanda",
        )
    return sorted(newest.values(), key=lambda one: (one.quadkey, one.region))


def partition_files(settings: BuildingSettings, partitions: list[Partition]) -> Iterator[Remote]:
    """The Parquet files of partitions, kept by region and quadkey with its leading zeros."""
    stores: dict[tuple[str, str], AzureStore] = {}
    for one in partitions:
        place = one.account, one.container
        if place not in stores:
            stores[place] = _store(settings, *place)
        with named_errors(one.folder):
            found = [
                meta["path"] for page in obstore.list(stores[place], one.folder) for meta in page
            ]
        for path in sorted(path for path in found if path.endswith(".parquet")):
            name = path.rpartition("/")[2]
            key = f"RegionName={one.region}/quadkey={one.quadkey}/{name}"
            yield Remote(stores[place], path, key)


def _items(
    settings: BuildingSettings, region: str, bounds: BoundingBox | None
) -> Iterator[pystac.Item]:
    """The items of a search, page by page."""
    body: Any = {"collections": [settings.collection], "limit": _PAGE}
    if region:
        body["query"] = {"msbuildings:region": {"eq": region}}
    if bounds is not None:
        body["bbox"] = [bounds.west, bounds.south, bounds.east, bounds.north]
    url = f"{settings.stac.rstrip('/')}/search"
    while url:
        page = read_json(url, body)
        try:
            yield from pystac.ItemCollection.from_dict(page)
            following = next((one for one in page.get("links", ()) if one["rel"] == "next"), None)
        except (STACError, KeyError, TypeError, AttributeError) as error:
            raise UnexpectedAnswer(f"no page of STAC items: {error}", where=url) from error
        if following is None:
            return
        url = following["href"]
        posted = following.get("body", {})
        body = {**body, **posted} if following.get("merge") or posted else None


def _partition(item: pystac.Item) -> Partition | None:
    """The partition of an item; None for those of before there were partitions."""
    asset = item.assets.get("data")
    place = _PLACE.match(asset.href) if asset else None
    if asset is None or place is None:
        return None
    try:
        account = asset.extra_fields["table:storage_options"]["account_name"]
    except KeyError as error:
        raise UnexpectedAnswer(f"its asset names no {error}", where=item.id) from error
    return Partition(
        place["region"],
        # In the path it is a number, which has lost its leading zeros.
        restored(place["quadkey"]),
        str(item.properties.get("msbuildings:processing-date", "")),
        account,
        place["container"],
        place["folder"],
    )


def _store(settings: BuildingSettings, account: str, container: str) -> AzureStore:
    url = f"{settings.tokens.rstrip('/')}/{account}/{container}"
    answer = read_json(url)
    if not isinstance(answer, dict) or "token" not in answer:
        raise UnexpectedAnswer("no token in the answer", where=url)
    endpoint = settings.blobs.format(account=account)
    return AzureStore(
        container,
        account_name=account,
        endpoint=endpoint,
        sas_key=answer["token"],
        client_options=client_options(endpoint),
    )
