"""Features and vector tiles: ours over both backends against tipg alone, on the same tables.

`python bench/serving_features.py [--seconds 3]`. Each service listens in a process of its own; they
are warmed up, and asked by turns, one request after the other.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import httpx
import numpy as np
import pyarrow as pa
import shapely

from thalweg.features.postgis import PostgisTables
from thalweg.features.stores import embedded_store
from thalweg.features.tables import Column, FeatureTable
from thalweg.pipelines.workspace import Workspace
from thalweg.postgres.cluster import Cluster
from thalweg.postgres.preparing import prepare

TABLE = FeatureTable("buildings", (Column("name", "text"), Column("area", "number")))
COUNT = 100_000
REQUESTS = {
    "items, 10": "/collections/{id}/items?limit=10",
    "items, 1000": "/collections/{id}/items?limit=1000",
    "items, box": "/collections/{id}/items?bbox=29.5,-2.5,29.6,-2.4&limit=100",
    "items, filter": "/collections/{id}/items?filter=area%20%3E%20240&limit=100",
    "one item": "/collections/{id}/items/77",
    "tile 11, ~800 features": "/collections/{id}/tiles/WebMercatorQuad/11/1192/1037",
    "tile 13, ~50 features": "/collections/{id}/tiles/WebMercatorQuad/13/4770/4150",
}
OURS = """
import sys, uvicorn
from pathlib import Path
from thalweg.api.app import create_app
from thalweg.pipelines.workspace import Workspace
workspace, settings = Workspace.at(Path(sys.argv[1]))
uvicorn.run(create_app(workspace, settings), port=int(sys.argv[2]), log_level="error")
"""
TIPG = """
import sys, uvicorn
from tipg.main import app
uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""


def buildings() -> list[pa.RecordBatch]:
    random = np.random.default_rng(1)
    corners = random.uniform((29, -3), (31, -1), (COUNT, 2))
    boxes = shapely.box(*corners.T, *(corners + 0.0002).T)
    names = pa.array([f"building {number}" for number in range(COUNT)])
    columns = [pa.array(range(1, COUNT + 1)), names, random.uniform(10, 250, COUNT)]
    return [pa.record_batch([*columns, shapely.to_wkb(boxes).tolist()], schema=TABLE.schema)]


@contextmanager
def service(program: str, folder: Path, prefix: str, **env: str) -> Iterator[httpx.Client]:
    """A client of a service that listens in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder), str(port)],
        cwd=folder,
        env={**os.environ, **env},
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}{prefix}", timeout=60) as client:
            await_answer(client)
            yield client
    finally:
        process.terminate()
        process.wait()


def await_answer(client: httpx.Client) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            client.get("/conformance").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the service does not answer")


def medians(clients: dict[str, tuple[httpx.Client, str]], path: str, seconds: float):
    """Milliseconds of one request to each service; they are asked by turns, as the load changes."""
    times: dict[str, list[float]] = {name: [] for name in clients}
    for client, collection in clients.values():
        for _ in range(3):
            client.get(path.format(id=collection)).raise_for_status()
    until = time.perf_counter() + seconds * len(clients)
    while time.perf_counter() < until:
        for name, (client, collection) in clients.items():
            began = time.perf_counter()
            client.get(path.format(id=collection)).raise_for_status()
            times[name].append(time.perf_counter() - began)
    return {name: 1000 * statistics.median(held) for name, held in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3)
    seconds = parser.parse_args().seconds
    folder = Path(mkdtemp(prefix="thalweg-bench-"))
    folder.chmod(0o755)
    workspace, _ = Workspace.open(folder)
    workspace.catalog().close()
    cluster = Cluster.of(folder)
    cluster.start()
    try:
        prepare(cluster.url)
        for store in (embedded_store(folder), PostgisTables(cluster.url)):
            store.put(TABLE, buildings())
        ours = {"THALWEG_DATABASE_URL": cluster.url, "THALWEG_SERVE__READ_ROLE": "thalweg_reader"}
        alone = {"DATABASE_URL": cluster.url, "TIPG_DB_SCHEMAS": '["features"]'}
        with (
            service(TIPG, folder, "", **alone) as tipg,
            service(OURS, folder, "/features", **ours) as postgis,
            service(OURS, folder, "/features") as embedded,
        ):
            clients = {
                "tipg alone": (tipg, "features.buildings"),
                "thalweg, PostGIS": (postgis, "buildings"),
                "thalweg, GeoPackage": (embedded, "buildings"),
            }
            found = {name: medians(clients, path, seconds) for name, path in REQUESTS.items()}
    finally:
        cluster.stop()
    print("| | " + " | ".join(clients) + " |")
    print("|---|" + "---|" * len(clients))
    for request, times in found.items():
        base = times["tipg alone"]
        cells = (f"{one:.1f} ms ({one / base:.2f})" for one in times.values())
        print(f"| {request} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
