"""Files as they are: ranges, conditions, signed links, and nothing but what is published."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np
import pytest
import rasterio
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from listening import listening
from rasterio.transform import from_origin

from thalweg.api.app import create_app
from thalweg.api.files import FILES
from thalweg.api.parts import Part
from thalweg.api.ranges import ByteRange, byte_range
from thalweg.api.signing import Signer
from thalweg.api.stac.part import STAC
from thalweg.catalog.stac import COG_MEDIA_TYPE
from thalweg.errors import RangeNotSatisfiable
from thalweg.pipelines.workspace import Workspace

KEY = "flood/a b/depth.0123abcd.tif"
URL = "/files/silver/flood/a%20b/depth.0123abcd.tif"
CONTENT = bytes(range(256)) * 2000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    workspace, _ = Workspace.open(folder)
    silver = workspace.zone("silver").folder
    assert silver is not None
    for key, content in {
        KEY: CONTENT,
        "page.html": b"<script>",
        "empty.json": b"",
        ".staging/half.tif": b"half",
    }.items():
        path = silver / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "secret.txt").write_text("secret")
    (silver / "out.txt").symlink_to(tmp_path / "secret.txt")
    (silver / "up").symlink_to(tmp_path)
    return folder


def app_of(folder: Path, *parts: Part, **serve: Any) -> Any:
    workspace, settings = Workspace.at(folder)
    return create_app(
        workspace, settings.model_copy(update={"serve": type(settings.serve)(**serve)})
    )


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    with TestClient(app_of(folder)) as found:
        yield found


def test_a_file_is_given_whole_as_what_it_is(client: TestClient) -> None:
    answer = client.get(URL, headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == COG_MEDIA_TYPE
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "content-encoding" not in answer.headers
    page = client.get("/files/silver/page.html")
    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "public, max-age=60"
    assert client.get("/files/silver/empty.json").content == b""


def test_head_tells_and_sends_nothing(client: TestClient) -> None:
    answer = client.head(URL)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(CONTENT))
    part = client.head(URL, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.headers["content-length"]) == (206, "10")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("0-0", 0, 0), ("100-299", 100, 299), ("511999-", 511_999, 511_999), ("-5", 511_995, 511_999)],
)
def test_a_range_is_its_bytes(client: TestClient, asked: str, first: int, last: int) -> None:
    answer = client.get(URL, headers={"Range": f"bytes={asked}"})
    assert (answer.status_code, answer.content) == (206, CONTENT[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(CONTENT)}"


def test_ranges_that_are_none_are_passed_over_and_those_beyond_refused(client: TestClient) -> None:
    for asked in ("bytes=x-y", "lines=0-3", "bytes=9-3", "bytes=0-1,4-5", "bytes=-", ""):
        answer = client.get(URL, headers={"Range": asked})
        assert (answer.status_code, len(answer.content)) == (200, len(CONTENT)), asked
    beyond = client.get(URL, headers={"Range": "bytes=512000-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "RangeNotSatisfiable")
    assert beyond.headers["content-range"] == f"bytes */{len(CONTENT)}"


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))
def test_a_range_lies_in_the_file(size: int, first: int, last: int) -> None:
    for header in (f"bytes={first}-{last}", f"bytes={first}-", f"bytes=-{last}"):
        try:
            found = byte_range(header, size)
        except RangeNotSatisfiable:
            continue
        if found is not None:
            assert 0 <= found.first <= found.last < size
            assert 1 <= found.length <= size
            assert isinstance(found, ByteRange)


def test_conditions_hold_for_the_very_file(client: TestClient, folder: Path) -> None:
    tag = client.get(URL).headers["etag"]
    assert client.get(URL, headers={"If-None-Match": f'"x", W/{tag}'}).status_code == 304
    assert client.get(URL, headers={"If-None-Match": "*"}).status_code == 304
    asked = {"Range": "bytes=0-9", "If-Range": tag}
    assert client.get(URL, headers=asked).status_code == 206
    (folder / "silver" / KEY).write_bytes(CONTENT[:-1])
    assert client.get(URL, headers={"If-None-Match": tag}).status_code == 200
    assert client.get(URL, headers=asked).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "silver/../../secret.txt",
        "silver/%2e%2e/%2e%2e/secret.txt",
        "silver/..%2f..%2fsecret.txt",
        "silver/%2Fetc%2Fpasswd",
        "silver//etc/passwd",
        "silver/a%5C..%5Cb",
        "silver/out.txt",
        "silver/up/secret.txt",
        "silver/.staging/half.tif",
        "silver/flood",
        "silver/flood/",
        "silver/",
        "silver/none.tif",
        "silver/" + "x" * 300,
        "silver/page.html/x",
        "silver/a%27%25b",
        "bronze/page.html",
        "..%2f/keys.json",
        "nowhere/page.html",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_else_is_ever_sent(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, f"/files/{path}")
    assert answer.status_code == 404
    assert "secret" not in answer.text.replace("secret.txt", "")
    if method == "GET":
        assert set(answer.json()) == {"code", "message", "hint", "request_id"}
    assert client.request(method, "/files/silver/a%00b").status_code == 400


def test_items_lead_to_files_that_gdal_opens_and_private_ones_are_signed(folder: Path) -> None:
    """As odc-stac and rio-tiler do: with no header of ours."""
    tif = folder / "silver/flood/real.89abcdef.tif"
    pixels = np.arange(64, dtype="int16").reshape(1, 8, 8)
    with rasterio.open(
        tif, "w", driver="GTiff", width=8, height=8, count=1, dtype="int16",
        crs="EPSG:4326", transform=from_origin(29, -1, 0.1, 0.1),
    ) as made:  # fmt: skip
        made.write(pixels)
    item = {
        "type": "Feature", "stac_version": "1.1.0", "id": "a", "collection": "flood",
        "geometry": None, "properties": {"datetime": "2020-01-01T00:00:00Z"}, "links": [],
        "assets": {"data": {"href": str(tif)}, "away": {"href": "https://a.example/b.tif"}},
    }  # fmt: skip
    collection = {
        "type": "Collection", "stac_version": "1.1.0", "id": "flood", "description": "f",
        "license": "other", "links": [], "assets": {"table": {"href": str(tif)}},
        "extent": {
            "spatial": {"bbox": [[28, -3, 31, -1]]}, "temporal": {"interval": [[None, None]]},
        },
    }  # fmt: skip
    with Workspace.at(folder)[0].catalog() as catalog:
        catalog.put_collection(collection)
        catalog.put_items([item])
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"  # of "secret"
    key = {"X-API-Key": "secret"}
    for public in (True, False):
        app = app_of(folder, STAC, FILES, public_reading=public, keys={digest: "reader"})
        with listening(app) as url, TestClient(app, base_url=url) as client:
            assets = client.get("/stac/collections/flood/items/a", headers=key).json()["assets"]
            assert assets["away"]["href"] == "https://a.example/b.tif"
            href = assets["data"]["href"]
            assert urlsplit(href).path == "/files/silver/flood/real.89abcdef.tif"
            assert ("signature" in parse_qs(urlsplit(href).query)) is not public
            assert _sum_by_gdal(href) == pixels.sum()
            table = client.get("/stac/collections/flood", headers=key).json()["assets"]["table"]
            assert client.get(table["href"]).status_code == 200
            bare = client.get("/files/silver/flood/real.89abcdef.tif")
            assert bare.status_code == (200 if public else 401)
            assert client.get(f"{href}{'0' if not public else ''}").status_code == (
                200 if public else 403
            )


def _sum_by_gdal(href: str) -> int:
    """In a process of its own: GDAL waits for the server, which is a thread of this one."""
    code = "import rasterio, sys; print(rasterio.open(sys.argv[1]).read().sum())"
    place = f"/vsicurl?use_head=no&url={quote(href, safe='')}"
    done = subprocess.run(
        [sys.executable, "-c", code, place], check=True, capture_output=True, text=True, timeout=60
    )
    return int(done.stdout)


def test_signatures_are_of_one_path_and_end(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    link = signer.signed("/files/silver/a b.tif", 3600, now=10_000)
    path, _, query = link.partition("?")
    assert path == "/files/silver/a%20b.tif"
    given = {name: values[0] for name, values in parse_qs(query).items()}
    expires, signature = given["expires"], given["signature"]
    assert 10_000 + 3600 <= int(expires) <= 10_000 + 7200
    assert signer.signed("/files/silver/a b.tif", 3600, now=10_050) == link
    assert signer.holds("/files/silver/a b.tif", expires, signature, now=10_000)
    assert not signer.holds("/files/silver/a b.tif", expires, signature, now=int(expires))
    assert not signer.holds("/files/silver/other.tif", expires, signature, now=10_000)
    assert not signer.holds("/files/silver/a b.tif", str(int(expires) + 9), signature, now=10_000)
    for wrong in ("", "é", "-1", "1e9"):
        assert not signer.holds("/files/silver/a b.tif", wrong, signature, now=10_000)
    assert not signer.holds("/files/silver/a b.tif", expires, "é", now=10_000)
    file = tmp_path / "serve.secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Signer(tmp_path).signed("/files/silver/a b.tif", 3600, now=10_000) == link
    assert list(tmp_path.iterdir()) == [file]


def test_an_object_store_is_redirected_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing is done here: no store need answer."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "never-sent")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    Workspace.open(tmp_path / "workspace")
    workspace = Workspace(tmp_path / "workspace", {"bronze": "x", "silver": "s3://bucket/made"})
    _, settings = Workspace.at(tmp_path / "workspace")
    with TestClient(create_app(workspace, settings, [FILES]), follow_redirects=False) as client:
        answer = client.get("/files/silver/flood/a.tif")
        assert answer.status_code == 307
        to = urlsplit(answer.headers["location"])
        assert to.path.endswith("made/flood/a.tif")
        assert "X-Amz-Signature" in parse_qs(to.query)
        assert "never-sent" not in answer.headers["location"]
        assert client.get("/files/silver/..%2Fa.tif").status_code == 404
