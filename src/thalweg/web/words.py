"""How numbers, names and moments are written on the pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

_BYTES = 1024


def count(number: float) -> str:
    """Such as 12,345."""
    return f"{number:,.0f}"


def size(number: int) -> str:
    """Bytes as a person reads them."""
    value = float(number)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < _BYTES or unit == "GiB":
            return f"{value:,.0f} {unit}" if unit == "bytes" else f"{value:,.1f} {unit}"
        value /= _BYTES
    raise AssertionError


def plain(name: str) -> str:
    """A name of a property, dimension or statistic in words: `thalweg:wet_share` as wet share."""
    return name.rpartition(":")[2].replace("_", " ")


def day(moment: str | None) -> str:
    """The date of an RFC 3339 moment; empty for none."""
    return datetime.fromisoformat(moment).strftime("%-d %B %Y") if moment else ""


def degrees(box: Any) -> str:
    """A box in words: west to east, south to north."""
    west, south, east, north = box
    return f"{_longitude(west)} to {_longitude(east)}, {_latitude(south)} to {_latitude(north)}"


def period(properties: Mapping[str, Any]) -> str:
    """The time that an item or collection's properties tell of."""
    start, end = properties.get("start_datetime"), properties.get("end_datetime")
    if not (start and end):
        return day(properties.get("datetime"))
    if start[4:10] == "-01-01" and end[4:10] == "-12-31":
        return start[:4] if start[:4] == end[:4] else f"{start[:4]} to {end[:4]}"
    return f"{day(start)} to {day(end)}"


def _longitude(value: float) -> str:
    return f"{abs(value):.2f}° {'W' if value < 0 else 'E'}"


def _latitude(value: float) -> str:
    return f"{abs(value):.2f}° {'S' if value < 0 else 'N'}"


FILTERS: dict[str, Callable[..., str]] = {
    "count": count,
    "size": size,
    "plain": plain,
    "day": day,
    "degrees": degrees,
    "period": period,
}
