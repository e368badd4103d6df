"""The depth at a place by return period, as the figures of an SVG chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 340, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 20, 14, 36
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
_MOST_LINES = 5


@dataclass(frozen=True)
class Depth:
    """The depth that is reached once in so many years, in metres.

    `metres` is None where there is no measurement; `meaning` says what is there instead.
    """

    return_period: float
    metres: float | None
    meaning: str = ""

    @property
    def told(self) -> str:
        if self.metres is None:
            return self.meaning or "no data"
        return f"{self.metres:.2f} m" if self.metres else "dry"


@dataclass(frozen=True)
class Mark:
    """A place on the chart, and what stands there."""

    x: float
    y: float
    text: str
    period: float = 0


@dataclass(frozen=True)
class Chart:
    """Where lines, points and texts of the chart are, in pixels from the upper left."""

    points: tuple[Mark, ...]
    periods: tuple[Mark, ...]
    lines: tuple[Mark, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM

    @property
    def line(self) -> str:
        """The `points` of a polyline."""
        return " ".join(f"{one.x:.1f},{one.y:.1f}" for one in self.points)

    @property
    def area(self) -> str:
        """The `points` of the polygon below the line; empty without one."""
        if not self.points:
            return ""
        first, last = self.points[0], self.points[-1]
        return f"{first.x:.1f},{self.bottom} {self.line} {last.x:.1f},{self.bottom}"


def charted(depths: Sequence[Depth]) -> Chart:
    """The chart of depths in the order of their return periods: these on a logarithmic axis."""
    measured = [(one, one.metres) for one in depths if one.metres is not None]
    deepest = max((metres for _, metres in measured), default=0.0)
    step = next((one for one in _STEPS if deepest <= one * _MOST_LINES), _STEPS[-1])
    top = max(step, step * math.ceil(deepest / step))
    low, high = (math.log(depths[n].return_period) for n in (0, -1))

    def x(period: float) -> float:
        share = (math.log(period) - low) / (high - low) if high > low else 0.5
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(metres: float) -> float:
        return HEIGHT - _BOTTOM - metres / top * (HEIGHT - _TOP - _BOTTOM)

    points = tuple(
        Mark(x(one.return_period), y(metres), one.told, one.return_period)
        for one, metres in measured
    )
    periods = tuple(
        Mark(x(one.return_period), HEIGHT - _BOTTOM + 14, f"{one.return_period:g}")
        for one in depths
    )
    lines = tuple(Mark(_LEFT, y(n * step), f"{n * step:g}") for n in range(round(top / step) + 1))
    return Chart(points, periods, lines)
