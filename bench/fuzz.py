"""Asks a service all that its OpenAPI document allows, and much that it does not: no answer may be
a 500, or other than documented.

python bench/fuzz.py URL [MINUTES]

This file is also what schemathesis calls before each request: without names of things that are
there nearly all answers would be 404.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import schemathesis

MINUTES = 20
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance"
)
_URL = "THALWEG_FUZZ_URL"
_SECONDS = 120
_NASTY = (
    *("'", '"', "%", "%00", "../../etc/passwd", "..%2f", ";--", "a" * 300),
    *("é", "\U0001f30a", " "),
)
_PLAUSIBLE: dict[str, tuple[Any, ...]] = {
    "bbox": (
        *("29,-3,30,-2", "28,-3,31,0", "170,-10,-170,10", "nan,0,1,1"),
        *("-180,-90,180,90", "1,2"),
    ),
    "coord_crs": ("epsg:4326", "epsg:3857", "epsg:0"),
    "crs": ("epsg:4326", "http://www.opengis.net/def/crs/OGC/1.3/CRS84", "epsg:1"),
    "datetime": ("2050-06-01T00:00:00Z", "../2050-01-01T00:00:00Z", "2020-01-01", "2050/2020"),
    "dst_crs": ("epsg:3857", "epsg:32736", "epsg:99999"),
    "fields": ("id,properties.title", "-geometry", "-assets,-links", "properties"),
    "filter": (
        "name = 'Kigali'",
        "people > 100 AND S_INTERSECTS(geometry, BBOX(-30,-30,30,30))",
        "\"thalweg:year\" = '2050'",
        '{"op":"=","args":[{"property":"id"},"a"]}',
        "CASEI(name) LIKE CASEI('k%')",
        "name < pg_read_file('/etc/hostname')",
    ),
    "intersects": ('{"type":"Point","coordinates":[30,-2]}', '{"type":"Polygon","coordinates":[]}'),
    "line": ("29.9,-2.1;30.1,-1.9", "29.9,-2.1", "0,0;200,0"),
    "properties": ("name", "people,name", "none"),
    "rescale": (["0,500"], ["0,0"], ["nan,inf"], ["5,1"]),
    "return_period": ("100", "5,20", "0"),
    "sortby": ("name", "-people", "+id", "-properties.thalweg:year"),
    "statistic": ("mean", "max", "mean,wet_area_km2"),
    "resolution": (5, 6, 7),
    "scenario": ("ssp245", "none"),
    "peril": ("fluvial", "pluvial"),
    "year": (2020, 2050),
    "token": ("next:a:b", "prev:x", "MTI"),
    "lon": (29.9, 30.4),
    "lat": (-2.1, -1.4),
    "minx": (29.5,),
    "miny": (-2.5,),
    "maxx": (30.2,),
    "maxy": (-1.9,),
    "width": (64, 256, 0),
    "height": (64, 256, -1),
    "z": (8, 10, 3),
    "x": (149, 597, 4),
    "y": (129, 518, 4),
}


def main() -> None:
    url = sys.argv[1].rstrip("/")
    seconds = round(60 * float(sys.argv[2] if len(sys.argv) > 2 else MINUTES))
    command = [
        Path(sys.executable).parent / "schemathesis",
        *("run", f"{url}/openapi.json", "--url", url, "--checks", CHECKS),
        *("--max-time", str(seconds), "--request-timeout", str(_SECONDS)),
        *("--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--no-shrink"),
        *("--warnings", "off", "--suppress-health-check", "all", *sys.argv[3:]),
    ]
    # A service makes its document when it is first asked; schemathesis waits ten seconds at most.
    httpx.get(f"{url}/openapi.json", timeout=_SECONDS).raise_for_status()
    given = {**os.environ, "SCHEMATHESIS_HOOKS": __file__, _URL: url}
    sys.exit(subprocess.run(command, env=given, check=False).returncode)


@schemathesis.hook
def before_load_schema(_context: Any, document: Any) -> None:
    """Tuples as lists: of `prefixItems` schemathesis makes what it then finds invalid."""
    pending = [document]
    while pending:
        one = pending.pop()
        if isinstance(one, dict) and isinstance(one.get("prefixItems"), list):
            one["items"] = {"anyOf": one.pop("prefixItems")}
        pending += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Puts what is there, or what is likely to hurt, in the place of most of what was made up."""
    told = repr((case.method, case.path, case.path_parameters, case.query))
    chosen = random.Random(zlib.crc32(told.encode("utf-8", "replace")))
    if case.path_parameters:
        case.path_parameters.update(_path(case, chosen))
    for name in case.query or ():
        if name in _PLAUSIBLE and chosen.random() < 0.6:
            case.query[name] = chosen.choice(_PLAUSIBLE[name])


def _path(case: Any, chosen: random.Random) -> dict[str, Any]:
    """Parameters for a path: three times in four what is there, now and then what may hurt."""
    given = case.path_parameters
    if (luck := chosen.random()) < 0.1:
        return {name: chosen.choice(_NASTY) for name in given if name not in _PLAUSIBLE}
    if luck < 0.25:
        return {}
    there = chosen.choice(_there(case.path.split("/")[1]))
    plausible = {name: chosen.choice(_PLAUSIBLE[name]) for name in given if name in _PLAUSIBLE}
    return plausible | {name: value for name, value in there.items() if name in given}


@cache
def _there(part: str) -> list[dict[str, Any]]:
    """Names of what a service holds, by part: pairs that belong together."""
    with httpx.Client(base_url=os.environ[_URL], timeout=60) as client:
        items = client.get("/stac/search", params={"limit": 100}).json()["features"]
        if part == "features":
            tables = client.get("/features/collections").json()["collections"]
            return [{"collectionId": one["id"], "itemId": 1} for one in tables]
        if part == "raster":
            body = {"collections": sorted({one["collection"] for one in items})[:1]}
            search = client.post("/raster/searches/register", json=body).json()
            search_id = search.get("id", "none")
        else:
            search_id = "none"
        themes = [one["theme"] for one in client.get("/api/hexagons").json().get("themes", ())]
        datasets = [
            one["dataset"] for one in client.get("/api/exposure").json().get("datasets", ())
        ]
    hrefs = [asset["href"] for one in items for asset in one["assets"].values()]
    keys = [one.partition("/files/silver/")[2] or "none" for one in hrefs]
    return [
        {
            "collection_id": one["collection"],
            "item_id": one["id"],
            "search_id": search_id,
            "theme": themes[at % len(themes)] if themes else "none",
            "dataset": datasets[at % len(datasets)] if datasets else "none",
            "zone": "silver",
            "key": keys[at],
        }
        for at, one in enumerate(items)
    ]


if __name__ == "__main__":
    main()
