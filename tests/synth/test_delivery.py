from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import rasterio

from thalweg.errors import DeliveryExists, DiskFull, StorageError
from thalweg.synth.delivery import MANIFEST, deliver
from thalweg.synth.order import Order
from thalweg.synth.presets import VARIANTS, Selection
from thalweg.synth.tiles import write_aside

TINY = Order("tiny", 48)
PART = Order("rwanda", 32, selection=Selection(years=(2020, 2080), return_periods=(10, 100)))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "tiny"
    deliver(TINY, out)
    return out


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("part") / "rwanda"
    deliver(PART, out)
    return out


def test_the_manifest_tells_what_the_files_hold(part: Path) -> None:
    manifest = json.loads((part / MANIFEST).read_text())
    for file in manifest["files"]:
        content = (part / file["path"]).read_bytes()
        assert len(content) == file["size"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        with rasterio.open(part / file["path"]) as dataset:
            depth = dataset.read(1).astype(np.int64)
        wet = depth[depth > 0]
        assert file["nodata"] == (depth == -32768).sum()
        assert file["permanent_water"] == (depth == -32767).sum()
        assert file["valid"] == (depth >= 0).sum()
        assert file["wet"] == wet.size
        assert file["sum_cm"] == wet.sum()
        assert file["max_cm"] == wet.max(initial=0)


def test_the_manifest_names_every_file_and_adds_them_up(part: Path) -> None:
    manifest = json.loads((part / MANIFEST).read_text())
    named = [file["path"] for file in manifest["files"]]
    assert sorted(named) == named
    assert set(named) == set(contents(part)) - {MANIFEST}
    assert manifest["expected"]["sources"] == len(named) == 6 * 3 * 5 * 2
    for key in ("size", "valid", "nodata", "permanent_water", "wet", "sum_cm"):
        assert manifest["totals"][key] == sum(file[key] for file in manifest["files"])
    assert manifest["totals"]["wet"] > 0
    assert manifest["order"]["seed"] == PART.seed


def test_processes_make_the_same_bytes_as_one(part: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    deliver(PART, tmp_path / "again", workers=2, progress=seen.append)
    assert contents(tmp_path / "again") == contents(part)
    assert seen == sorted(seen)
    assert seen[-1] == PART.files


def test_another_seed_makes_another_landscape(made: Path, tmp_path: Path) -> None:
    deliver(Order("tiny", 48, seed=7), tmp_path / "other")
    ours, theirs = contents(made), contents(tmp_path / "other")
    assert ours.keys() == theirs.keys()
    assert all(ours[path] != theirs[path] for path in ours)


def test_a_part_holds_the_same_files_as_the_whole(made: Path, tmp_path: Path) -> None:
    selection = Selection(tiles=("s03e029",), return_periods=(100,))
    deliver(Order("tiny", 48, selection=selection), tmp_path / "part")
    whole, cut = contents(made), contents(tmp_path / "part")
    assert len(cut) == 2 + 1
    assert all(whole[path] == cut[path] for path in cut if path != MANIFEST)


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "region"])
def test_a_variant_holds_the_same_pixels_under_other_names(
    made: Path, tmp_path: Path, variant: str
) -> None:
    manifest = deliver(Order("tiny", 48, variant=variant), tmp_path / "variant")
    ours = {tuple(f[key] for key in COORDINATES): f for f in read_files(made)}
    theirs = {tuple(f[key] for key in COORDINATES): f for f in manifest["files"]}
    assert ours.keys() == theirs.keys()
    assert all(ours[key]["sha256"] == theirs[key]["sha256"] for key in ours)
    assert all(ours[key]["path"] != theirs[key]["path"] for key in ours)


COORDINATES = ("hazard", "year", "scenario", "return_period", "tile")


def read_files(folder: Path) -> list[dict]:
    return json.loads((folder / MANIFEST).read_text())["files"]


