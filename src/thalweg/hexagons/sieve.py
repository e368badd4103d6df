"""What pixels are besides values: nodata, special values, and what is not declared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import UndeclaredValue
from thalweg.hexagons.boxes import Window
from thalweg.hexagons.measures import Measures
from thalweg.hexagons.sifting import Declared, Listed, codes_of
from thalweg.raster.codec import Pixels


class Others(NamedTuple):
    """Runs of pixels that are no values: where each starts and stops, and its kind.

    Kind 0 is nodata, the others are the kept special values from 1.
    """

    starts: NDArray[np.int32]
    stops: NDArray[np.int32]
    kinds: NDArray[np.int32]

    def only(self, chosen: NDArray[np.bool_]) -> Others:
        return Others(self.starts[chosen], self.stops[chosen], self.kinds[chosen])


class Sieve:
    """What the pixels of a part are held against, and what they are besides values."""

    def __init__(self, measures: Measures, where: str) -> None:
        rules, dtype = measures.rules, measures.dtype
        self._measures = measures
        self._where = where
        kinds = [0 if s.as_nodata else 1 + measures.special.index(s.meaning) for s in rules.special]
        self.declared = Declared(
            *_within(rules.minimum, rules.maximum, dtype),
            np.array(rules.nodata).astype(dtype)[()],
            np.array([s.value for s in rules.special]).astype(dtype),
            np.array(kinds, np.int64),
            np.empty(0, np.uint8),
        )
        if dtype.itemsize <= 2:
            bits = np.arange(1 << 8 * dtype.itemsize, dtype=f"u{dtype.itemsize}")
            codes = np.empty(bits.size, np.uint8)
            codes_of(bits.view(dtype), codes, self.declared)
            self.declared = self.declared._replace(codes=codes)
        self._make_room(0)

    def listed(self, size: int) -> Listed:
        """Room for what is found in a part of so many pixels."""
        if size > self._runs.shape[2]:
            self._make_room(size)
        bands = len(self._measures.bands)
        starts, stops, kinds = self._runs
        return Listed(starts, stops, kinds, np.zeros(bands, np.int64), np.zeros((bands, 3)))

    def others(self, listed: Listed, planes: Pixels, part: Window) -> list[Others]:
        """What each band of a part holds besides values; raises `UndeclaredValue`."""
        for band, plane in enumerate(planes):
            undeclared = listed.undeclared[band]
            if self._measures.zero == "undeclared" and not undeclared[0] and not plane.all():
                undeclared[:] = (plane == 0).sum(), np.argmin(plane != 0), 0
            if undeclared[0]:
                self._refuse(undeclared, band, part)
        return [
            Others(*(array[band, :runs].copy() for array in listed[:3]))
            for band, runs in enumerate(listed.runs)
        ]

    def _refuse(self, undeclared: NDArray[np.float64], band: int, part: Window) -> None:
        row, col = divmod(int(undeclared[1]), len(part.cols))
        raise UndeclaredValue(
            f"band {self._measures.bands[band]} holds {undeclared[2]:g} at row "
            f"{part.rows[row]}, column {part.cols[col]}, and {int(undeclared[0]) - 1} more pixels "
            "near by that are not valid, nor nodata, nor a declared special value",
            where=self._where,
            hint="declare the value under pixels.special, or widen minimum and maximum",
        )

    def _make_room(self, size: int) -> None:
        self._runs = np.empty((3, len(self._measures.bands), size), np.int32)


class Common(NamedTuple):
    """Runs of nodata and of special values that all bands share, and what each has besides."""

    voids: Others
    special: Others
    rest: list[Others]


def common_others(bands: Sequence[Others]) -> Common:
    """Shared are all runs of nodata or none, likewise those of special values.

    Layers of one model mostly have the same masks.
    """
    nodata = [others.only(others.kinds == 0) for others in bands]
    special = [others.only(others.kinds != 0) for others in bands]
    void, water = _all_alike(nodata), _all_alike(special)
    none = bands[0].only(np.zeros(len(bands[0].kinds), np.bool_))
    if void and water:
        return Common(nodata[0], special[0], [])
    if void:
        return Common(nodata[0], none, special)
    if water:
        return Common(none, special[0], nodata)
    return Common(none, none, list(bands))


def _all_alike(bands: Sequence[Others]) -> bool:
    return all(
        np.array_equal(mine, firsts)
        for others in bands[1:]
        for mine, firsts in zip(others, bands[0], strict=True)
    )


def _within(low: float, high: float, dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """The same limits in a type of pixels."""
    if dtype.kind == "f":
        # Rounded, a limit could shut out the value that it stands for.
        return float(low), float(high)
    held = np.iinfo(dtype)
    return dtype.type(max(math.ceil(low), held.min)), dtype.type(min(math.floor(high), held.max))
