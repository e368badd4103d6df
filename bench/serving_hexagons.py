"""How long the service takes for hexagons: 5,000 cells x 8 layers, in every format.

python bench/serving_hexagons.py [CELLS] [REPEATS]

Makes a workspace with one scenario of 8 return periods at resolution 7 and 24 statistics, as a run
does, starts a server of one process, and asks it over one connection: by page, and by a box that
holds as many cells. "of a processor" is what a request takes of the server's process.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import h3.api.numpy_int as h3
import httpx
import numpy as np
import run
from servers import Server, by_turns, thalweg

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


def main(cells: int, repeats: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "workspace"
        make(workspace)
        with thalweg(workspace) as server, httpx.Client(base_url=server.url, timeout=60) as client:
            report(server, client, cells, repeats)


def report(server: Server, client: httpx.Client, cells: int, repeats: int) -> None:
    base = "/api/hexagons/flood_risk/cells?resolution=7"
    page = {f"{kind}, a page": f"{base}&limit={cells}&format={kind}" for kind in FORMATS}
    box = {"json, a box": f"{base}&bbox={box_of(cells)}"}
    whole = {"summary of all": "/api/hexagons/flood_risk/summary?resolution=7"}
    print("| | p50 | p95 | of a processor | bytes |\n|---|---|---|---|---|")
    for name, path in {**page, **box, **whole}.items():
        size = len(client.get(path).raise_for_status().content)
        cost = by_turns({"": server}, {"": lambda _, path=path: client.get(path)}, repeats)[""]
        times = f"{cost.p50:.0f} ms | {cost.p95:.0f} ms | {cost.processor_ms:.0f} ms"
        print(f"| {name} | {times} | {size:,} |", flush=True)
    memory = server.memory_mb("VmHWM")
    print(f"\nlargest memory {memory} MB, load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(*run.numbers(__doc__, cells=5000, repeats=60))
