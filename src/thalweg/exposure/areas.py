"""Tables of exposure by area: the country of each, and files for other tools."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from thalweg.errors import NoExposure, UnknownFormat
from thalweg.hexagons.layers import column_name
from thalweg.hexagons.outlines import countries, read_outlines
from thalweg.hexagons.selection import Form, unknown_layer
from thalweg.hexagons.tables import Described, describe, dimension_column
from thalweg.storage.staging import written_aside

COUNTRY = "country"


def with_countries(table: pa.Table, outlines: Path, column: str) -> pa.Table:
    """A table by area with the column `country` behind the areas' codes, of an ISO 3166-1 alpha-3
    code each; `outlines` and `column` are those of the areas."""
    codes = read_outlines(outlines, column).codes_around(table["area"].to_pylist(), countries())
    words = {"description": "Country that the area lies in, by ISO 3166-1 alpha-3 code"}
    place = table.column_names.index("area") + 1
    field = pa.field(COUNTRY, pa.string(), metadata=words)
    return table.add_column(place, field, pa.array(codes, pa.string()))


def kinds_of_areas(path: Path) -> list[str]:
    """What the areas of a table are called: one name, or none where it has no rows."""
    names: list[str] = pc.unique(pq.read_table(path, columns=["areas"])["areas"]).to_pylist()
    return names


def export_areas(
    tables: Sequence[Path],
    target: Path,
    areas: str,
    *,
    codes: Collection[str] = (),
    layers: Collection[str] = (),
    form: Form = "wide",
) -> int:
    """Writes the rows of areas such as `countries` to .csv or .parquet; gives their number.

    `codes` are those of the areas that are wanted, `layers` ids of layers or of whole series; empty
    stands for all. `wide` and `long` are as for hexagons. Raises `NoExposure`, `UnknownLayer` and
    `UnknownFormat`.
    """
    write = _WRITERS.get(target.suffix.lower())
    if write is None:
        raise UnknownFormat(
            "areas are written without their outlines",
            hint=f"end the name in one of {', '.join(_WRITERS)}",
            where=str(target),
        )
    kinds = {path: kinds_of_areas(path) for path in tables}
    described = [describe(path) for path, names in kinds.items() if areas in names]
    if not described:
        known = sorted({name for names in kinds.values() for name in names})
        raise NoExposure(
            f"there are no areas {areas!r}", hint=f"there are {', '.join(known) or 'none'}"
        )
    _check_known(layers, described)
    parts = [part for one in described for part in _rows(one, layers, form)]
    rows = pa.concat_tables(parts, promote_options="default")
    if codes:
        rows = rows.filter(pc.is_in(rows["area"], pa.array(sorted(codes))))
    if not rows.num_rows:
        raise NoExposure(
            f"none of the {areas} has that code", hint="leave the codes out to see all"
        )
    with written_aside(target) as aside:
        write(rows, aside)
        aside.replace(target)
    return int(rows.num_rows)


def _check_known(layers: Collection[str], described: Sequence[Described]) -> None:
    known = {one.series.id for one in described}
    known |= {one.series.layer_id(label) for one in described for label in one.series.labels}
    for layer in layers:
        if layer not in known:
            raise unknown_layer(layer, described)


def _rows(table: Described, layers: Collection[str], form: Form) -> Iterator[pa.Table]:
    series = table.series
    whole = not layers or series.id in layers
    labels = [one for one in series.labels if whole or series.layer_id(one) in layers]
    if not labels:
        return
    held = pq.read_table(table.path)
    dimensions = [dimension_column(name) for name in series.coordinates]
    told = [name for name in ("areas", "area", COUNTRY, "series") if name in held.column_names]
    keys = [*told, *dimensions, *table.per_cell]
    if form == "wide":
        columns = [column_name(name, label) for name in table.statistics for label in labels]
        yield held.select([*keys, *(table.expected if whole else []), *columns])
        return
    for label in labels:
        period = dict(zip(series.labels, series.return_periods, strict=False)).get(label)
        columns = [column_name(name, label) for name in table.statistics]
        part = held.select([*keys, *columns]).rename_columns([*keys, *table.statistics])
        names = (("layer", series.layer_id(label)), ("label", label), ("return_period", period))
        for place, (name, value) in enumerate(names, start=len(keys)):
            kind = pa.float64() if name == "return_period" else pa.string()
            part = part.add_column(place, name, pa.array([value] * part.num_rows, kind))
        yield part


def _write_parquet(rows: pa.Table, path: Path) -> None:
    pq.write_table(rows.replace_schema_metadata(), path, compression="zstd")


def _write_csv(rows: pa.Table, path: Path) -> None:
    pa_csv.write_csv(rows, path)


_WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
