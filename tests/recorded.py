"""Records of tables that no run made."""

from __future__ import annotations

import xxhash

from thalweg.catalog.ledger import PARQUET_MEDIA_TYPE, Artifact


def recorded_table(key: str, kind: str, pipeline: str, coordinates: dict[str, str]) -> Artifact:
    """What the ledger holds of a table in the silver zone."""
    return Artifact(
        zone="silver",
        key=key,
        kind=kind,
        pipeline=pipeline,
        operator=kind,
        operator_version=1,
        fingerprint=f"{xxhash.xxh64_intdigest(key.encode()):064x}",
        checksum="c" * 64,
        size=1,
        media_type=PARQUET_MEDIA_TYPE,
        coordinates=coordinates,
        facts={},
        run_id="test",
        made_at="2026-01-01T00:00:00+00:00",
        inputs=(),
    )
