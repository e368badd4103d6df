"""The depth at each building, band by band, each block of a raster decoded once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numba
import numpy as np
import rasterio
from numpy.typing import NDArray

from thalweg.domain.pixels import PixelRules
from thalweg.errors import UndeclaredValue, WrongDtype, WrongShape
from thalweg.exposure.pixel_lists import Rule
from thalweg.exposure.placing import BlockLists, Frame, Placement
from thalweg.raster.codec import Pixels, stored
from thalweg.raster.grid import grid_of
from thalweg.raster.reading import RowReader, environment, opened, row_reader

type Nodata = Literal["unknown", "dry"]

MEASURED, UNKNOWN, OUTSIDE, SPECIAL = 0, 1, 2, 3


@dataclass(frozen=True)
class Raster:
    """A raster to open: `path` as GDAL takes it, `where` the name in errors."""

    path: str
    where: str


@dataclass(frozen=True)
class Depths:
    """What one band says of the buildings [n].

    `state` is `MEASURED`, `UNKNOWN` (nodata), `OUTSIDE` all rasters, or `SPECIAL + i` for the i-th
    special value that is declared. `depth` is in the pixels' unit, and 0 where not measured.
    `noted` are the buildings that are not measured as dry, rising.
    """

    depth: NDArray[np.float64]
    state: NDArray[np.uint8]
    noted: NDArray[np.int64]


class Sampler:
    """Rasters that are open, of one scenario: they have the same bands."""

    def __init__(
        self, rasters: Sequence[tuple[rasterio.DatasetReader, RowReader, Raster]], rules: PixelRules
    ) -> None:
        self._rasters = rasters
        self._rules = rules
        datasets = [dataset for dataset, *_ in rasters]
        for dataset, _, raster in rasters:
            if set(dataset.dtypes) != {rules.dtype}:
                raise WrongDtype(
                    f"its type is {dataset.dtypes[0]}, not {rules.dtype}", where=raster.where
                )
            if dataset.count != datasets[0].count:
                raise WrongShape(
                    f"{dataset.count} bands, the others have {datasets[0].count}",
                    where=raster.where,
                )
        self.bands = datasets[0].count
        self.frames = tuple(
            Frame(grid_of(dataset, where=raster.where), dataset.block_shapes[0])
            for dataset, _, raster in rasters
        )

    @property
    def names(self) -> list[str]:
        return [raster.where for *_, raster in self._rasters]

    def sample(
        self, placement: Placement, rule: Rule, nodata: Nodata = "unknown"
    ) -> Iterator[Depths]:
        """The depths of each band in turn; the arrays are those of the next band after it.

        A building is measured where one of its pixels is: the others then count for nothing. Else
        it has the first special value that one of them holds, or is unknown. Pixels of nodata are
        depth 0 where `nodata` is `dry`. Raises `UndeclaredValue` for a value that is neither valid
        nor declared, and `UnreadableRaster`.
        """
        buildings = len(placement.first) - 1
        values = np.empty(placement.pixels, self._rules.dtype)
        depth, state = np.empty(buildings), np.empty(buildings, np.uint8)
        noted = np.empty(buildings, np.int64)
        codes = _Codes.of(self._rules, nodata)
        for band in range(1, self.bands + 1):
            for (_, reader, _), lists in zip(self._rasters, placement.rasters, strict=True):
                _gather_blocks(reader, band, lists, values)
            count, wrong = codes.reduce(values, placement.first, rule, depth, state, noted)
            if wrong >= 0:
                raise self._undeclared(placement, wrong, band, values[wrong])
            yield Depths(depth, state, noted[:count])

    def _undeclared(
        self, placement: Placement, pixel: int, band: int, value: object
    ) -> UndeclaredValue:
        where = next(
            name
            for name, lists in zip(self.names, placement.rasters, strict=True)
            if (lists.targets == pixel).any()
        )
        building = int(np.searchsorted(placement.first, pixel, side="right")) - 1
        return UndeclaredValue(
            f"band {band} holds {value} at building {building}",
            hint="declare it under pixels in the pipeline, if it is a special value",
            where=where,
        )


@contextmanager
def sampler(rasters: Sequence[Raster], rules: PixelRules) -> Iterator[Sampler]:
    """Opens the rasters of a scenario, whose pixels are as the rules say.

    Raises `UnreadableRaster`, `WrongDtype`, `WrongShape`, `WrongCrs` or `WrongGrid`.
    """
    with environment(), ExitStack() as stack:
        found = []
        for raster in rasters:
            dataset = stack.enter_context(opened(raster.path, where=raster.where))
            reader = stack.enter_context(row_reader(dataset, where=raster.where))
            found.append((dataset, reader, raster))
        yield Sampler(found, rules)


@dataclass(frozen=True)
class _Codes:
    nodata: float
    as_dry: bool
    minimum: float
    maximum: float
    special: NDArray[np.float64]

    @classmethod
    def of(cls, rules: PixelRules, nodata: Nodata) -> _Codes:
        dtype = np.dtype(rules.dtype)
        return cls(
            stored(rules.nodata, dtype),
            nodata == "dry",
            stored(rules.minimum, dtype),
            stored(rules.maximum, dtype),
            np.array([stored(one.value, dtype) for one in rules.special], np.float64),
        )

    def reduce(self, values: Pixels, first: Any, rule: Rule, *outputs: Any) -> tuple[int, int]:
        """See `_reduce`."""
        mean = rule is Rule.MEAN
        arguments = self.nodata, self.as_dry, self.minimum, self.maximum, self.special, mean
        count, wrong = _reduce(values, first, *arguments, *outputs)
        return count, wrong


def _gather_blocks(reader: RowReader, band: int, lists: BlockLists, values: Pixels) -> None:
    if not len(lists.windows):
        return
    buffer = np.empty(int((lists.windows[:, 2] * lists.windows[:, 3]).max()), values.dtype)
    bits = values.view(f"u{values.itemsize}")
    bounds = lists.first.tolist()
    for (top, left, height, width), begin, end in zip(
        lists.windows.tolist(), bounds, bounds[1:], strict=False
    ):
        block = buffer[: height * width]
        reader.read(band, top, block.reshape(height, width), left)
        _gather(block.view(bits.dtype), lists.within, lists.targets, begin, end, bits)


@numba.njit(nogil=True, cache=True)
def _gather(block: Any, within: Any, targets: Any, begin: int, end: int, values: Any) -> None:
    for k in range(begin, end):
        values[targets[k]] = block[within[k]]


@numba.njit(nogil=True, cache=True)
def _reduce(
    values: Any,
    first: Any,
    nodata: float,
    as_dry: bool,
    minimum: float,
    maximum: float,
    special: Any,
    mean: bool,
    depth: Any,
    state: Any,
    noted: Any,
) -> Any:
    """Fills depth, state and noted; gives how many are noted, and a pixel of undeclared value."""
    count = 0
    for k in range(depth.size):
        begin, end = first[k], first[k + 1]
        found, known = 0.0, 0
        code = OUTSIDE if begin == end else UNKNOWN
        for p in range(begin, end):
            value = float(values[p])
            kind = UNKNOWN
            if value == nodata or (value != value and nodata != nodata):
                kind = MEASURED if as_dry else UNKNOWN
                value = 0.0
            else:
                kind = -1
                for s in range(special.size):
                    if value == special[s]:
                        kind = SPECIAL + s
                        break
                if kind < 0:
                    if not minimum <= value <= maximum:
                        return count, p
                    kind = MEASURED
            if kind == MEASURED:
                if mean:
                    found += value
                elif known == 0 or value > found:
                    found = value
                known += 1
            elif kind >= SPECIAL and (code < SPECIAL or kind < code):
                code = kind
        if known:
            depth[k] = found / known if mean else found
            state[k] = MEASURED
        else:
            depth[k] = 0.0
            state[k] = code
        if not known or depth[k] > 0:
            noted[count] = k
            count += 1
    return count, -1
