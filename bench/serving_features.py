"""Features and vector tiles: ours over both backends against tipg alone, on the same tables.

`python bench/serving_features.py [--rounds 100]`. Each service listens in its own process; they
are warmed up, and asked by turns, one request after the other.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import shapely
from servers import by_turns, heading, listening, row, thalweg, workspace_with_database

from thalweg.features.postgis import PostgisTables
from thalweg.features.stores import embedded_store
from thalweg.features.tables import Column, FeatureTable
from thalweg.postgres.preparing import prepare

TABLE = FeatureTable("buildings", (Column("name", "text"), Column("area", "number")))
COUNT = 100_000
REQUESTS = {
    "items, 10": "/items?limit=10",
    "items, 1000": "/items?limit=1000",
    "items, box": "/items?bbox=29.5,-2.5,29.6,-2.4&limit=100",
    "items, filter": "/items?filter=area%20%3E%20240&limit=100",
    "one item": "/items/77",
    "tile 11, ~800 features": "/tiles/WebMercatorQuad/11/1192/1037",
    "tile 13, ~50 features": "/tiles/WebMercatorQuad/13/4770/4150",
}
TIPG = """
import sys, uvicorn
from tipg.main import app
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
"""


def buildings() -> list[pa.RecordBatch]:
    random = np.random.default_rng(1)
    corners = random.uniform((29, -3), (31, -1), (COUNT, 2))
    boxes = shapely.box(*corners.T, *(corners + 0.0002).T)
    names = pa.array([f"building {number}" for number in range(COUNT)])
    columns = [pa.array(range(1, COUNT + 1)), names, random.uniform(10, 250, COUNT)]
    return [pa.record_batch([*columns, shapely.to_wkb(boxes).tolist()], schema=TABLE.schema)]


def ask(client: httpx.Client, path: str, _: int) -> None:
    client.get(path).raise_for_status()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    with workspace_with_database() as (workspace, url):
        prepare(url)
        for store in (embedded_store(workspace.folder), PostgisTables(url)):
            store.put(TABLE, buildings())
        report(workspace.folder, url, rounds)


def report(folder: Path, url: str, rounds: int) -> None:
    ours = {"THALWEG_DATABASE_URL": url, "THALWEG_SERVE__READ_ROLE": "thalweg_reader"}
    alone = {"DATABASE_URL": url, "TIPG_DB_SCHEMAS": '["features"]'}
    with (
        listening("-c", TIPG, ready="/conformance", cwd=folder, **alone) as tipg,
        thalweg(folder, **ours) as postgis,
        thalweg(folder) as embedded,
        httpx.Client(timeout=60) as client,
    ):
        servers = {"tipg alone": tipg, "thalweg, PostGIS": postgis, "thalweg, GeoPackage": embedded}
        collections = {
            "tipg alone": f"{tipg.url}/collections/features.buildings",
            "thalweg, PostGIS": f"{postgis.url}/features/collections/buildings",
            "thalweg, GeoPackage": f"{embedded.url}/features/collections/buildings",
        }
        print(heading("tipg alone", servers))
        for name, path in REQUESTS.items():
            asks = {one: partial(ask, client, url + path) for one, url in collections.items()}
            print(row(name, by_turns(servers, asks, rounds)), flush=True)
    print(f"\nload average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
