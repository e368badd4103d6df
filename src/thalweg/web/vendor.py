"""The browser code of others: which files, and whether they are here."""

from __future__ import annotations

from functools import cache
from pathlib import Path

STATIC_FOLDER = Path(__file__).parent / "static"
VENDOR_FOLDER = STATIC_FOLDER / "vendor"
VENDOR_FILES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "maplibre-gl.mjs": "maplibre-gl/dist/maplibre-gl.mjs",
    "maplibre-gl-worker.mjs": "maplibre-gl/dist/maplibre-gl-worker.mjs",
    "maplibre-gl-shared.mjs": "maplibre-gl/dist/maplibre-gl-shared.mjs",
    "maplibre-gl.css": "maplibre-gl/dist/maplibre-gl.css",
    "h3-js.umd.js": "h3-js/dist/h3-js.umd.js",
    "deck.min.js": "deck.gl/dist.min.js",
    "swagger-ui-bundle.js": "swagger-ui-dist/swagger-ui-bundle.js",
    "swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
}
"""By name in `VENDOR_FOLDER`: the file of an npm package that script/web copies there."""


@cache
def has_vendor_files() -> bool:
    """Whether the browser code was fetched when Thalweg was built."""
    return all((VENDOR_FOLDER / name).exists() for name in VENDOR_FILES)
