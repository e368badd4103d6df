"""STAC search and listing: ours over both backends against stac-fastapi.pgstac alone.

`python bench/serving_search.py [--rounds 100]`. 5,000 items in 10 collections; both that ask pgSTAC
ask the same database. Each service listens in a process of its own; they are warmed up, and
asked by turns, one request after the other, each round for something else.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx
from servers import (
    Server,
    by_turns,
    heading,
    listening,
    row,
    thalweg,
    workspace_with_database,
)

from thalweg.catalog.collections import build_collection
from thalweg.catalog.geometries import box_geometry
from thalweg.catalog.pgstac import load_catalog
from thalweg.pipelines.workspace import Workspace
from thalweg.postgres.preparing import prepare

COLLECTIONS, ITEMS = 10, 500
_DIFFERENT, _CHECKED = 40, 4
PERILS = ("fluvial", "pluvial", "coastal")
PERIODS = (5, 10, 20, 50, 100, 200, 500, 1000)
ALONE = """
import sys, uvicorn
from stac_fastapi.pgstac.app import create_app
uvicorn.run(create_app(), port=int(sys.argv[1]), log_level="error", access_log=False)
"""


def item(collection: str, number: int) -> dict[str, Any]:
    """A flood map of a square degree in a year, with eight bands."""
    west, south, year = -18 + number % 68, -35 + number % 71, 2000 + number % 80
    bbox = [west, south, west + 1, south + 1]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": f"{collection}-{number}",
        "collection": collection,
        "geometry": box_geometry(bbox),
        "bbox": bbox,
        "properties": {
            "datetime": f"{year}-01-01T00:00:00Z",
            "title": f"Depth of water, {year}",
            "thalweg:peril": PERILS[number % 3],
            "thalweg:year": year,
            "proj:code": "EPSG:4326",
            "proj:shape": [3600, 3600],
            "proj:transform": [1 / 3600, 0, west, 0, -1 / 3600, south + 1],
        },
        "assets": {
            "data": {
                "href": f"https://files.example.org/{collection}/{number}.tif",
                "type": "image/tiff; application=geotiff; profile=cloud-optimized",
                "roles": ["data"],
                "bands": [
                    {
                        "name": f"1in{period}",
                        "data_type": "int16",
                        "nodata": -32768,
                        "unit": "cm",
                        "statistics": {"minimum": 0, "maximum": number, "valid_percent": 97.5},
                    }
                    for period in PERIODS
                ],
            }
        },
        "links": [],
    }


def fill(workspace: Workspace, url: str) -> None:
    with workspace.catalog() as catalog:
        for name in (f"floods-{number}" for number in range(COLLECTIONS)):
            items = [item(name, number) for number in range(ITEMS)]
            catalog.put_collection(
                build_collection(
                    name, items, title=name, description="Depths of floods.", license="CC-BY-4.0"
                )
            )
            catalog.put_items(items)
        prepare(url)
        load_catalog(catalog, url)


def requests() -> dict[str, list[dict[str, Any]]]:
    """What is asked for: other places, times and ids each round, the same of all services."""
    chosen = random.Random(7)
    found: dict[str, list[dict[str, Any]]] = {}
    for _ in range(_DIFFERENT):
        west, south, year = chosen.uniform(-18, 45), chosen.uniform(-35, 30), chosen.randint(0, 79)
        name = f"floods-{chosen.randrange(COLLECTIONS)}"
        box = {"bbox": f"{west:.3f},{south:.3f},{west + 5:.3f},{south + 5:.3f}"}
        times = {"datetime": f"{2000 + year}-01-01T00:00:00Z/{2004 + year}-12-31T00:00:00Z"}
        peril = f"\"thalweg:peril\" = '{PERILS[year % 3]}'"
        condition = f'{peril} AND "thalweg:year" >= {2000 + year}'
        ids = ",".join(f"{name}-{chosen.randrange(ITEMS)}" for _ in range(10))
        for what, path, query in (
            ("search, box", "/search", box),
            ("search, times", "/search", times),
            ("search, filter", "/search", {"filter": condition, "filter-lang": "cql2-text"}),
            ("search, 10 ids", "/search", {"ids": ids}),
            ("search, page of 100", "/search", {"limit": "100", "collections": name}),
            ("items of a collection", f"/collections/{name}/items", {}),
            ("one item", f"/collections/{name}/items/{name}-{chosen.randrange(ITEMS)}", {}),
            ("collections", "/collections", {}),
        ):
            found.setdefault(what, []).append({"url": path, "params": query})
    return found


def ask(client: httpx.Client, given: list[dict[str, Any]], number: int) -> httpx.Response:
    one = given[number % len(given)]
    return client.get(one["url"], params=one["params"]).raise_for_status()


def check_equal(clients: dict[str, httpx.Client], given: list[dict[str, Any]]) -> None:
    """All find as much: what is compared is the same work."""
    for number in range(_CHECKED):
        answers = [ask(client, given, number).json() for client in clients.values()]
        counts = {len(one.get("features", one.get("collections", [one]))) for one in answers}
        if len(counts) > 1:
            raise SystemExit(f"{given[number]}: {counts}")


@contextmanager
def client_of(server: Server, prefix: str) -> Iterator[httpx.Client]:
    # Plain, as one of the three would compress and the others would not.
    headers = {"Accept-Encoding": "identity"}
    with httpx.Client(base_url=server.url + prefix, headers=headers, timeout=60) as client:
        yield client


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    with workspace_with_database() as (workspace, url):
        fill(workspace, url)
        report(workspace.folder, url, rounds)


def report(folder: Path, url: str, rounds: int) -> None:
    at = urlsplit(url)
    place, _, port = at.netloc.partition("@")[2].rpartition(":")
    alone = {
        "PGUSER": unquote(at.username or ""),
        "PGPASSWORD": "none",
        "PGHOST": quote(unquote(place), safe=""),
        "PGPORT": port,
        "PGDATABASE": at.path[1:],
    }
    with (
        listening("-c", ALONE, ready="/conformance", **alone) as pgstac,
        thalweg(folder, THALWEG_DATABASE_URL=url) as ours,
        thalweg(folder) as embedded,
        client_of(pgstac, "") as first,
        client_of(ours, "/stac") as second,
        client_of(embedded, "/stac") as third,
    ):
        servers = {"pgstac alone": pgstac, "thalweg, pgSTAC": ours, "thalweg, SQLite": embedded}
        clients = dict(zip(servers, (first, second, third), strict=True))
        print(heading("pgstac alone", servers))
        for name, given in requests().items():
            check_equal(clients, given)
            asks = {one: partial(ask, client, given) for one, client in clients.items()}
            print(row(name, by_turns(servers, asks, rounds)), flush=True)
    print(f"\nload average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
