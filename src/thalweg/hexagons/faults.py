"""What was wrong with rows of a source: counted by reason, the first of them named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

MOST_NAMED = 100


@dataclass(frozen=True)
class Fault:
    """A row (from 1, the header not counted), what is wrong with it, and what stands there."""

    where: str
    row: int
    reason: str
    text: str = ""


@dataclass
class Faults:
    """The faults of all rows read; `rows` counts the rows, sound or not.

    A row without a usable place is left out of everything, one without a usable number only of the
    sum of that number.
    """

    rows: int = 0
    rows_left_out: int = 0
    numbers_left_out: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    named: list[Fault] = field(default_factory=list)

    def add(self, batch: Iterable[Fault], *, whole_rows: bool) -> None:
        """The faults of one batch of rows."""
        faults = sorted(batch, key=lambda one: one.row)
        self.reasons.update(one.reason for one in faults)
        if whole_rows:
            self.rows_left_out += len(faults)
        else:
            self.numbers_left_out += len(faults)
        self.named += faults[: MOST_NAMED - len(self.named)]

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "rows_left_out": self.rows_left_out,
            "numbers_left_out": self.numbers_left_out,
            "reasons": dict(sorted(self.reasons.items())),
            "named": [asdict(one) for one in self.named],
        }


def faults_at(
    where: str, rows: Sequence[int], reason: str, texts: Sequence[str] = ()
) -> list[Fault]:
    """One reason for each of some rows."""
    return [
        Fault(where, int(row), reason, text)
        for row, text in zip(rows, texts or [""] * len(rows), strict=True)
    ]
