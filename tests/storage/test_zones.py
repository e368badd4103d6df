from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import obstore
import pytest
from obstore.store import LocalStore

from thalweg.errors import DiskFull, ObjectExists, ObjectNotFound, SettingsError, StorageError
from thalweg.storage.checksums import sha256_of
from thalweg.storage.staging import STAGING_FOLDER, sweep
from thalweg.storage.zones import Zone


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    (tmp_path / "zone").mkdir()
    return Zone("silver", str(tmp_path / "zone"))


def publish(zone: Zone, key: str, content: bytes) -> None:
    with zone.staging() as area:
        written = area / "new"
        written.write_bytes(content)
        zone.publish(written, key)


def test_what_is_published_is_listed_read_and_opened(zone: Zone) -> None:
    publish(zone, "a/b.3fa9c1d2.tif", b"pixels")
    (found,) = zone.list()
    assert (found.key, found.size) == ("a/b.3fa9c1d2.tif", 6)
    assert zone.head(found.key) == found
    assert zone.read(found.key) == b"pixels"
    assert Path(zone.gdal_path(found.key)).read_bytes() == b"pixels"
    assert sha256_of(Path(zone.gdal_path(found.key))) == hashlib.sha256(b"pixels").hexdigest()


def test_a_listing_keeps_to_its_folder(zone: Zone) -> None:
    for key in ("rwa/x.tif", "rwanda/y.tif", "rwa/deep/z.tif"):
        publish(zone, key, b"1")
    assert {one.key for one in zone.list("rwa")} == {"rwa/x.tif", "rwa/deep/z.tif"}
    assert len(list(zone.list())) == 3


def test_a_published_object_is_never_overwritten(zone: Zone) -> None:
    publish(zone, "a.tif", b"first")
    with pytest.raises(ObjectExists, match=r"already published"):
        publish(zone, "a.tif", b"second")
    assert zone.read("a.tif") == b"first"


def _race(url: str, number: int) -> bool:
    try:
        publish(Zone("silver", url), "raced.tif", str(number).encode())
    except ObjectExists:
        return False
    return True


def test_of_many_publishers_exactly_one_wins(zone: Zone) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        won = pool.starmap(_race, [(zone.url, number) for number in range(16)])
    assert won.count(True) == 1
    assert zone.read("raced.tif") == str(won.index(True)).encode()


def test_staging_leaves_nothing_behind_and_is_not_listed(zone: Zone) -> None:
    with zone.staging() as area:
        (area / "half-written").write_bytes(b"1")
        assert list(zone.list()) == []
    assert zone.folder is not None
    assert list((zone.folder / STAGING_FOLDER).iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_what_a_live_one_writes_is_not(zone: Zone) -> None:
    program = (
        "import sys, time; from thalweg.storage.zones import Zone\n"
        "with Zone('z', sys.argv[1]).staging() as area:\n"
        "    (area / 'half').write_bytes(b'1'); print('written', flush=True); time.sleep(60)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, zone.url], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == "written\n"
    assert zone.folder is not None
    with zone.staging() as own:
        assert sweep(zone.folder) == 0
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert sweep(zone.folder) == 1
        assert own.is_dir()


def test_a_touched_object_has_another_etag(zone: Zone) -> None:
    publish(zone, "a.tif", b"1")
    before = zone.head("a.tif")
    path = Path(zone.gdal_path("a.tif"))
    os.utime(path, (1, 1))
    after = zone.head("a.tif")
    assert before is not None
    assert after is not None
    assert (before.size, before.key) == (after.size, after.key)
    assert before.etag != after.etag


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a/../../x", ""])
def test_a_key_never_leaves_its_zone(zone: Zone, key: str) -> None:
    with pytest.raises(StorageError, match="is no key"):
        zone.gdal_path(key)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    zone = Zone("bronze", str(tmp_path / "nowhere"))
    with pytest.raises(ObjectNotFound, match="nowhere") as caught:
        list(zone.list())
    assert "bronze" in caught.value.hint
    assert zone.head("x") is None


def test_a_missing_object_is_named(zone: Zone) -> None:
    assert zone.head("x.tif") is None
    with pytest.raises(ObjectNotFound, match=r"x\.tif"):
        zone.read("x.tif")


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """/dev/full answers every write as a full disk does."""
    zone = Zone("silver", str(tmp_path))

    def write() -> None:
        with zone.staging() as area:
            (area / "full").symlink_to("/dev/full")
            with (area / "full").open("wb", buffering=0) as file:
                file.write(b"1")

    with pytest.raises(DiskFull, match="No space is left"):
        write()


@pytest.mark.parametrize("url", ["ftp://host/x", "http://host/x", "memory://"])
def test_a_place_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="s3://"):
        Zone("bronze", url)


def test_the_same_object_as_gdal_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Zone("b", "s3://bucket/base/").gdal_path("a/b.tif") == "/vsis3/bucket/base/a/b.tif"
    assert Zone("b", "az://container").gdal_path("a.tif") == "/vsiaz/container/a.tif"
    assert Zone("b", "gs://bucket").gdal_path("a.tif") == "/vsigs/bucket/a.tif"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9000")
    assert Zone("b", "s3://bucket").gdal_environment()["AWS_S3_ENDPOINT"] == "localhost:9000"


def test_an_odd_name_link_or_loop_does_not_hide_the_other_files(tmp_path: Path) -> None:
    """One name with a control character or bytes that are no UTF-8 once failed the listing."""
    folder = tmp_path / "zone"
    (folder / "deep").mkdir(parents=True)
    names = (b"sound 1%.tif", b"new\nline.tif", b"bell\x1b[31m.tif", b"bytes\xff.tif", "ü".encode())
    for name in names:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"1")
    (folder / "deep" / "loop").symlink_to(folder)
    (folder / "deep" / "linked.tif").symlink_to(folder / "sound 1%.tif")
    (folder / "nowhere.tif").symlink_to(tmp_path / "gone")
    os.mkfifo(folder / "pipe.tif")
    zone = Zone("bronze", str(folder))
    assert {one.key for one in zone.list()} == {
        "sound 1%.tif",
        r"new\x0aline.tif",
        r"bell\x1b[31m.tif",
        r"bytes\xff.tif",
        "ü",
        "nowhere.tif",
        "deep/linked.tif",
    }
    assert zone.head("sound 1%.tif") in list(zone.list())
    assert zone.head("nowhere.tif") is None
    assert zone.head("deep") is None


def test_the_etag_of_a_folder_is_that_of_object_storage_on_it(zone: Zone) -> None:
    """Were it to change, everything ever made would be made again."""
    publish(zone, "a/b.tif", b"pixels")
    (found,) = zone.list("a")
    assert zone.folder is not None
    assert f'"{found.etag}"' == obstore.head(LocalStore(zone.folder), "a/b.tif")["e_tag"]
