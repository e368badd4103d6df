"""Damage by depth: curves from CSV, and what a building loses.

A curve gives the share of a building's value that is lost at a depth. It is straight between its
points, 0 below the first, and beyond the last as at the last. The damage of a building is its
value, or its value per m2 times its area, times that share at its depth; a building that is dry, or
whose depth is not known, has none. Depths are those above ground: no height of floors is taken off.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import InvalidCurve, MissingColumn
from thalweg.hexagons.layers import slug

type Per = Literal["building", "m2"]
type Floats = NDArray[np.float64]

METHOD = (
    "share of the value lost, straight between the curve's points, 0 below the first and constant "
    "beyond the last; buildings that are dry, of unknown depth or, where the value is per m2, of "
    "unknown area have none"
)


@dataclass(frozen=True)
class Curve:
    """The share lost [n], 0 to 1, at depths [n] in metres, rising."""

    depths_m: tuple[float, ...]
    shares: tuple[float, ...]

    def at(self, depth_m: Floats) -> Floats:
        """The share lost at each depth in metres."""
        return np.interp(depth_m, self.depths_m, self.shares, left=0.0)


@dataclass(frozen=True)
class Damage:
    """A curve with the value that it is a share of, in `currency`, of a `building` or of a `m2`."""

    name: str
    curve: Curve
    value: float
    per: Per
    currency: str

    @property
    def statistic(self) -> str:
        return f"damage_{slug(self.name)}"

    def of(self, depth_m: Floats, area_m2: Floats) -> Floats:
        """What buildings lose at their depths; 0 where the area is needed and NaN."""
        worth = np.full(len(depth_m), self.value, np.float64)
        if self.per == "m2":
            worth *= np.nan_to_num(area_m2)
        return worth * np.where(depth_m > 0, self.curve.at(depth_m), 0.0)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value,
            "per": self.per,
            "currency": self.currency,
            "curve": [list(self.curve.depths_m), list(self.curve.shares)],
        }


def read_curve(path: Path, column: str, where: str) -> Curve:
    """A curve of a CSV whose first column is the depth in metres; lines that begin with # say what
    they like. Raises `InvalidCurve`, naming the line, or `MissingColumn`."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidCurve(f"it cannot be read: {error}", where=where) from error
    numbered = [
        (number, line)
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.startswith("#")
    ]
    rows = list(csv.reader(line for _, line in numbered))
    header = [name.strip() for name in rows[0]] if rows else []
    if column not in header[1:]:
        held = ", ".join(header[1:]) or "no columns"
        raise MissingColumn(f"no column {column!r}", hint=f"it holds {held}", where=where)
    at = header.index(column)
    points: list[tuple[float, float]] = []
    for (number, _), row in zip(numbered[1:], rows[1:], strict=True):
        points.append(_point(row, at, points, f"{where}:{number}"))
    if not points:
        raise InvalidCurve("it holds no points", where=where)
    depths, shares = zip(*points, strict=True)
    return Curve(depths, shares)


def _point(
    row: list[str], at: int, before: list[tuple[float, float]], where: str
) -> tuple[float, float]:
    try:
        depth, share = float(row[0]), float(row[at])
    except (ValueError, IndexError) as error:
        raise InvalidCurve(f"{','.join(row)!r} is no depth and share", where=where) from error
    if not 0 <= share <= 1:
        raise InvalidCurve(
            f"the share {share:g} is not between 0 and 1", where=where, hint="100 % is 1"
        )
    if not np.isfinite(depth) or (before and depth <= before[-1][0]):
        raise InvalidCurve(f"the depth {depth:g} does not rise", where=where)
    return depth, share
