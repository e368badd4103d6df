"""Units of length that hazard layers come in, and the one place where they are converted."""

from __future__ import annotations

from fractions import Fraction

from thalweg.errors import PipelineError

METRES = {
    "m": Fraction(1),
    "cm": Fraction(1, 100),
    "mm": Fraction(1, 1000),
    "dm": Fraction(1, 10),
    "km": Fraction(1000),
    "ft": Fraction(3048, 10000),
}


def convert(value: float, unit: str, to: str) -> float:
    """A length in another unit; raises `PipelineError` for a unit not in `METRES`."""
    return float(Fraction(value) * _factor(unit) / _factor(to))


def _factor(unit: str) -> Fraction:
    if unit not in METRES:
        raise PipelineError(f"unknown unit {unit!r}", hint=f"use one of {', '.join(METRES)}")
    return METRES[unit]
