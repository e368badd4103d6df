"""Vector statistics: what of points, lines and polygons lies in each H3 cell, by category."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from thalweg.domain.coordinates import NONE, Coordinates
from thalweg.errors import TooManyCategories
from thalweg.hexagons.cells import Cells, cell_polygons
from thalweg.hexagons.ellipsoid import areas_km2
from thalweg.hexagons.faults import Faults
from thalweg.hexagons.features import Features, read_features
from thalweg.hexagons.layers import Series, slug
from thalweg.hexagons.parts import Rule, parts
from thalweg.hexagons.records import Source
from thalweg.hexagons.tables import series_table

type Floats = NDArray[np.float64]

UNCATEGORISED = "uncategorised"
MOST_CATEGORIES = 200
COUNT, LENGTH, AREA = "count", "length_km", "polygon_area_km2"

_CATEGORY_SHIFT = np.uint64(52)
_ID = np.uint64((1 << 52) - 1)


@dataclass
class Categories:
    """Labels of categories in the order in which they were met, and a text that each stands for."""

    column: str
    texts: dict[str, str] = field(default_factory=dict)

    def labelled(self, texts: NDArray[np.object_]) -> NDArray[np.uint64]:
        """The number of each text's label; raises `TooManyCategories`."""
        known = [text for text in texts if text]
        labels = {text: self._label(text) for text in sorted(set(known))}
        for text, label in labels.items():
            self.texts.setdefault(label, text)
        absent = UNCATEGORISED if self.column else ""
        if len(known) < len(texts):
            self.texts.setdefault(absent, "")
        if len(self.texts) > MOST_CATEGORIES:
            raise TooManyCategories(
                f"column {self.column!r} tells more than {MOST_CATEGORIES} categories",
                hint="choose a column that tells fewer, or none",
            )
        number = {label: index for index, label in enumerate(self.texts)}
        return np.array([number[labels.get(text, absent)] for text in texts], np.uint64)

    @staticmethod
    def _label(text: str) -> str:
        label = slug(text)
        return UNCATEGORISED if label == NONE else label


class Tally:
    """Sums by cell and category; the same for every order and size of the batches added.

    Each sum is kept in two words, so that nothing is lost to rounding before the last digit.
    """

    def __init__(self, resolution: int, columns: int) -> None:
        self.resolution = resolution
        self._slots: dict[int, int] = {}
        self._upper = np.uint64(0)
        self._high = np.zeros((0, columns))
        self._low = np.zeros((0, columns))

    def add(self, cells: Cells, categories: NDArray[np.uint64], values: Floats) -> None:
        """Adds values [n, columns] to their cells and categories."""
        # The twelve uppermost bits are the same for all cells of a resolution.
        keys = (cells & _ID) | (categories << _CATEGORY_SHIFT)
        met, which = np.unique(keys, return_inverse=True)
        if len(cells):
            self._upper = cells[0] & ~_ID
        slots = [self._slots.setdefault(key, len(self._slots)) for key in met.tolist()]
        self._grow()
        _add(np.array(slots, np.intp)[which], values, self._high, self._low)

    def sums(self, categories: int) -> tuple[Cells, Floats]:
        """Cells [n], sorted, and sums [n, categories, columns]; 0 where nothing was added."""
        keys = np.fromiter(self._slots, np.uint64, len(self._slots))
        cells, row = np.unique(keys & _ID, return_inverse=True)
        found = np.zeros((len(cells), categories, self._high.shape[1]))
        slots = np.fromiter(self._slots.values(), np.intp, len(self._slots))
        found[row, keys >> _CATEGORY_SHIFT] = (self._high + self._low)[slots]
        return cells | self._upper, found

    def _grow(self) -> None:
        held, wanted = len(self._high), len(self._slots)
        if wanted > held:
            room = ((0, max(wanted, 2 * held) - held), (0, 0))
            self._high, self._low = np.pad(self._high, room), np.pad(self._low, room)


