"""Hexagon statistics as the tables that Python's libraries work with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from thalweg.errors import PackageMissing
from thalweg.hexagons.cells import cell_polygons
from thalweg.hexagons.export import Shape, export
from thalweg.hexagons.selection import Form, Selection, selected
from thalweg.hexagons.tables import Described, describe, dimension_column

if TYPE_CHECKING:
    import geopandas
    import pandas
    import polars


@dataclass(frozen=True)
class Hexagons:
    """Rows of hexagon tables that are wanted, read when they are asked for.

    One row for each cell and series (`wide`) or layer (`long`). `cell` is the H3 cell as a number,
    `h3` as text. The metadata of Arrow's fields tell units.
    """

    tables: Sequence[Path]
    selection: Selection
    form: Form = "wide"

    def to_arrow(self) -> pa.Table:
        """The rows; raises `NothingSelected` and `UnknownLayer`, as all that follow do."""
        with selected(self.tables, self.selection, self.form) as reader:
            return _described(reader.read_all(), self.tables)

    def to_pandas(self) -> pandas.DataFrame:
        """The rows; raises `PackageMissing` where pandas is not installed."""
        _import("pandas", "notebook")
        return self.to_arrow().to_pandas()

    def to_polars(self) -> polars.DataFrame:
        """The rows; raises `PackageMissing` where polars is not installed."""
        frame: polars.DataFrame = _import("polars", "polars").from_arrow(self.to_arrow())
        return frame

    def to_geopandas(self) -> geopandas.GeoDataFrame:
        """The rows with the cells' outlines in WGS 84; raises `PackageMissing`."""
        geopandas = _import("geopandas", "notebook")
        table = self.to_arrow()
        outlines = cell_polygons(table["cell"].to_numpy())
        return geopandas.GeoDataFrame(table.to_pandas(), geometry=outlines, crs="EPSG:4326")

    def export(self, target: Path | str, *, shape: Shape = "polygon") -> int:
        """Writes a file, its suffix says which; gives the number of rows. See `export.export`."""
        path = Path(target).absolute()
        return export(self.tables, path, self.selection, form=self.form, shape=shape)

    def __repr__(self) -> str:
        chosen = self.selection
        parts = [
            f"resolution {chosen.resolution}",
            ", ".join(chosen.layers) or "all layers",
            ", ".join(chosen.countries),
            "" if chosen.place is None else "within a place",
            self.form,
        ]
        return f"<Hexagons: {'; '.join(filter(None, parts))}>"


def _described(table: pa.Table, sources: Iterable[Path]) -> pa.Table:
    """With what the files tell of their columns, which queries drop: units and words."""
    told = {field.name: field.metadata for path in sources for field in pq.read_schema(path)}
    fields = [field.with_metadata(told.get(field.name)) for field in table.schema]
    return table.cast(pa.schema(fields))


def layer_rows(tables: Iterable[Path]) -> list[dict[str, Any]]:
    """What each layer of the tables is: a row by layer id, with its unit and H3 resolutions."""
    return rows_of_layers(map(describe, tables))


def rows_of_layers(tables: Iterable[Described]) -> list[dict[str, Any]]:
    """As `layer_rows`, of tables that are described already."""
    rows: dict[str, dict[str, Any]] = {}
    for table in tables:
        series = table.series
        for index, label in enumerate(series.labels):
            row: dict[str, Any] = {
                "layer": series.layer_id(label),
                "series": series.id,
                "theme": series.theme,
                "dataset": series.dataset,
                **{dimension_column(name): value for name, value in series.coordinates.items()},
                "label": label,
                "return_period": series.return_periods[index] if series.return_periods else None,
                "unit": series.unit,
                "resolutions": [],
            }
            rows.setdefault(row["layer"], row)["resolutions"].append(table.resolution)
    return [{**row, "resolutions": sorted(set(row["resolutions"]))} for row in rows.values()]


def data_frame(rows: Iterable[Mapping[Any, Any]], index: Any) -> pandas.DataFrame:
    """Rows as pandas has them, by the column `index`; raises `PackageMissing`."""
    frame: pandas.DataFrame = _import("pandas", "notebook").DataFrame(list(rows))
    return frame.set_index(index)


def _import(package: str, extra: str) -> Any:
    from importlib import import_module

    try:
        return import_module(package)
    except ImportError as error:
        raise PackageMissing(
            f"this needs {package}", hint=f"pip install 'thalweg[{extra}]'"
        ) from error
