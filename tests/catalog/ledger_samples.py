"""Artifacts and items for the tests of the ledger."""

from __future__ import annotations

from thalweg.catalog.ledger import Artifact, Document, Input


def make_artifact(slot: str = "a", version: int = 0, **changed: object) -> Artifact:
    """The artifact that version `version` of the inputs gives for the coordinates `slot`."""
    fingerprint = f"{version:08x}{slot.encode().hex():0>56}"
    fields: dict[str, object] = {
        "zone": "silver",
        "key": f"stack/{slot}.{fingerprint[:8]}.tif",
        "kind": "stack",
        "pipeline": "flood",
        "operator": "stack",
        "operator_version": 1,
        "fingerprint": fingerprint,
        "checksum": fingerprint[::-1],
        "size": 12 + version,
        "media_type": "image/tiff",
        "coordinates": {"year": "2050", "tile": slot},
        "facts": {"bands": [{"description": "1in5"}]},
        "run_id": "run-1",
        "made_at": "2026-01-02T03:04:05Z",
        "inputs": (
            Input("bronze", f"{slot}/1in5.tif", f"etag-{version}"),
            Input("bronze", f"{slot}/1in10.tif", f"etag-{version}"),
        ),
    }
    return Artifact(**{**fields, **changed})  # type: ignore[arg-type]


def make_item(slot: str = "a", version: int = 0, collection: str = "flood") -> Document:
    return {"type": "Feature", "id": slot, "collection": collection, "version": version}
