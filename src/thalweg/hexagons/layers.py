"""Series and layers: what the columns of a hexagon table are about, and their ids."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Self

from thalweg.domain.coordinates import NONE, Coordinates
from thalweg.errors import NamingError

_WORD = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")


@dataclass(frozen=True)
class Series:
    """One scenario of a dataset: layers that are alike but for one dimension, the return period.

    `unit` is that of the pixels. `labels` names the layers in the order of the bands, such as
    1in100; a single layer may have the label "". `return_periods` are in years, or empty.
    """

    theme: str
    dataset: str
    unit: str
    coordinates: Coordinates
    labels: tuple[str, ...] = ("",)
    return_periods: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.return_periods and len(self.return_periods) != len(self.labels):
            raise NamingError(
                f"{len(self.labels)} layers, but {len(self.return_periods)} return periods",
                where=self.id,
            )

    @property
    def id(self) -> str:
        """Such as flood_fluvial_defended_2050_ssp245; values that are `none` are left out."""
        return "_".join(_words([self.dataset, *(value for _, value in self.coordinates.items())]))

    def layer_id(self, label: str) -> str:
        """Such as flood_fluvial_defended_2050_ssp245_1in100."""
        return layer_id(self.id, label)

    def to_json(self) -> dict[str, Any]:
        return {
            "theme": self.theme,
            "dataset": self.dataset,
            "unit": self.unit,
            "coordinates": self.coordinates.to_json(),
            "labels": list(self.labels),
            "return_periods": list(self.return_periods),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(
            document["theme"],
            document["dataset"],
            document["unit"],
            Coordinates(tuple(document["coordinates"].items())),
            tuple(document["labels"]),
            tuple(document["return_periods"]),
        )


def layer_id(series: str, label: str) -> str:
    """The id of one layer of a series."""
    return "_".join([series, *_words([label])])


def column_name(statistic: str, label: str) -> str:
    """The column of a statistic of one layer: mean_1in100; the statistic alone without a label."""
    return "_".join([statistic, *_words([label])])


def slug(text: str) -> str:
    """Any text as a lower-case word for ids and columns; what it spells in no Latin letter or
    digit becomes the beginning of its hash."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    word = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return word or f"x{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def above(threshold_m: float) -> str:
    """How a depth in metres above which something counts stands in names of columns: above_50cm."""
    return f"above_{slug(f'{threshold_m * 100:g}')}cm"


def _words(values: list[str]) -> list[str]:
    """The values that are not `none`, as lower-case words; raises `NamingError`."""
    words = [re.sub(r"[-. ]", "_", value).lower() for value in values if value and value != NONE]
    for word in words:
        if not _WORD.fullmatch(word):
            raise NamingError(
                f"{word!r} cannot be part of a layer's id",
                hint="use letters and digits, joined by single hyphens, dots or underscores",
            )
    return words