def test_a_finished_delivery_is_left_alone(made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    seen: list[int] = []
    deliver(TINY, made, progress=seen.append)
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == before
    assert seen == [TINY.files]


def test_what_is_missing_or_damaged_is_made_again_and_nothing_else(
    made: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mended"
    deliver(TINY, out)
    files = [out / file["path"] for file in read_files(out)]
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:100])
    files[2].write_bytes(files[2].read_bytes()[:-1] + b"?")
    sound = {path: path.stat().st_mtime_ns for path in files[3:]}
    deliver(TINY, out)
    assert contents(out) == contents(made)
    assert {path: path.stat().st_mtime_ns for path in files[3:]} == sound


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_delivery_killed_at_any_moment_goes_on(part: Path, tmp_path: Path, workers: int) -> None:
    out = tmp_path / "killed"
    process = start(out, workers)
    goal = random.Random().randint(1, 60)
    while len(made_so_far(out)) < goal and process.poll() is None:
        time.sleep(0.005)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (out / MANIFEST).exists()
    assert len(children) >= workers - 1
    half_made = settled(children, out)
    assert 0 < len(half_made) < PART.files
    deliver(PART, out)
    assert contents(out) == contents(part)
    again = made_so_far(out)
    assert {path: again[path] for path in half_made} == half_made


def start(out: Path, workers: int) -> subprocess.Popen[bytes]:
    """The order `PART` being delivered by a process of its own."""
    program = (
        "from pathlib import Path\n"
        "from thalweg.synth.delivery import deliver\nfrom thalweg.synth.order import Order\n"
        "from thalweg.synth.presets import Selection\n"
        "if __name__ == '__main__':\n"
        f" part = Selection(years={PART.selection.years}, return_periods=(10, 100))\n"
        f" order = Order({PART.preset!r}, {PART.tile_size}, selection=part)\n"
        f" deliver(order, Path({str(out)!r}), workers={workers})\n"
    )
    return subprocess.Popen([sys.executable, "-c", program])


def made_so_far(out: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in out.rglob("*.tif")}


def settled(workers: list[psutil.Process], out: Path) -> dict[Path, int]:
    """What is made once the killed process's own workers have ended, as they must."""
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []
    return made_so_far(out)


def test_a_delivery_of_another_order_is_refused(made: Path) -> None:
    before = contents(made)
    with pytest.raises(DeliveryExists, match=r"seed 20200101, not 3.*--out") as caught:
        deliver(Order("tiny", 48, seed=3), made)
    assert caught.value.where == str(made)
    with pytest.raises(DeliveryExists, match="tile_size 48, not 64"):
        deliver(Order("tiny", 64), made)
    assert contents(made) == before


def test_an_unfinished_delivery_of_another_order_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".synth.json").write_text(json.dumps({"order": Order("tiny", 32).to_json()}))
    with pytest.raises(DeliveryExists, match="tile_size 32, not 48"):
        deliver(TINY, tmp_path)


@pytest.mark.parametrize("name", ["rwa/FLUVIAL_DEFENDED/real.tif", "notes.txt"])
def test_a_folder_of_somebody_elses_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("not ours")
    with pytest.raises(DeliveryExists, match="not empty"):
        deliver(TINY, tmp_path)
    assert contents(tmp_path) == {name: b"not ours"}


@pytest.mark.parametrize("content", ["[]", "{}", "no json", '{"files": []}'])
def test_somebody_elses_manifest_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(DeliveryExists, match="not the manifest of a synthetic delivery"):
        deliver(TINY, tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written: Not a directory") as caught:
        deliver(TINY, tmp_path / "file" / "out")
    assert str(tmp_path) in caught.value.where
    assert "--out" in caught.value.hint


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_full_disk_is_named_and_the_delivery_goes_on_later(
    made: Path, tmp_path: Path, workers: int
) -> None:
    out = tmp_path / "full"
    victim = out / read_files(made)[-1]["path"]
    victim.parent.mkdir(parents=True)
    (out / ".synth.json").write_text(json.dumps({"order": TINY.to_json()}))
    victim.with_name(f".{victim.name}.part").symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="goes on") as caught:
        deliver(TINY, out, workers=workers)
    assert "full" in caught.value.where
    assert not victim.exists()
    assert not (out / MANIFEST).exists()
    deliver(TINY, out)
    assert contents(out) == contents(made)


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path: Path) -> None:
    (tmp_path / ".a.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space"):
        write_aside(tmp_path / "a", b"content")
    assert list(tmp_path.iterdir()) == []
