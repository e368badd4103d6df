"""Making artifacts: write aside, verify, publish, record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from thalweg.catalog.ledger import PARQUET_MEDIA_TYPE, Artifact, Input
from thalweg.catalog.stac import COG_MEDIA_TYPE
from thalweg.domain.coordinates import Coordinates
from thalweg.errors import ObjectExists, SourceChanged, VerificationFailed
from thalweg.jobs.tasks import Document
from thalweg.pipelines.items import item_of
from thalweg.pipelines.workspace import Workspace
from thalweg.raster.made import Made
from thalweg.raster.verify import verify
from thalweg.storage.checksums import sha256_of
from thalweg.storage.zones import Zone


class Published(NamedTuple):
    """An object as it lies in its zone: its SHA-256 in hex, and its bytes."""

    checksum: str
    size: int


def make_raster(
    payload: Document,
    workspace: Workspace,
    version: int,
    write: Callable[[Path], Made],
    tiles: Sequence[Path] | None = None,
) -> Document:
    """Makes the raster of a task by `write`, and records it; safe to repeat.

    `tiles` are what `verify` takes by that name.
    Nothing is published that does not verify. An object that is there already, because an earlier
    try published it, is held against what was just made and taken over.
    """
    zone = workspace.zone(payload["zone"])
    (output,) = payload["outputs"]
    with zone.staging() as area:
        written = area / "written.tif"
        made = write(written)
        verify(written, made, tiles=tiles)
        published = Published(sha256_of(written), written.stat().st_size)
        try:
            zone.publish(written, output["key"])
        except ObjectExists:
            published = _taken_over(zone, output["key"], written, made, payload["force"])
    artifact = artifact_of(payload, output, version, published, COG_MEDIA_TYPE, made.to_json())
    item = item_of(artifact, payload["item"], zone) if payload["item"] else None
    with workspace.catalog() as catalog:
        catalog.record(artifact, item)
    return {"key": artifact.key, "size": artifact.size, "method": made.method}


def check_unchanged(zone: Zone, key: str, etag: str) -> None:
    """Raises `SourceChanged` unless a source is as it was when it was planned."""
    found = zone.head(key)
    if found is None or found.etag != etag:
        raise SourceChanged(
            "gone since it was planned" if found is None else "replaced since it was planned",
            where=key,
            hint="run again: it will be planned anew",
        )


def publish_once(zone: Zone, written: Path, key: str) -> Published:
    """Publishes a file unless an earlier try did; what is published then stays."""
    with suppress(ObjectExists):
        zone.publish(written, key)
    with zone.local_copy(key) as published:
        return Published(sha256_of(published), published.stat().st_size)


def publish_table(
    payload: Document,
    output: Document,
    version: int,
    written: Path,
    facts: Document,
    workspace: Workspace,
) -> None:
    """Publishes and records one of the tables of a task, with its item if it has one; safe to
    repeat."""
    zone = workspace.zone(payload["zone"])
    published = publish_once(zone, written, output["key"])
    artifact = artifact_of(payload, output, version, published, PARQUET_MEDIA_TYPE, facts)
    plan = payload["items"][Coordinates(tuple(output["coordinates"].items())).id]
    item = item_of(artifact, plan, zone) if plan else None
    with workspace.catalog() as catalog:
        catalog.record(artifact, item)


def artifact_of(
    payload: Document,
    output: Document,
    version: int,
    published: Published,
    media_type: str,
    facts: Document,
) -> Artifact:
    """One of the artifacts of a task, as the ledger records it."""
    return Artifact(
        zone=payload["zone"],
        key=output["key"],
        kind=payload["step"],
        pipeline=payload["pipeline"],
        operator=payload["operator"],
        operator_version=version,
        fingerprint=output["fingerprint"],
        checksum=published.checksum,
        size=published.size,
        media_type=media_type,
        coordinates=output["coordinates"],
        facts=facts,
        run_id=payload["run"],
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        inputs=tuple(Input(*one) for one in payload["inputs"]),
    )


def _taken_over(zone: Zone, key: str, written: Path, made: Made, force: bool) -> Published:
    """The object that is published already, once it is known to be sound."""
    with zone.local_copy(key) as published:
        try:
            verify(published, made)
            return Published(sha256_of(published), published.stat().st_size)
        except VerificationFailed:
            if not force:
                raise
    sound = Published(sha256_of(written), written.stat().st_size)
    zone.replace(written, key)
    return sound
