"""A delivery on disk: a folder of tiles and the manifest that describes them.

The manifest is written last. Until then `.synth.json` says what is being made, so that a delivery
that was broken off goes on; files that already hold the right bytes are left as they are.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thalweg.errors import DeliveryExists, DiskFull, StorageError
from thalweg.synth.flood import NODATA, PERMANENT_WATER, SMALLEST_DEPTH, build_region
from thalweg.synth.layers import expected_answers
from thalweg.synth.order import Order
from thalweg.synth.presets import Preset, find_preset
from thalweg.synth.tiles import Job, Progress, Record, aside_of, make_tiles, write_aside

MANIFEST = "manifest.json"
UNFINISHED = ".synth.json"


def deliver(
    order: Order, out: Path, *, workers: int = 1, progress: Progress = lambda _: None
) -> Record:
    """Makes the delivery in `out` and gives back its manifest.

    `progress` is called with the number of files done so far. A folder that holds anything but
    this order's own files is refused with `DeliveryExists`.
    """
    preset = order.delivered
    with _storage_errors(out):
        finished = _claim(order, out)
        if finished is not None and _intact(finished, out):
            progress(len(finished["files"]))
            return finished
        region = build_region(find_preset(order.preset), order.seed)
        files = make_tiles(Job(order, preset, region, out), workers, progress)
        manifest = _manifest(order, preset, files)
        write_aside(out / MANIFEST, json.dumps(manifest, indent=1).encode())
        (out / UNFINISHED).unlink(missing_ok=True)
    return manifest


@contextmanager
def _storage_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = str(error.filename or out)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                where=where, hint="free some space and run the same command again: it goes on"
            ) from error
        raise StorageError(
            f"the delivery cannot be written: {error.strerror}",
            where=where,
            hint="choose a folder that you may write to with --out",
        ) from error


def _claim(order: Order, out: Path) -> Record | None:
    """Marks `out` as this order's; the manifest, where one is there already."""
    out.mkdir(parents=True, exist_ok=True)
    for name in (MANIFEST, UNFINISHED):
        if (out / name).exists():
            held = _read_record(out / name)
            _check_same(order, held["order"], out)
            return held if name == MANIFEST else None
    if any(path != aside_of(out / UNFINISHED) for path in out.iterdir()):
        raise DeliveryExists(
            "the folder is not empty and holds no synthetic delivery",
            where=str(out),
            hint="choose an empty folder with --out",
        )
    write_aside(out / UNFINISHED, json.dumps({"order": order.to_json()}).encode())
    return None


def _read_record(path: Path) -> Record:
    try:
        held = json.loads(path.read_bytes())
    except ValueError:
        held = None
    if not isinstance(held, dict) or "order" not in held:
        raise DeliveryExists(
            "the file is not the manifest of a synthetic delivery",
            where=str(path),
            hint="choose an empty folder with --out",
        )
    return held


def _check_same(order: Order, held: Record, out: Path) -> None:
    wanted = order.to_json()
    differing = [key for key in wanted if held.get(key) != wanted[key]]
    if differing:
        told = ", ".join(f"{key} {held.get(key)}, not {wanted[key]}" for key in differing)
        raise DeliveryExists(
            f"the folder holds another delivery ({told})",
            where=str(out),
            hint="choose another folder with --out, or delete this one",
        )


def _intact(manifest: Record, out: Path) -> bool:
    return all(_holds(out / file["path"], file) for file in manifest["files"])


def _holds(path: Path, file: Record) -> bool:
    if not path.is_file() or path.stat().st_size != file["size"]:
        return False
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == str(file["sha256"])


def _manifest(order: Order, preset: Preset, files: list[Record]) -> Record:
    totals = ("size", "valid", "nodata", "permanent_water", "wet", "sum_cm")
    return {
        "order": order.to_json(),
        "pixels": {
            "dtype": "int16",
            "crs": "EPSG:4326",
            "pixel_size": 1 / order.tile_size,
            "unit": "cm",
            "nodata": NODATA,
            "permanent_water": PERMANENT_WATER,
            "smallest_depth": SMALLEST_DEPTH,
        },
        "expected": expected_answers(preset),
        "totals": {
            **{key: sum(file[key] for file in files) for key in totals},
            "max_cm": max(file["max_cm"] for file in files),
        },
        "files": sorted(files, key=lambda file: str(file["path"])),
    }
