"""The confidence at which a tile's buildings reach a precision, as their publisher estimates it."""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath
from typing import Literal

from thalweg.errors import MissingColumn, UnknownThreshold, UnreadableBuildings

type Precision = Literal[80, 85, 90]

_TILE = "s2_token"


def read_thresholds(path: Path, precision: Precision) -> dict[str, float]:
    """The least confidence by S2 token, from a file as score_thresholds_s2_level_4.csv.

    Tiles of which no threshold is known are left out. Raises `UnreadableBuildings` or
    `MissingColumn`.
    """
    column = f"confidence_threshold_{precision}%_precision"
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            for name in (_TILE, column):
                if name not in (reader.fieldnames or ()):
                    raise MissingColumn(f"no column {name!r}", where=str(path))
            return {row[_TILE]: float(row[column]) for row in reader if row[column]}
    except (OSError, ValueError, csv.Error) as error:
        raise UnreadableBuildings(f"not a file of thresholds: {error}", where=str(path)) from error


def threshold_of(key: str, thresholds: dict[str, float], precision: Precision) -> float:
    """The threshold of a file, whose name begins with its tile's token: `19d_buildings.csv.gz`.

    Raises `UnknownThreshold`.
    """
    token = PurePosixPath(key).name.partition("_")[0].partition(".")[0]
    if token not in thresholds:
        raise UnknownThreshold(
            f"no confidence is given for {precision} % precision in tile {token!r}",
            hint="give the source a fixed `confidence` instead of `precision`",
            where=key,
        )
    return thresholds[token]
