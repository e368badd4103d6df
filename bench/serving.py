"""Serving tiles: ours against plain titiler on the same COG, each in a process of its own.

python bench/serving.py WORKSPACE [COLLECTION ITEM]
python bench/serving.py WORKSPACE --memory    (what the process holds, by thousands of tiles)
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import morecantile

SEED, REQUESTS, TOGETHER, MANY = 7, 300, 4, 10_000
_START_SECONDS = 180


def main() -> None:
    workspace = Path(sys.argv[1]).absolute()
    chosen = [one for one in sys.argv[2:4] if one != "--memory"]
    collection, item = chosen or ("fathom-flood-depth", "rwa-fluvial-defended-2020-s04e028")
    with running("ours", str(workspace)) as (ours, process):
        document = httpx.get(f"{ours}/stac/collections/{collection}/items/{item}").json()
        file = document["assets"]["data"]["href"]
        places = list(tiles(document["bbox"]))
        base = f"{ours}/raster/collections/{collection}"
        if "--memory" in sys.argv:
            address = f"{base}/items/{item}/tiles/WebMercatorQuad/"
            print(memory(process, [f"{address}{tile}.png?bidx=5" for tile in places]))
            return
        with running("titiler", file) as (theirs, _):
            rows: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
                "item tile": (
                    lambda tile: f"{base}/items/{item}/tiles/WebMercatorQuad/{tile}.png?bidx=5",
                    lambda tile: (
                        f"{theirs}/cog/tiles/WebMercatorQuad/{tile}.png?bidx=5"
                        f"&url={quote(file)}&rescale=0,500&colormap_name=blues"
                    ),
                ),
                "mosaic tile": (
                    lambda tile: f"{base}/tiles/WebMercatorQuad/{tile}.png?bidx=5&ids={item}",
                    lambda tile: (
                        f"{theirs}/mosaic/tiles/WebMercatorQuad/{tile}.png?bidx=5"
                        f"&url={quote(file)}&rescale=0,500&colormap_name=blues"
                    ),
                ),
            }
            print("| | p50 | p95 | requests a second | p50, times titiler's |")
            print("|---|---|---|---|---|")
            for name, both in rows.items():
                compare(name, both, places)
        print(memory(process, [rows["item tile"][0](tile) for tile in places]))


def compare(name: str, both: tuple[Callable[[str], str], ...], places: list[str]) -> None:
    """Turn and turn about, so that what else the machine does falls on both."""
    with httpx.Client(timeout=600) as client, ThreadPoolExecutor(TOGETHER) as pool:
        seconds: list[list[float]] = [[], []]
        for address in both:
            client.get(address(places[0])).raise_for_status()
        for tile in places:
            for n, address in enumerate(both):
                began = time.perf_counter()
                client.get(address(tile)).raise_for_status()
                seconds[n].append(time.perf_counter() - began)
        for n, who in enumerate(("thalweg", "titiler alone")):
            began = time.perf_counter()
            list(pool.map(lambda tile, n=n: client.get(both[n](tile)).raise_for_status(), places))
            rate = len(places) / (time.perf_counter() - began)
            p50, p95 = statistics.median(seconds[n]), statistics.quantiles(seconds[n], n=20)[18]
            ratio = p50 / statistics.median(seconds[1])
            print(
                f"| {name}, {who} | {p50 * 1e3:.1f} ms | {p95 * 1e3:.1f} ms | {rate:.0f} ", end=""
            )
            print(f"| {ratio:.2f} |")


def memory(process: int, urls: list[str]) -> str:
    """What the process holds as thousands of tiles go by."""
    held = []
    with httpx.Client(timeout=600) as client, ThreadPoolExecutor(TOGETHER) as pool:
        for n in range(10):
            rounds = [urls[i % len(urls)] for i in range(n * MANY // 10, (n + 1) * MANY // 10)]
            list(pool.map(lambda url: client.get(url).raise_for_status(), rounds))
            held.append(resident_mb(process))
            print(f"{(n + 1) * MANY // 10} tiles: {held[-1]} MB", file=sys.stderr, flush=True)
    return f"Resident after each {MANY // 10} of {MANY} tiles: {', '.join(map(str, held))} MB"


def resident_mb(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) >> 10


def tiles(bbox: list[float]) -> Iterator[str]:
    """Tiles within a box, of zooms at which people look."""
    chosen = random.Random(SEED)
    west, south, east, north = bbox
    scheme = morecantile.tms.get("WebMercatorQuad")
    for _ in range(REQUESTS):
        lon, lat = chosen.uniform(west, east), chosen.uniform(south, north)
        tile = scheme.tile(lon, lat, chosen.randint(8, 13))
        yield f"{tile.z}/{tile.x}/{tile.y}"


@contextmanager
def running(which: str, what: str) -> Iterator[tuple[str, int]]:
    """A server in a process of its own: its address, and its process's id."""
    port = 18000 + random.randrange(2000)
    command = [sys.executable, "-W", "ignore", __file__, "--serve", which, what, str(port)]
    with subprocess.Popen(command) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/openapi.json")
            yield address, process.pid
        finally:
            process.terminate()


def _wait_for(url: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        try:
            httpx.get(url, timeout=60).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise SystemExit(f"{url} does not answer")


def serve(which: str, what: str, port: int) -> None:
    import uvicorn

    app = _ours(what) if which == "ours" else _titiler()
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def _ours(workspace: str) -> object:
    from thalweg.api.app import create_app
    from thalweg.pipelines.workspace import Workspace

    return create_app(*Workspace.at(Path(workspace)))


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
    cog = TilerFactory(router_prefix="/cog", environment_dependency=lambda: advised)
    app.include_router(cog.router, prefix="/cog")
    mosaic = MosaicTilerFactory(
        router_prefix="/mosaic", backend=One, environment_dependency=lambda: advised
    )
    app.include_router(mosaic.router, prefix="/mosaic")
    return app


if __name__ == "__main__":
    if "--serve" in sys.argv:
        serve(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
