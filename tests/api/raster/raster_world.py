"""A workspace of small rasters: floods in two cells that lie side by side, and one terrain."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine

from thalweg.catalog.collections import build_collection
from thalweg.catalog.ledger import Document
from thalweg.catalog.stac import Band, RasterAsset, build_item
from thalweg.domain.pixels import SpecialValue
from thalweg.pipelines.workspace import Workspace
from thalweg.raster.grid import Grid

FLOODS, TERRAIN, ELSEWHERE = "floods", "terrain", "elsewhere"
SIZE, PIXEL = 300, 1 / 300
PERIODS = (10, 100, 1000)
NODATA, WATER = -32768, -32767
WEST, EAST = "fluvial-defended-2050-ssp245-s01e030", "fluvial-defended-2050-ssp245-s01e031"
UNDEFENDED, TODAY = "fluvial-undefended-2050-ssp245-s01e030", "fluvial-defended-2020-s01e030"
HEIGHTS = "heights"
ODD = "it's 100%_odd"


def depths(seed: int) -> NDArray[np.int16]:
    """Three bands of depths in cm, deeper from one to the next: mostly dry, with a lake of
    permanent water and a corner without data."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    river = np.abs(rows - 150 - 40 * np.sin(columns / 30 + seed))
    bands = np.stack([np.clip(200 * n - 12 * river, 0, None) for n in (1, 2, 3)])
    values = bands.astype(np.int16)
    values[:, 20:60, 20:60] = WATER
    values[:, :15, -15:] = NODATA
    return values


def make(folder: Path) -> Workspace:
    """The workspace, with its catalogue."""
    workspace, _ = Workspace.open(folder)
    chosen = [
        (WEST, 30, 0, ("defended", "2050", "ssp245")),
        (EAST, 31, 1, ("defended", "2050", "ssp245")),
        (UNDEFENDED, 30, 2, ("undefended", "2050", "ssp245")),
        (TODAY, 30, 3, ("defended", "2020", "")),
    ]
    floods = [_flood(workspace, *one) for one in chosen]
    terrain = [_terrain(workspace, HEIGHTS), _terrain(workspace, ODD)]
    elsewhere = [{**terrain[0], "id": "passwd", "collection": ELSEWHERE}]
    elsewhere[0] = _pointing(elsewhere[0], "/etc/passwd")
    elsewhere.append({**_pointing(elsewhere[0], f"{folder}/silver/../catalog.db"), "id": "up"})
    elsewhere.append({**_pointing(elsewhere[0], f"{folder}/silver/gone.tif"), "id": "gone"})
    with workspace.catalog() as catalog:
        for name, items in ((FLOODS, floods), (TERRAIN, terrain), (ELSEWHERE, elsewhere)):
            catalog.put_collection(
                build_collection(name, items, title=name, description=name, license="CC-BY-4.0")
            )
            catalog.put_items(items)
    return workspace


def _flood(
    workspace: Workspace, item_id: str, west: int, seed: int, scenario: tuple[str, str, str]
) -> Document:
    values = depths(seed)
    defence, year, climate = scenario
    bands = tuple(
        Band(
            f"1in{period}",
            "int16",
            NODATA,
            "cm",
            statistics={"minimum": 0, "maximum": int(band.max()), "mean": 1, "stddev": 1},
            percentiles={"2": 0.0, "98": 300.0},
            properties={"return_period": period},
        )
        for period, band in zip(PERIODS, values, strict=True)
    )
    properties = {
        "title": item_id,
        "thalweg:peril": "fluvial",
        "thalweg:defence": defence,
        "thalweg:year": year,
        "thalweg:cell": f"s01e0{west}",
        **({"thalweg:scenario": climate} if climate else {}),
    }
    special = (SpecialValue(WATER, "permanent_water"),)
    return _item(workspace, FLOODS, item_id, values, west, bands, properties, special)


def _terrain(workspace: Workspace, item_id: str) -> Document:
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    values = (1000 + rows + columns).astype(np.float32)[None]
    values[0, :10] = np.nan
    band = Band("elevation", "float32", float("nan"), "m", percentiles={"2": 1010.0, "98": 1580.0})
    return _item(workspace, TERRAIN, item_id, values, 30, (band,), {"title": "Heights"}, ())


def _item(
    workspace: Workspace,
    collection: str,
    item_id: str,
    values: NDArray[Any],
    west: int,
    bands: tuple[Band, ...],
    properties: dict[str, Any],
    special: tuple[SpecialValue, ...],
) -> Document:
    zone = workspace.zone("silver")
    assert zone.folder is not None
    key = f"{collection}/{hashlib.sha256(item_id.encode()).hexdigest()[:12]}.tif"
    file = zone.folder / key
    file.parent.mkdir(exist_ok=True)
    transform = Affine(PIXEL, 0, west, 0, -PIXEL, 0)
    with rasterio.open(
        file,
        "w",
        driver="COG",
        width=SIZE,
        height=SIZE,
        count=len(values),
        dtype=values.dtype,
        crs="EPSG:4326",
        transform=transform,
        nodata=bands[0].nodata,
        blocksize=128,
    ) as dataset:
        dataset.write(values)
    raster = RasterAsset(
        zone.href(key),
        file.stat().st_size,
        hashlib.sha256(file.read_bytes()).hexdigest(),
        Grid("EPSG:4326", tuple(transform)[:6], SIZE, SIZE),
        bands,
        special,
    )
    year = properties.get("thalweg:year", "2020")
    return build_item(
        item_id,
        collection,
        raster,
        start=f"{year}-01-01T00:00:00Z",
        end=f"{year}-12-31T23:59:59Z",
        properties=properties,
        lineage="made for tests",
    )


def _pointing(item: Document, href: str) -> Document:
    return {**item, "assets": {"data": {**item["assets"]["data"], "href": href}}}
