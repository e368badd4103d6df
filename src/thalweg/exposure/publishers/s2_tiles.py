"""Files by S2 tile with their thresholds of confidence, as Google's Open Buildings v3."""

from __future__ import annotations

import re
from collections.abc import Sequence

from thalweg.errors import UsageError
from thalweg.exposure.publishers.fetching import Remote, remote_at
from thalweg.settings import BuildingSettings

FOLDER = "polygons_s2_level_4_gzip"
THRESHOLDS = "score_thresholds_s2_level_4.csv"


def tile_files(settings: BuildingSettings, tokens: Sequence[str]) -> list[Remote]:
    """The files of tiles by their tokens, such as 19d, and the thresholds of all tiles."""
    root = settings.tiles.rstrip("/")
    for token in tokens:
        if not re.fullmatch(r"[0-9a-f]{1,16}", token):
            raise UsageError(f"{token!r} is no token of an S2 tile", hint="such as 19d")
    names = [f"{token}_buildings.csv.gz" for token in tokens]
    return [
        remote_at(f"{root}/{THRESHOLDS}", THRESHOLDS),
        *(remote_at(f"{root}/{FOLDER}/{name}", name) for name in names),
    ]
