"""Code by which an item is opened elsewhere, to be copied as it is."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from thalweg.catalog.ledger import PARQUET_MEDIA_TYPE, Document
from thalweg.catalog.stac import DATA_ASSET


@dataclass(frozen=True)
class Snippet:
    """`told` says where it goes, `code` is what goes there."""

    name: str
    told: str
    code: str


def snippets_of(
    request: Request, item: Document, assets: Document, *, is_raster: bool
) -> list[Snippet]:
    """Those that suit the item's data."""
    base = str(request.base_url).rstrip("/")
    data = assets.get(DATA_ASSET, {})
    if is_raster:
        return [
            Snippet(
                "QGIS",
                "Layer, Add Layer, Add Raster Layer, protocol HTTP(S):",
                data["href"],
            ),
            Snippet("GDAL", "In a shell:", f'gdalinfo "/vsicurl/{data["href"]}"'),
            Snippet("odc-stac", "In Python:", _odc_stac(base, item)),
            Snippet("XYZ tiles", "In QGIS, Leaflet or MapLibre:", _tiles(base, item)),
        ]
    if data.get("type") == PARQUET_MEDIA_TYPE:
        return [
            Snippet(
                "DuckDB",
                "In its shell, or by duckdb.sql:",
                f"INSTALL httpfs; LOAD httpfs;\nSELECT * FROM read_parquet('{data['href']}')\n"
                "LIMIT 10;",
            ),
            Snippet(
                "GeoPandas",
                "In Python:",
                f'import geopandas\n\nrows = geopandas.read_parquet("{data["href"]}")',
            ),
            Snippet("QGIS", "Layer, Add Layer, Add Vector Layer, HTTP(S):", data["href"]),
        ]
    return []


def _odc_stac(base: str, item: Document) -> str:
    return f"""\
import odc.stac
import pystac_client

client = pystac_client.Client.open("{base}/stac")
items = client.search(collections=["{item["collection"]}"], ids=["{item["id"]}"]).items()
depth = odc.stac.load(items)"""


def _tiles(base: str, item: Document) -> str:
    path = f"{base}/raster/collections/{item['collection']}/items/{item['id']}"
    return f"{path}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.png?bidx=1"
