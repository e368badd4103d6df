"""A map of one layer as a picture: cells in colour, borders, and a legend with the unit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray

from thalweg.errors import MissingColumn, PlottingMissing
from thalweg.hexagons.cells import cell_polygons
from thalweg.hexagons.layers import column_name
from thalweg.hexagons.outlines import Outlines
from thalweg.hexagons.selection import Selection, selected, unknown_layer
from thalweg.hexagons.sphere import Geometries
from thalweg.hexagons.tables import Described, describe
from thalweg.storage.staging import written_aside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORMAP = "YlGnBu"
_WIDTH_INCHES = 9.0
_DPI = 150
_DRY, _UNKNOWN = "#eef0ee", "#c9c4bd"


@dataclass(frozen=True)
class Picture:
    """What a map shows, before it is drawn: one value a polygon, NaN where it is not known."""

    polygons: Geometries
    values: NDArray[np.float64]
    title: str
    legend: str


def plot(
    tables: Sequence[Path],
    target: Path,
    layer: str,
    selection: Selection,
    *,
    statistic: str = "mean",
    borders: Outlines | None = None,
    title: str = "",
    legend: str = "",
) -> None:
    """Writes a PNG map of one layer's statistic; of the selection, its place and resolution count.

    Colours reach from 0 to the 98th percentile; more is shown as that. Cells of 0 are pale, cells
    without a value grey. `borders` are drawn over them. Raises `UnknownLayer`, `MissingColumn`,
    `NothingSelected` and `PlottingMissing`.
    """
    shown = picture(tables, layer, selection, statistic, title, legend)
    with written_aside(target) as aside:
        draw(shown, aside, borders)
        aside.replace(target)


def draw(picture: Picture, target: Path | BinaryIO, borders: Outlines | None = None) -> None:
    """Draws a picture as PNG."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlottingMissing(hint="pip install 'thalweg[plot]'") from error
    bounds = _margined(shapely.total_bounds(picture.polygons))
    west, south, east, north = bounds
    aspect = 1 / math.cos(math.radians(min(max((south + north) / 2, -80), 80)))
    height = _WIDTH_INCHES * 0.8 * aspect * (north - south) / (east - west) + 1.2
    figure = Figure(figsize=(_WIDTH_INCHES, min(max(height, 4), 14)), layout="constrained")
    axes = figure.add_subplot(aspect=aspect, xlim=(west, east), ylim=(south, north))
    axes.set_title(picture.title, loc="left", fontsize=12)
    _draw_cells(axes, picture)
    if borders is not None:
        _draw_borders(axes, borders, bounds)
    _draw_frame(axes)
    figure.savefig(target, format="png", dpi=_DPI, metadata={"Software": None})


def picture(
    tables: Sequence[Path],
    layer: str,
    selection: Selection,
    statistic: str,
    title: str = "",
    legend: str = "",
) -> Picture:
    """What `plot` draws."""
    source, label = _source(tables, layer, selection.resolution)
    column = column_name(statistic, label)
    if statistic not in source.statistics:
        raise MissingColumn(
            f"no statistic {statistic!r}",
            hint=f"there are {', '.join(source.statistics)}",
            where=str(source.path),
        )
    with selected(tables, replace(selection, layers=(layer,))) as reader:
        rows = reader.read_all()
    polygons, values = _side_by_side(rows, column)
    unit = pq.read_schema(source.path).field(column).metadata[b"unit"].decode()
    return Picture(
        polygons,
        values,
        title or _title(layer, selection.resolution, rows.num_rows),
        legend or statistic.replace("_", " ") + (f" ({unit})" if unit not in ("", "1") else ""),
    )


def _title(layer: str, resolution: int, cells: int) -> str:
    return f"{layer.replace('_', ' ')}\nH3 resolution {resolution}, {cells:,} cells"


def _source(tables: Sequence[Path], layer: str, resolution: int) -> tuple[Described, str]:
    """The first table that has a layer, and the layer's label there."""
    described = [one for one in map(describe, tables) if one.resolution == resolution]
    for one in described:
        for label in one.series.labels:
            if one.series.layer_id(label) == layer:
                return one, label
    raise unknown_layer(layer, described)


