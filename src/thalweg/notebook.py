"""What `thalweg.open` gives: everything that a workspace holds, for a notebook.

Each method calls the room that does the work; what it needs is imported when it is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from thalweg.errors import NoTables
from thalweg.pipelines.workspace import Workspace

if TYPE_CHECKING:
    import duckdb
    import pandas
    import pystac
    import xarray
    from shapely.geometry.base import BaseGeometry

    from thalweg.catalog.ledger import Document
    from thalweg.domain.matrix import Matrix
    from thalweg.domain.tiles import BoundingBox
    from thalweg.hexagons.frames import Hexagons
    from thalweg.hexagons.outlines import Outlines
    from thalweg.hexagons.selection import Form

type Box = tuple[float, float, float, float]
"""West, south, east and north in degrees; west > east over the antimeridian."""
type Values = str | int | Sequence[str | int]
"""One value of a dimension, or several."""


@dataclass(frozen=True, repr=False)
class OpenWorkspace:
    """A workspace, to look at what is in it. Nothing here changes it.

    >>> ws = thalweg.open("workspace")
    >>> depth = ws.raster(peril="fluvial", defence="defended", year=2050, scenario="ssp245")
    >>> depth.sel(return_period=100).max().compute()
    >>> cells = ws.hexagons(7, country="RWA").to_geopandas()
    """

    workspace: Workspace

    @property
    def folder(self) -> Path:
        """Where it lies: from here, where it is below."""
        folder, here = self.workspace.folder, Path.cwd()
        return folder.relative_to(here) if folder.is_relative_to(here) else folder

    # The catalogue ------------------------------------------------------------------------------

    @property
    def collections(self) -> list[str]:
        """The ids of the catalogue's collections."""
        with self.workspace.catalog() as catalog:
            return [collection["id"] for collection in catalog.collections()]

    def search(
        self, *collections: str, bbox: Box | None = None, **where: Values
    ) -> pystac.ItemCollection:
        """The STAC items of some collections (or of all) with these values, in a box.

        >>> ws.search("fathom-flood-depth", peril="fluvial", year=[2030, 2050])

        Raises `CollectionNotFound`, and `UnknownCoordinate` for a dimension or value that no item
        has, which names those that there are.
        """
        import pystac

        return pystac.ItemCollection(self._items(collections, bbox, where))

    def raster(
        self, *collections: str, bbox: Box | None = None, masked: bool = True, **where: Values
    ) -> xarray.DataArray:
        """The rasters of one scenario as one array, read only when its values are asked for.

        >>> ws.raster(peril="pluvial", year=2020).sel(return_period=100)

        Its bands are labelled by what they stand for: return periods, in years. Where `masked`,
        nodata and special values such as permanent water are NaN, and `.attrs["units"]` is the unit
        of the rest; else values are those of the files. Raises `NothingFound`, `AmbiguousScenario`
        where what is asked for is more than one scenario, and what `search` raises.
        """
        from thalweg.catalog.arrays import to_xarray

        return to_xarray(self._items(collections, bbox, where), bbox=_box(bbox), masked=masked)

    def _items(
        self, collections: Sequence[str], bbox: Box | None, where: dict[str, Values]
    ) -> list[Document]:
        from thalweg.catalog.search import search

        with self.workspace.catalog() as catalog:
            return search(catalog, collections, bbox=_box(bbox), where=where)

    # Hexagons -----------------------------------------------------------------------------------

    @property
    def layers(self) -> pandas.DataFrame:
        """The layers of the hexagon tables: their ids, what they are, units and H3 resolutions."""
        from thalweg.hexagons.frames import data_frame, layer_rows

        return data_frame(layer_rows(self._tables()), index="layer").rename_axis(None)

    def hexagons(
        self,
        resolution: int,
        *layers: str,
        country: str | Sequence[str] = (),
        bbox: Box | None = None,
        place: BaseGeometry | None = None,
        form: Form = "wide",
    ) -> Hexagons:
        """The statistics of the H3 cells of one resolution, of some layers or series (or all).

        >>> ws.hexagons(7, "fathom_fluvial_defended_2050_ssp245", country="RWA").to_pandas()

        `country` is one ISO 3166-1 alpha-3 code or several; `bbox` and `place` (an outline in WGS
        84) take cells with their centre there. A row is a cell and scenario with layers as columns
        (`wide`), or a cell and layer (`long`). Raises `NoTables`.
        """
        from thalweg.hexagons.frames import Hexagons
        from thalweg.hexagons.selection import Selection

        countries = (country,) if isinstance(country, str) else tuple(country)
        selection = Selection(resolution, layers, countries, _place(bbox, place))
        return Hexagons(self._tables(), selection, form)

    def plot(
        self,
        layer: str,
        resolution: int,
        *,
        statistic: str = "mean",
        country: str | Sequence[str] = (),
        bbox: Box | None = None,
        place: BaseGeometry | None = None,
        title: str = "",
        borders: Outlines | None = None,
    ) -> Map:
        """A map of one layer, with borders: those of countries, unless others are given.

        >>> ws.plot("fathom_fluvial_defended_2050_ssp245_1in100", 7, country="RWA")

        Raises `UnknownLayer`, `MissingColumn` for an unknown statistic, `NothingSelected`,
        `OutlinesMissing` and `PlottingMissing`.
        """
        from io import BytesIO

        from thalweg.hexagons.outlines import countries as outlines_of_countries
        from thalweg.hexagons.plot import draw, picture

        selection = self.hexagons(resolution, country=country, bbox=bbox, place=place).selection
        drawn = BytesIO()
        draw(
            picture(self._tables(), layer, selection, statistic, title),
            drawn,
            borders or outlines_of_countries(),
        )
        return Map(drawn.getvalue())

    def duckdb(self) -> duckdb.DuckDBPyConnection:
        """DuckDB with the view `hexagons` of all tables' rows, to be closed.

        >>> ws.duckdb().sql("SELECT country, sum(wet_area_km2_1in100) FROM hexagons GROUP BY ALL")
        """
        from thalweg.hexagons.tables import connect

        return connect(self._tables())

    def _tables(self) -> list[Path]:
        from thalweg.pipelines.tables import hexagon_tables

        return hexagon_tables(self.workspace)

    # Pipelines ----------------------------------------------------------------------------------

    def matrix(self, pipeline: str, **choice: Values) -> pandas.DataFrame:
        """How much of a pipeline is expected, found, made and catalogued, by combination.

        >>> ws.matrix("fathom", year=2020, region="rwa")

        `pipeline` is a name or the path of a file; `choice` is what `--set` takes. Columns are how
        many each level has, how many are expected there, and of how many there are items.
        """
        from thalweg.hexagons.frames import data_frame
        from thalweg.pipelines.choice import choose
        from thalweg.pipelines.loader import find, load
        from thalweg.pipelines.matrix import matrix_of

        settings = [f"{name}={_joined(values)}" for name, values in choice.items()]
        chosen = choose(load(find(pipeline)), settings)
        found = matrix_of(*chosen, self.workspace)
        rows = [*((part.id, row) for part, row in found.rows), ("all", found.matrix)]
        frame = data_frame(({"id": name, **_counts(row)} for name, row in rows), index="id")
        return frame.rename_axis(None)

    # What a notebook shows ----------------------------------------------------------------------

    def __repr__(self) -> str:
        lines = [f"Thalweg workspace {self.folder}"]
        return "\n".join([*lines, *(f"  {what}: {said}" for what, said in self._contents())])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(what)}</th>"
            f"<td style='text-align:left'>{escape(said)}</td></tr>"
            for what, said in self._contents()
        )
        return (
            f"<p>Thalweg workspace <code>{escape(str(self.folder))}</code></p><table>{rows}</table>"
        )

    def _contents(self) -> list[tuple[str, str]]:
        from thalweg.hexagons.tables import describe

        with self.workspace.catalog() as catalog:
            ids = [one["id"] for one in catalog.collections()]
            held = [(name, f"{sum(1 for _ in catalog.items(name))} items") for name in ids]
        try:
            tables = [describe(path) for path in self._tables()]
        except NoTables:
            return [*held, ("hexagons", "no tables")]
        series = {table.series.id: len(table.series.labels) for table in tables}
        resolutions = ", ".join(map(str, sorted({table.resolution for table in tables})))
        said = f"{sum(series.values())} layers in {len(series)} series, resolutions {resolutions}"
        return [*held, ("hexagons", said)]


@dataclass(frozen=True, repr=False)
class Map:
    """A map as PNG, which a notebook shows as it is."""

    png: bytes

    def save(self, path: Path | str) -> None:
        """Writes it to a file."""
        Path(path).write_bytes(self.png)

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        return f"<Map: {len(self.png):,} bytes of PNG; save(path) writes it>"


def _counts(matrix: Matrix) -> dict[str, int]:
    counts = {}
    for level in matrix.levels:
        counts[f"{level.name} expected"] = len(level.expected)
        counts[level.name] = len(level.present & level.expected)
        if level.catalogued is not None:
            counts[f"{level.name} items"] = len(level.catalogued & level.expected)
    return counts


def _box(bbox: Box | None) -> BoundingBox | None:
    from thalweg.domain.tiles import BoundingBox

    return None if bbox is None else BoundingBox.parse(_joined(bbox))


def _place(bbox: Box | None, place: BaseGeometry | None) -> BaseGeometry | None:
    from thalweg.hexagons.places import box

    chosen = _box(bbox)
    if chosen is None:
        return place
    return box(chosen) if place is None else place.intersection(box(chosen))


def _joined(values: Values | Box) -> str:
    return str(values) if isinstance(values, (str, int)) else ",".join(map(str, values))
