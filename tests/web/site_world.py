"""A workspace with everything that pages show: floods, hexagons, exposure, and plain figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import from_origin
from tables_world import make as make_tables

from thalweg.catalog.collections import build_collection
from thalweg.catalog.geometries import box_geometry
from thalweg.catalog.stac import COG_MEDIA_TYPE
from thalweg.pipelines.workspace import Workspace

COLLECTION, TERRAIN = "flood-depth", "terrain"
PERIODS = (5, 20, 100)
WATER, NODATA = -2, -9999
BOX = [29.0, -3.0, 31.0, -1.0]
SIZE = 64
SCENARIOS = (
    {"peril": "fluvial", "year": "2020"},
    {"peril": "fluvial", "year": "2050", "scenario": "ssp245"},
    {"peril": "fluvial", "year": "2050", "scenario": "ssp585"},
    {"peril": "pluvial", "year": "2020"},
)


def make(folder: Path) -> Workspace:
    """Depth is 10 cm times the period's number times the scenario's, all over the northern half;
    permanent water in the south-west, nothing in the south-east."""
    workspace = make_tables(folder)
    silver = workspace.zone("silver").folder
    assert silver is not None
    items = []
    for number, scenario in enumerate(SCENARIOS, start=1):
        name = "-".join(scenario.values())
        path = silver / f"floods/{name}.aaaaaaaa.tif"
        path.parent.mkdir(exist_ok=True)
        write(path, number)
        told = {f"thalweg:{key}": value for key, value in scenario.items()}
        items.append(item(name, COLLECTION, path, scenario["year"], **told))
    plain = {
        **item("plain", TERRAIN, silver / "none.tif", "2020"),
        "assets": {"data": {"href": "https://files.example.org/a.csv", "type": "text/csv"}},
    }
    with workspace.catalog() as catalog:
        for one, held, title in (
            (COLLECTION, items, "Depth of floods"),
            (TERRAIN, [plain], "<script>alert(1)</script>"),
        ):
            about = f"About {one}."
            catalog.put_collection(
                build_collection(one, held, title=title, description=about, license="other")
            )
            catalog.put_items(held)
    return workspace


def write(path: Path, number: int) -> None:
    depths = np.zeros((len(PERIODS), SIZE, SIZE), np.int16)
    for n in range(len(PERIODS)):
        depths[n, : SIZE // 2] = 10 * (n + 1) * number
    depths[:, SIZE // 2 :, : SIZE // 2] = WATER
    depths[:, SIZE // 2 :, SIZE // 2 :] = NODATA
    west, south, east, north = BOX
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=SIZE,
        height=SIZE,
        count=len(PERIODS),
        dtype="int16",
        crs="EPSG:4326",
        nodata=NODATA,
        transform=from_origin(west, north, (east - west) / SIZE, (north - south) / SIZE),
        tiled=True,
        blockxsize=64,
        blockysize=64,
    ) as file:
        file.write(depths)


def item(name: str, collection: str, path: Path, year: str, **told: Any) -> dict[str, Any]:
    bands = [
        {
            "name": f"1in{years}",
            "data_type": "int16",
            "nodata": NODATA,
            "unit": "cm",
            "thalweg:return_period": years,
        }
        for years in PERIODS
    ]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": name,
        "collection": collection,
        "geometry": box_geometry(BOX),
        "bbox": BOX,
        "properties": {
            "title": f"Flood & depth: {name}",
            "datetime": None,
            "start_datetime": f"{year}-01-01T00:00:00Z",
            "end_datetime": f"{year}-12-31T23:59:59Z",
            **told,
        },
        "assets": {
            "data": {
                "href": str(path),
                "type": COG_MEDIA_TYPE,
                "roles": ["data"],
                "bands": bands,
                "classification:classes": [{"value": WATER, "name": "permanent_water"}],
            }
        },
        "links": [],
    }
