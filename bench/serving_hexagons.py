"""How long the service takes for hexagons: 5,000 cells x 8 layers, in every format.

python bench/serving_hexagons.py [CELLS] [REPEATS]

Makes a workspace with one scenario of 8 return periods at resolution 7 and 24 statistics, as a run
does, starts a server of one process, and asks it over one connection: by page, and by a box that
holds as many cells. Percentiles are of all requests after the first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from statistics import quantiles

import h3.api.numpy_int as h3
import numpy as np

from thalweg.catalog.ledger import PARQUET_MEDIA_TYPE, Artifact
from thalweg.domain.coordinates import Coordinates
from thalweg.hexagons.layers import Series
from thalweg.hexagons.tables import partition, series_table, table_facts, write_table
from thalweg.pipelines.workspace import Workspace

PERIODS = (5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
SERIES = Series(
    "flood_risk",
    "flood",
    "cm",
    Coordinates((("peril", "fluvial"), ("year", "2020"))),
    tuple(f"1in{one:g}" for one in PERIODS),
    PERIODS,
)
STATISTICS = ("mean", "valid", *(f"share_{number}" for number in range(22)))
FORMATS = ("json", "geojson", "csv", "parquet", "arrow")
HELD = 12_000


def make(folder: Path) -> None:
    """A table of more cells than are asked for, published and recorded."""
    workspace, _ = Workspace.open(folder)
    centre = h3.latlng_to_cell(-2, 30, 7)
    cells = np.sort(h3.grid_disk(centre, 64))[:HELD].astype(np.uint64)
    random = np.random.default_rng(1)
    numbers = {name: random.random((len(cells), len(PERIODS))) for name in STATISTICS}
    table = series_table(SERIES, cells, numbers, countries=["RWA"] * len(cells))
    key = f"bench/{partition(SERIES, 7)}/{SERIES.id}.00000000.parquet"
    zone = workspace.zone("silver")
    with zone.staging() as area:
        write_table(table, area / "table")
        zone.publish(area / "table", key)
    artifact = Artifact(
        zone="silver",
        key=key,
        kind="hexagons",
        pipeline="bench",
        operator="hexagons",
        operator_version=1,
        fingerprint="0" * 64,
        checksum="0" * 64,
        size=1,
        media_type=PARQUET_MEDIA_TYPE,
        coordinates={**SERIES.coordinates.to_json(), "h3_resolution": "7"},
        facts={"table": table_facts(table).to_json()},
        run_id="bench",
        made_at="2026-01-01T00:00:00+00:00",
        inputs=(),
    )
    with workspace.catalog() as catalog:
        catalog.record(artifact)


def box_of(cells: int) -> str:
    """A box around 30 E, 2 S that holds about so many cells of resolution 7."""
    side = (cells * h3.average_hexagon_area(7, "km^2")) ** 0.5 / 111.2 / 2
    return f"{30 - side},{-2 - side},{30 + side},{-2 + side}"


def timed(connection: HTTPConnection, path: str, repeats: int) -> tuple[list[float], int]:
    """Seconds of each request, and the bytes of the last answer."""
    seconds, size = [], 0
    for _ in range(repeats + 1):
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        seconds.append(time.perf_counter() - began)
        if answer.status != 200:
            raise SystemExit(body.decode())
        size = len(body)
    return seconds[1:], size


def main(cells: int, repeats: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "workspace"
        make(workspace)
        command = [sys.executable, "-m", "thalweg.cli.main", "serve", str(workspace), "--port", "0"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as server:  # fmt: skip
            assert server.stdout is not None
            try:
                port = next(
                    int(line.split("127.0.0.1:")[1].split("/")[0])
                    for line in server.stdout
                    if "127.0.0.1:" in line
                )
                report(connected(port), cells, repeats, server.pid)
            finally:
                server.terminate()


def connected(port: int) -> HTTPConnection:
    """A connection to the server, once it listens."""
    for _ in range(600):
        try:
            connection = HTTPConnection("127.0.0.1", port)
            connection.connect()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return connection
    raise SystemExit("the server does not listen")


def report(connection: HTTPConnection, cells: int, repeats: int, server: int) -> None:
    print("| | p50 | p95 | bytes |\n|---|---|---|---|")
    base = "/api/hexagons/flood_risk/cells?resolution=7"
    page = {f"{kind}, a page": f"{base}&limit={cells}&format={kind}" for kind in FORMATS}
    box = {"json, a box": f"{base}&bbox={box_of(cells)}"}
    whole = {"summary of all": "/api/hexagons/flood_risk/summary?resolution=7"}
    for name, path in {**page, **box, **whole}.items():
        seconds, size = timed(connection, path, repeats)
        cuts = quantiles(seconds, n=100, method="inclusive")
        print(f"| {name} | {cuts[49] * 1e3:.0f} ms | {cuts[94] * 1e3:.0f} ms | {size:,} |")
    status = Path(f"/proc/{server}/status").read_text()
    print(f"\nlargest memory {int(status.split('VmHWM:')[1].split()[0]) >> 10} MB", end=", ")
    print(json.dumps({"load": os.getloadavg()}))


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    main(given[0] if given else 5000, given[1] if len(given) > 1 else 60)