def _side_by_side(rows: pa.Table, column: str) -> tuple[Geometries, NDArray[np.float64]]:
    """Single polygons and their values; those over the antimeridian are put beside the others."""
    polygons, owner = shapely.get_parts(cell_polygons(rows["cell"].to_numpy()), return_index=True)
    values = rows[column].cast(pa.float64()).to_numpy(zero_copy_only=False)[owner]
    west, _, east, _ = shapely.bounds(polygons).T
    if west.min() < -90 and east.max() > 90 and not ((west < 0) & (east > 0)).any():
        turned = shapely.transform(polygons[west < 0], lambda points: points + np.array([360, 0]))
        polygons[west < 0] = turned
    return polygons, values


def _draw_cells(axes: Axes, picture: Picture) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import Normalize
    from matplotlib.patches import Patch

    known, wet = np.isfinite(picture.values), picture.values > 0
    plain = (("zero", known & ~wet, _DRY), ("no value", ~known, _UNKNOWN))
    keys = [Patch(facecolor=colour, label=word) for word, chosen, colour in plain if chosen.any()]
    for _, chosen, colour in plain:
        axes.add_collection(PolyCollection(_rings(picture.polygons[chosen]), facecolor=colour))
    if keys:
        key = axes.legend(
            handles=keys,
            loc="lower left",
            bbox_to_anchor=(1.01, 0),
            fontsize=8,
            frameon=False,
            handlelength=1,
            borderpad=0,
        )
        key.set_in_layout(False)  # below the colour bar, in the room that is there already
    shown = picture.values[wet]
    top = float(np.percentile(shown, 98)) if len(shown) else 1.0
    cells = PolyCollection(
        _rings(picture.polygons[wet]),
        array=shown,
        cmap=COLORMAP,
        norm=Normalize(0, top),
        # A hairline in the cell's own colour: without it the background shines between cells.
        edgecolor="face",
        linewidth=0.2,
    )
    axes.add_collection(cells)
    over = len(shown) > 0 and shown.max() > top
    legend = axes.figure.colorbar(
        cells, ax=axes, shrink=0.75, pad=0.02, extend="max" if over else "neither"
    )
    legend.set_label(picture.legend)


def _draw_borders(axes: Axes, borders: Outlines, bounds: Sequence[float]) -> None:
    from matplotlib.collections import LineCollection

    for turn in (0, 360):
        west, south, east, north = bounds
        frame = (west - turn, south, east - turn, north)
        near = borders.geometries[shapely.intersects(borders.geometries, shapely.box(*frame))]
        lines = shapely.get_parts(shapely.clip_by_rect(shapely.boundary(near), *frame))
        points = [shapely.get_coordinates(line) + np.array([turn, 0]) for line in lines]
        axes.add_collection(LineCollection(points, colors="#333333", linewidths=0.7))


def _draw_frame(axes: Axes) -> None:
    axes.tick_params(labelsize=8, color="#999999", labelcolor="#555555")
    axes.xaxis.set_major_formatter(lambda x, _: _degrees((x + 180) % 360 - 180, "EW"))
    axes.yaxis.set_major_formatter(lambda y, _: _degrees(y, "NS"))
    for spine in axes.spines.values():
        spine.set_color("#cccccc")


def _degrees(value: float, letters: str) -> str:
    """Such as 2.5°S; 0° has no letter."""
    side = letters[0] if value > 0 else letters[1]
    return f"{abs(value):g}°{side if value else ''}"


def _rings(polygons: Iterable[Any]) -> list[NDArray[np.float64]]:
    return [shapely.get_coordinates(polygon) for polygon in polygons]


def _margined(bounds: NDArray[np.float64]) -> tuple[float, float, float, float]:
    west, south, east, north = bounds.tolist()
    margin = 0.04 * max(east - west, north - south)
    return west - margin, max(south - margin, -90), east + margin, min(north + margin, 90)
