"""Tables of exposure: the columns, their units and words, by H3 cell or by area."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from thalweg.domain.tables import TableFacts
from thalweg.errors import WrongShape
from thalweg.exposure.aggregate import (
    AREA,
    BUILDINGS,
    DEPTH_SUM,
    OUT,
    WITHOUT_AREA,
    Exposure,
    Question,
)
from thalweg.exposure.damage import METHOD
from thalweg.hexagons.expected import Integration
from thalweg.hexagons.layers import Series, above
from thalweg.hexagons.outlines import country_codes
from thalweg.hexagons.tables import (
    ROW_GROUP_ROWS,
    scenario_columns,
    series_table,
    statistics_table,
    write_batches,
)

type Column = tuple[str, NDArray[Any], str, str]
"""Name, values, unit, and what it is in words."""


def cells_exposure(
    series: Series,
    exposure: Exposure,
    question: Question,
    countries: Sequence[str | None] | None = None,
) -> pa.Table:
    """The table of a scenario by H3 cell, as `hexagons.tables` has them: return periods, which are
    the sampled bands in their order, as columns. Raises `WrongShape` where they are not as many."""
    return series_table(
        series,
        exposure.keys,
        _values(_layer_columns(exposure, question)),
        per_cell=_values(_fixed_columns(exposure)),
        countries=countries,
        **_told(series, exposure, question),
    )


def write_cells(
    series: Series, exposure: Exposure, question: Question, path: Path, *, countries: bool
) -> TableFacts:
    """Writes the table of a scenario by H3 cell, a row group at a time, and tells what is in it.

    `countries` says whether cells are told theirs.
    """
    codes = country_codes(exposure.keys) if countries else None
    starts = range(0, max(len(exposure.keys), 1), ROW_GROUP_ROWS)
    rows = [slice(start, start + ROW_GROUP_ROWS) for start in starts]
    return write_batches(
        (
            cells_exposure(series, exposure.part(one), question, codes and codes[one])
            for one in rows
        ),
        path,
    )


def areas_exposure(series: Series, exposure: Exposure, question: Question, areas: str) -> pa.Table:
    """The table of a scenario by area, with the area's code in the column `area`; `areas` is what
    they are called, in the column `areas`."""
    codes = exposure.keys.tolist()
    text = pa.string()
    keys = {
        pa.field("areas", text, nullable=False): [areas] * len(codes),
        pa.field("area", text, nullable=False): codes,
        **scenario_columns(series, len(codes)),
    }
    return statistics_table(
        series,
        keys,
        _values(_layer_columns(exposure, question)),
        per_row=_values(_fixed_columns(exposure)),
        **_told(series, exposure, question),
    )


def _told(series: Series, exposure: Exposure, question: Question) -> dict[str, Any]:
    """Units, words, expected annual columns and notes, as `statistics_table` takes them."""
    bands = exposure.deepest.shape[1]
    if bands != len(series.labels):
        raise WrongShape(f"{bands} bands for {len(series.labels)} layers", where=series.id)
    columns = [*_fixed_columns(exposure), *_layer_columns(exposure, question)]
    counts = [f"exposed_{above(one)}" for one in question.thresholds_m]
    damages = [one.statistic for one in question.damages]
    return {
        "units": {name: unit for name, _, unit, _ in columns},
        "descriptions": {name: words for name, *_, words in columns},
        "integration": Integration(),
        "expected": {name: f"expected_annual_{name}" for name in (*counts, *damages)},
        "notes": {
            "exposure": question.to_json(),
            "damage_method": METHOD if question.damages else None,
        },
    }


def _values(columns: Iterator[Column]) -> dict[str, NDArray[Any]]:
    return {name: values for name, values, *_ in columns}


def _fixed_columns(exposure: Exposure) -> Iterator[Column]:
    fixed = exposure.fixed
    yield "buildings", _count(fixed[BUILDINGS]), "building", "Buildings with their centroid there"
    yield "floor_area_m2", fixed[AREA], "m2", "Area of the footprints, where it is known"
    words = "Buildings whose area is not known"
    yield "without_area", _count(fixed[WITHOUT_AREA]), "building", words
    words = "Buildings outside all rasters; among the buildings"
    yield "outside", _count(fixed[OUT]), "building", words


def _layer_columns(exposure: Exposure, question: Question) -> Iterator[Column]:
    layers = exposure.layers
    words = "Buildings where nothing is known; among the buildings"
    yield "unknown", _count(layers["unknown"]), "building", words
    for meaning in question.meanings:
        words = f"Buildings in {meaning.replace('_', ' ')} alone; among the buildings"
        yield meaning, _count(layers[meaning]), "building", words
    # Shares and depths come from whole counts and centimetres: four bytes hold all there is.
    buildings = exposure.fixed[BUILDINGS].astype(np.float32)[:, None]
    for threshold in question.thresholds_m:
        name, deep = above(threshold), f"in more than {threshold:g} m of water"
        exposed = _count(layers[f"exposed_{name}"])
        share = _divided(exposed, buildings)
        yield f"exposed_{name}", exposed, "building", f"Buildings {deep}"
        yield f"exposed_share_{name}", share, "1", f"Share of all buildings {deep}"
        area = layers[f"exposed_area_{name}_m2"]
        yield f"exposed_area_{name}_m2", area, "m2", f"Area of the footprints {deep}"
    known = layers["known_exposed"]
    least = f"buildings in more than {question.thresholds_m[0]:g} m of water"
    mean = _divided(layers[DEPTH_SUM], known)
    yield "mean_depth_m", mean, "m", f"Mean depth at the {least}"
    deepest = np.where(known > 0, exposure.deepest, np.float32(np.nan))
    yield "max_depth_m", deepest, "m", f"Greatest depth at the {least}"
    for damage in question.damages:
        words = f"Damage to buildings ({damage.name})"
        yield damage.statistic, layers[damage.statistic], damage.currency, words


def _count(values: NDArray[Any]) -> NDArray[np.int32]:
    return values.astype(np.int32, copy=False)


def _divided(values: NDArray[Any], by: NDArray[Any]) -> NDArray[np.float32]:
    """The quotients; NaN where there is nothing to divide by."""
    out = np.full_like(values, np.nan, np.float32)
    np.divide(values, by, out=out, where=by > 0, dtype=np.float64, casting="same_kind")
    return out
