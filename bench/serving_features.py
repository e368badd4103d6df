"""Features and vector tiles: ours over both backends against tipg alone, on the same tables.

`python bench/serving_features.py [--seconds 3]`. Each service listens in a process of its own, is
warmed up, and is asked by one client, one request after the other.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
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
    "tile 11, ~1500": "/collections/{id}/tiles/WebMercatorQuad/11/1192/1037",
    "tile 13, ~100": "/collections/{id}/tiles/WebMercatorQuad/13/4770/4150",
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


def measured(program: str, folder: Path, prefix: str, collection: str, seconds: float, **env: str):
    """The median of each request in milliseconds."""
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
            return {
                name: median(client, path.format(id=collection), seconds)
                for name, path in REQUESTS.items()
            }
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


def median(client: httpx.Client, path: str, seconds: float) -> float:
    for _ in range(3):
        client.get(path).raise_for_status()
    times = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        client.get(path).raise_for_status()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


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
        found = {
            "tipg alone": measured(TIPG, folder, "", "features.buildings", seconds, **alone),
            "thalweg, PostGIS": measured(OURS, folder, "/features", "buildings", seconds, **ours),
            "thalweg, GeoPackage": measured(OURS, folder, "/features", "buildings", seconds),
        }
    finally:
        cluster.stop()
    print("| | " + " | ".join(REQUESTS) + " |")
    print("|---|" + "---|" * len(REQUESTS))
    base = found["tipg alone"]
    for service, times in found.items():
        cells = (f"{times[name]:.1f} ms ({times[name] / base[name]:.2f})" for name in REQUESTS)
        print(f"| {service} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
