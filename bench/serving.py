"""Serving tiles: ours against plain titiler on the same COG, each in a process of its own.

python bench/serving.py WORKSPACE [COLLECTION ITEM] [--tiles 300]
python bench/serving.py WORKSPACE --memory    (what the process holds, by thousands of tiles)
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import quote

import httpx
import morecantile
from servers import Cost, Server, by_turns, listening, thalweg

SEED, TOGETHER, MANY = 7, 4, 10_000
_ITEM = ["fathom-flood-depth", "rwa-fluvial-defended-2020-s04e028"]
_LOOKS = "rescale=0,500&colormap_name=blues"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("item", nargs="*", default=_ITEM, help="collection and item")
    parser.add_argument("--tiles", type=int, default=300)
    parser.add_argument("--memory", action="store_true", help="only what the process holds")
    given = parser.parse_args()
    workspace, (collection, item) = given.workspace.absolute(), given.item
    with thalweg(workspace) as ours:
        found = httpx.get(f"{ours.url}/stac/collections/{collection}/items/{item}").json()
        file = _file(workspace, collection, item)
        href = f"{ours.url}/raster/collections/{collection}"
        places = list(tiles(found["bbox"], given.tiles))
        paths = {
            "item tile": f"{href}/items/{item}/tiles/WebMercatorQuad/{{}}.png?bidx=5",
            "mosaic tile": f"{href}/tiles/WebMercatorQuad/{{}}.png?bidx=5&ids={item}",
        }
        if given.memory:
            print(memory(ours, [paths["item tile"].format(tile) for tile in places]))
            return
        with listening(__file__, "--serve") as titiler:
            compare({"thalweg": ours, "titiler alone": titiler}, paths, file, places)


def _file(workspace: Path, collection: str, item: str) -> str:
    """The path of an item's file: its link would have titiler read it over HTTP."""
    from thalweg.pipelines.workspace import Workspace

    with Workspace.existing(workspace).catalog() as catalog:
        return str(catalog.item(collection, item)["assets"]["data"]["href"])


def compare(
    servers: dict[str, Server], paths: dict[str, str], file: str, places: list[str]
) -> None:
    """One by one, turn and turn about, so that what else the machine does falls on both; then
    how many tiles a second each makes for four clients at once."""
    print("| | p50 | p95 | of a processor | tiles a second | p50, times titiler's |")
    print("|---|---|---|---|---|---|")
    with httpx.Client(timeout=600) as client:
        for name, path in paths.items():
            theirs = f"{servers['titiler alone'].url}/{name.split()[0]}/tiles/WebMercatorQuad"
            both = {
                "thalweg": path,
                "titiler alone": f"{theirs}/{{}}.png?bidx=5&url={quote(file)}&{_LOOKS}",
            }
            asks = {who: partial(ask, client, at, places) for who, at in both.items()}
            costs = by_turns(servers, asks, len(places))
            for who, cost in costs.items():
                told = row(cost, rate(asks[who], len(places)), costs["titiler alone"])
                print(f"| {name}, {who} | {told} |", flush=True)
    print(f"\nload average {os.getloadavg()[0]:.1f}")


def ask(client: httpx.Client, path: str, places: list[str], number: int) -> None:
    client.get(path.format(places[number])).raise_for_status()


def rate(one: Callable[[int], None], count: int) -> float:
    """How many a second, `TOGETHER` at once."""
    began = time.perf_counter()
    with ThreadPoolExecutor(TOGETHER) as pool:
        list(pool.map(one, range(count)))
    return count / (time.perf_counter() - began)


def row(cost: Cost, tiles_a_second: float, base: Cost) -> str:
    times = f"{cost.p50:.1f} ms | {cost.p95:.1f} ms | {cost.processor_ms:.1f} ms"
    return f"{times} | {tiles_a_second:.0f} | {cost.p50 / base.p50:.2f}"


def memory(server: Server, urls: list[str]) -> str:
    """What the process holds as thousands of tiles go by."""
    held = []
    with httpx.Client(timeout=600) as client, ThreadPoolExecutor(TOGETHER) as pool:
        for n in range(10):
            rounds = [urls[i % len(urls)] for i in range(n * MANY // 10, (n + 1) * MANY // 10)]
            list(pool.map(lambda url: client.get(url).raise_for_status(), rounds))
            held.append(server.memory_mb())
            print(f"{(n + 1) * MANY // 10} tiles: {held[-1]} MB", file=sys.stderr, flush=True)
    return f"Resident after each {MANY // 10} of {MANY} tiles: {', '.join(map(str, held))} MB"


def tiles(bbox: list[float], count: int) -> Iterator[str]:
    """Tiles within a box, of zooms at which people look."""
    chosen = random.Random(SEED)
    west, south, east, north = bbox
    scheme = morecantile.tms.get("WebMercatorQuad")
    for _ in range(count):
        lon, lat = chosen.uniform(west, east), chosen.uniform(south, north)
        tile = scheme.tile(lon, lat, chosen.randint(8, 13))
        yield f"{tile.z}/{tile.x}/{tile.y}"


def serve(port: int) -> None:
    import uvicorn

    uvicorn.run(_titiler(), host="127.0.0.1", port=port, log_level="error", access_log=False)


def _titiler() -> object:
    """titiler as its own documentation sets it up, with the settings of GDAL that it advises."""
    import attr
    from fastapi import FastAPI
    from rio_tiler.constants import WGS84_CRS
    from rio_tiler.mosaic.backend import BaseBackend
    from titiler.core.factory import TilerFactory
    from titiler.mosaic.factory import MosaicTilerFactory

    @attr.s
    class One(BaseBackend):  # type: ignore[misc]
        """A mosaic of one file."""

        def __attrs_post_init__(self) -> None:
            self.bounds, self.crs = (-180, -90, 180, 90), WGS84_CRS

        def assets_for_tile(self, *_: object, **__: object) -> list[str]:
            return [self.input]

        assets_for_point = assets_for_bbox = assets_for_tile

    advised = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "VSI_CACHE": "TRUE"}
    app = FastAPI()
    cog = TilerFactory(router_prefix="/item", environment_dependency=lambda: advised)
    app.include_router(cog.router, prefix="/item")
    mosaic = MosaicTilerFactory(
        router_prefix="/mosaic", backend=One, environment_dependency=lambda: advised
    )
    app.include_router(mosaic.router, prefix="/mosaic")
    return app


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(int(sys.argv[2]))
    else:
        main()
