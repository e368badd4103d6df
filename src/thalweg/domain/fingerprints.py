"""The identity of what is made: a hash of its inputs, its parameters and its operator's version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

SUFFIX_DIGITS = 8


def fingerprint(
    operator: str, version: int, parameters: Mapping[str, Any], inputs: Sequence[tuple[str, str]]
) -> str:
    """SHA-256 (hex) of what determines an artifact.

    `parameters` holds JSON values only. `inputs` are pairs (key, identity), in the order in which
    the operator reads them: the identity of a source is its etag, that of an artifact its
    fingerprint.
    """
    document = {
        "operator": operator,
        "version": version,
        "parameters": parameters,
        "inputs": [list(pair) for pair in inputs],
    }
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def immutable_key(stem: str, fingerprint: str, extension: str) -> str:
    """The key of an artifact: `immutable_key("a/b", "3fa9c1d2…", "tif") == "a/b.3fa9c1d2.tif"`."""
    return f"{stem}.{fingerprint[:SUFFIX_DIGITS]}.{extension}"