@numba.njit(nogil=True, cache=True)
def _add(slots: Any, values: Any, high: Any, low: Any) -> None:
    """Knuth's sum of two numbers with its rounding error, The Art of Computer Programming 4.2.2."""
    for row in range(slots.size):
        slot = slots[row]
        for column in range(values.shape[1]):
            value, before = values[row, column], high[slot, column]
            after = before + value
            added = after - before
            low[slot, column] += (before - (after - added)) + (value - added)
            high[slot, column] = after


@dataclass(frozen=True)
class VectorStatistics:
    """What lies in cells [n] of one resolution, sorted; sums are [n, categories].

    `sums` has `COUNT`, the sums of the columns as `sum_column` calls them, `LENGTH` in km if there
    are lines and `AREA` in km2 if there are polygons. `categories` are
    labels in alphabetical order with the text that each stands for; "" where no column tells them.
    """

    resolution: int
    rule: Rule
    categories: Mapping[str, str]
    cells: Cells
    sums: Mapping[str, Floats]


def vector_statistics(
    sources: Iterable[Source],
    resolutions: Sequence[int],
    rule: Rule,
    faults: Faults,
) -> dict[int, VectorStatistics]:
    """The statistics of all features of some files, which name the same columns, by resolution.

    Each file is read once, batch by batch; memory grows with cells and categories only. Lengths and
    areas are on the WGS 84 ellipsoid (see `ellipsoid`), where features are cut is told by `parts`.
    `faults` takes up what is left out.
    """
    sources = list(sources)
    columns = sources[0].sums
    categories = Categories(sources[0].category)
    tallies = [Tally(resolution, len(columns) + 3) for resolution in resolutions]
    for source in sources:
        for features in read_features(source, faults):
            labels = categories.labelled(features.categories)
            for tally in tallies:
                _count(features, labels, rule, tally)
    return {one.resolution: _statistics(one, rule, categories, columns) for one in tallies}


def _count(features: Features, labels: NDArray[np.uint64], rule: Rule, tally: Tally) -> None:
    found = parts(features.geometries, tally.resolution, rule)
    weight = found.weight[:, None]
    numbers = features.numbers[found.feature] * weight
    measures = [weight, numbers, found.length_km[:, None], found.area_km2[:, None]]
    tally.add(found.cell, labels[found.feature], np.concatenate(measures, axis=1))


def _statistics(
    tally: Tally, rule: Rule, categories: Categories, columns: Sequence[str]
) -> VectorStatistics:
    labels = list(categories.texts)
    order = sorted(range(len(labels)), key=labels.__getitem__)
    cells, found = tally.sums(len(labels))
    sums = {
        name: found[:, order, index]
        for index, name in enumerate([COUNT, *map(sum_column, columns), LENGTH, AREA])
        if name not in (LENGTH, AREA) or found[..., index].any()
    }
    if rule != "share":
        sums[COUNT] = np.rint(sums[COUNT]).astype(np.int64)
    texts = {labels[index]: categories.texts[labels[index]] for index in order}
    return VectorStatistics(tally.resolution, rule, texts, cells, sums)


def sum_column(column: str) -> str:
    """The statistic that a column's sum is called by, such as sum_student_number."""
    return f"sum_{slug(column)}"


def vector_table(
    found: VectorStatistics,
    *,
    theme: str,
    dataset: str,
    units: Mapping[str, str],
    countries: Sequence[str | None] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> pa.Table:
    """The table of statistics, with categories as layers: a row per cell, `area_km2` beside.

    `units` are those of the summed columns, by their names.
    """
    titles = {COUNT: "Features", LENGTH: "Length of lines", AREA: "Area of polygons"}
    titles |= {sum_column(name): f"Sum of {name}" for name in units}
    series = Series(theme, dataset, "1", Coordinates(()), tuple(found.categories))
    return series_table(
        series,
        found.cells,
        found.sums,
        per_cell={"area_km2": areas_km2(cell_polygons(found.cells))},
        countries=countries,
        units={"area_km2": "km2", LENGTH: "km", AREA: "km2"}
        | {sum_column(name): unit for name, unit in units.items()},
        descriptions={"area_km2": "Area of the cell", **titles},
        notes={"rule": found.rule, "categories": dict(found.categories), **(notes or {})},
    )
