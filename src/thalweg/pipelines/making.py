"""Making a raster artifact: write aside, verify, publish, record artifact and item together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from thalweg.catalog.ledger import Artifact, Input
from thalweg.catalog.stac import COG_MEDIA_TYPE
from thalweg.errors import ObjectExists, VerificationFailed
from thalweg.jobs.tasks import Document
from thalweg.pipelines.items import item_of
from thalweg.pipelines.workspace import Workspace
from thalweg.raster.made import Made
from thalweg.raster.verify import verify
from thalweg.storage.checksums import sha256_of
from thalweg.storage.zones import Zone


def make_raster(
    payload: Document,
    workspace: Workspace,
    version: int,
    write: Callable[[Path], Made],
) -> Document:
    """Makes the raster of a task by `write`, and records it; safe to repeat.

    Nothing is published that does not verify. An object that is there already, because an earlier
    try published it, is held against what was just made and taken over.
    """
    zone = workspace.zone(payload["zone"])
    with zone.staging() as area:
        written = area / "written.tif"
        made = write(written)
        verify(written, made)
        checksum, size = sha256_of(written), written.stat().st_size
        try:
            zone.publish(written, payload["key"])
        except ObjectExists:
            checksum, size = _taken_over(zone, payload, written, made, checksum)
    artifact = Artifact(
        zone=zone.name,
        key=payload["key"],
        kind=payload["step"],
        pipeline=payload["pipeline"],
        operator=payload["operator"],
        operator_version=version,
        fingerprint=payload["fingerprint"],
        checksum=checksum,
        size=size,
        media_type=COG_MEDIA_TYPE,
        coordinates=payload["coordinates"],
        facts=made.to_json(),
        run_id=payload["run"],
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        inputs=tuple(Input(*one) for one in payload["inputs"]),
    )
    item = item_of(artifact, payload["item"], zone) if payload["item"] else None
    with workspace.catalog() as catalog:
        catalog.record(artifact, item)
    return {"key": artifact.key, "size": size, "method": made.method}


def _taken_over(
    zone: Zone, payload: Document, written: Path, made: Made, checksum: str
) -> tuple[str, int]:
    """Checksum and size of the object that is published already, once it is known to be sound."""
    with zone.local_copy(payload["key"]) as published:
        try:
            verify(published, made)
            return sha256_of(published), published.stat().st_size
        except VerificationFailed:
            if not payload["force"]:
                raise
    size = written.stat().st_size
    zone.replace(written, payload["key"])
    return checksum, size
