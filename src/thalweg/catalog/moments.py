"""Moments as text that sorts as they follow each other: UTC, to the microsecond."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

EVER, NEVER = "", "~"
"""Before and after every moment."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d([.]\d+)?([Zz]|[-+]\d\d:\d\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def moment(text: str) -> str:
    """`2050-01-01T01:00:00+01:00` as `2050-01-01T00:00:00.000000Z`; else raises `ValueError`."""
    if not _MOMENT.fullmatch(text):
        raise ValueError(f"{text!r} is no RFC 3339 date and time")
    return _written(datetime.fromisoformat(text.upper()))


def first_of_day(text: str) -> str:
    """The first moment of a date; raises `ValueError`."""
    return _written(_day(text))


def last_of_day(text: str) -> str:
    """The last moment of a date; raises `ValueError`."""
    return _written(_day(text) + timedelta(days=1, microseconds=-1))


def _day(text: str) -> datetime:
    if not _DATE.fullmatch(text):
        raise ValueError(f"{text!r} is no date")
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _written(when: datetime) -> str:
    return f"{when.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
