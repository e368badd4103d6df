"""A publisher of buildings on this machine, laid out and answering as the real ones do."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "sv=2024&sig=secret%3D"
MODIFIED = "Sat, 01 Nov 2025 00:00:00 GMT"


@dataclass
class Publisher:
    """Files by path, blobs by container and name, STAC items; answers in pages of two items."""

    files: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    items: list[dict[str, Any]] = field(default_factory=list)
    gets: list[str] = field(default_factory=list)
    url: str = ""

    def add_partition(self, region: str, quadkey: int, date: str, parts: dict[str, bytes]) -> None:
        folder = f"delta/{date}/ml-buildings.parquet/RegionName={region}/quadkey={quadkey}"
        for name, content in parts.items():
            self.blobs[f"footprints/{folder}/{name}"] = content
        self.items.append(
            {
                "type": "Feature",
                "stac_version": "1.0.0",
                "id": f"{region}_{quadkey}_{date}",
                "properties": {
                    "datetime": f"{date}T00:00:00Z",
                    "msbuildings:region": region,
                    "msbuildings:quadkey": quadkey,
                    "msbuildings:processing-date": date,
                },
                "geometry": None,
                "links": [],
                "stac_extensions": [],
                "assets": {
                    "data": {
                        "href": f"abfs://footprints/{folder}/",
                        "type": "application/x-parquet",
                        "table:storage_options": {"account_name": "bingmlbuildings"},
                    }
                },
            }
        )

    def search(self, body: dict[str, Any]) -> dict[str, Any]:
        wanted = body.get("query", {}).get("msbuildings:region", {}).get("eq")
        found = [
            one for one in self.items if wanted in (None, one["properties"]["msbuildings:region"])
        ]
        start = int(body.get("token", "next:0").removeprefix("next:"))
        links = []
        if start + 2 < len(found):
            links = [
                {
                    "rel": "next",
                    "method": "POST",
                    "href": f"{self.url}/stac/search",
                    "body": {**body, "token": f"next:{start + 2}"},
                }
            ]
        return {
            "type": "FeatureCollection",
            "features": found[start : start + 2],
            "links": links,
        }

    def listed(self, container: str, prefix: str) -> bytes:
        blobs = "".join(
            f"<Blob><Name>{name}</Name><Properties><Last-Modified>{MODIFIED}</Last-Modified>"
            f"<Etag>0x1</Etag><Content-Length>{len(content)}</Content-Length>"
            "<Content-Type>application/octet-stream</Content-Type></Properties></Blob>"
            for path, content in sorted(self.blobs.items())
            if (name := path.removeprefix(f"{container}/")).startswith(prefix)
        )
        return (
            '<?xml version="1.0" encoding="utf-8"?>'
            f'<EnumerationResults ContainerName="{container}"><Prefix>{prefix}</Prefix>'
            f"<Blobs>{blobs}</Blobs><NextMarker /></EnumerationResults>"
        ).encode()


def serve(publisher: Publisher) -> ThreadingHTTPServer:
    """Serves until `shutdown` is called, in threads of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(200, json.dumps(publisher.search(body)).encode())

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            path, query = unquote(parts.path), parse_qs(parts.query)
            publisher.gets.append(path)
            if path.startswith("/token/"):
                self._answer(200, json.dumps({"token": TOKEN}).encode())
            elif path.startswith("/blobs/"):
                self._blob(path.removeprefix("/blobs/"), query)
            elif path in publisher.files:
                self._answer(200, publisher.files[path])
            else:
                self._answer(404, b"gone")

        def _blob(self, path: str, query: dict[str, list[str]]) -> None:
            if query.get("sig") != ["secret="]:
                self._answer(403, b"not signed")
            elif query.get("comp") == ["list"]:
                self._answer(200, publisher.listed(path, query["prefix"][0]))
            elif path in publisher.blobs:
                self._answer(200, publisher.blobs[path])
            else:
                self._answer(404, b"gone")

        def _answer(self, code: int, content: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Last-Modified", MODIFIED)
            self.send_header("ETag", f'"{len(content)}"')
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    publisher.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
