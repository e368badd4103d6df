"""What the colours of a picture stand for."""

from __future__ import annotations

from io import BytesIO
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from thalweg.api.raster.colormaps import WATER, Colormap
from thalweg.api.raster.parameters import Bands, Rendering, colormap_of
from thalweg.api.raster.paths import item_raster
from thalweg.api.raster.rendering import Style, is_depth, style_of
from thalweg.api.raster.source import Raster, scaled
from thalweg.domain.units import convert
from thalweg.errors import InvalidRequest

_STOPS = 6
_SCALE_PX = 2
_WIDTH, _MARGIN, _BAR, _LINE = 320, 14, 16, 18


class Stop(BaseModel):
    """A value, and the colour that it is drawn in."""

    value: float
    color: str = Field(examples=["#4a98db"])


class Class(BaseModel):
    """What is no measurement but has a colour of its own."""

    name: str
    color: str


class Legend(BaseModel):
    """The legend of one band."""

    title: str
    unit: str = Field(description="Depths of floods are told in metres.")
    colormap: str
    rescale: tuple[float, float] = Field(description="As the parameter, in the file's own unit.")
    stops: list[Stop]
    classes: list[Class]


def install(router: APIRouter) -> None:
    """Adds the legend of an item's band, as JSON and as PNG."""

    @router.get("/legend", operation_id="raster.item.getLegend")
    def legend(
        raster: Annotated[Raster, Depends(item_raster)],
        bands: Annotated[Bands, Depends()],
        rendering: Annotated[Rendering, Depends()],
        colormap: Annotated[Colormap | None, Depends(colormap_of)],
    ) -> Legend:
        """What the colours of the band's pictures stand for."""
        return _legend(raster, bands, rendering, colormap)[0]

    @router.get(
        "/legend.png",
        operation_id="raster.item.getLegendPicture",
        response_class=Response,
        responses={200: {"content": {"image/png": {}}}},
    )
    def legend_picture(
        raster: Annotated[Raster, Depends(item_raster)],
        bands: Annotated[Bands, Depends()],
        rendering: Annotated[Rendering, Depends()],
        colormap: Annotated[Colormap | None, Depends(colormap_of)],
    ) -> Response:
        """The legend as a picture."""
        told, style = _legend(raster, bands, rendering, colormap)
        return Response(drawn(told, style), media_type="image/png")


def _legend(
    raster: Raster, bands: Bands, rendering: Rendering, colormap: Colormap | None
) -> tuple[Legend, Style]:
    chosen = raster.chosen(bands.indexes, bands.return_periods)
    ranges: Any = rendering.rescale
    if len({*chosen}) > 1 and not all(is_depth(raster.bands[one - 1]) for one in chosen):
        raise InvalidRequest("a legend is of one band", hint=f"choose by bidx: {raster.told()}")
    band = raster.bands[chosen[0] - 1]
    style = style_of(raster, chosen[0], colormap, ranges[0] if ranges else None)
    low, high = style.range
    unit = "m" if is_depth(band) else band.get("unit", "")
    stops = []
    for n in range(_STOPS):
        value = scaled(band, low + (high - low) * n / (_STOPS - 1))
        shown = convert(value, band["unit"], "m") if is_depth(band) else value
        colour = style.colormap.table[round(255 * n / (_STOPS - 1))]
        stops.append(Stop(value=round(shown, 6), color=_hex(tuple(int(one) for one in colour))))
    classes = [Class(name=name, color=_hex(WATER)) for name in raster.special.values()]
    title = str(raster.properties.get("title", raster.item))
    return Legend(
        title=title,
        unit=unit,
        colormap=style.colormap.name,
        rescale=style.range,
        stops=stops,
        classes=classes,
    ), style


def drawn(legend: Legend, style: Style) -> bytes:
    """A legend as PNG: title, a bar of the colours, values below it, and classes."""
    from PIL import Image, ImageDraw, ImageFont

    def px(length: float) -> int:
        return round(length * _SCALE_PX)

    lines = 1 + bool(legend.classes) * len(legend.classes)
    height = _MARGIN * 2 + _LINE + _BAR + _LINE + (lines - 1) * _LINE
    image = Image.new("RGBA", (px(_WIDTH), px(height)), (255, 255, 255, 235))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(px(11))
    ink = (33, 37, 41, 255)
    width = _WIDTH - 2 * _MARGIN
    unit = f" ({legend.unit})" if legend.unit else ""
    draw.text(
        (px(_MARGIN), px(_MARGIN)), _fitted(draw, legend.title, unit, font, px(width)), ink, font
    )
    top = _MARGIN + _LINE
    for column in range(px(width)):
        step = round(255 * column / (px(width) - 1))
        colour = tuple(int(one) for one in style.colormap.table[step])
        draw.line([(px(_MARGIN) + column, px(top)), (px(_MARGIN) + column, px(top + _BAR))], colour)
    for n, stop in enumerate(legend.stops):
        last = n == len(legend.stops) - 1
        text = f"{stop.value:g}{'+' if last and style.colormap.floods else ''}"
        x = px(_MARGIN) + round((px(width) - 1) * n / (len(legend.stops) - 1))
        anchor = "la" if n == 0 else "ra" if last else "ma"
        draw.text((x, px(top + _BAR + 3)), text, ink, font, anchor=anchor)
    for n, one in enumerate(legend.classes):
        y = top + _BAR + _LINE + 4 + n * _LINE
        draw.rectangle([px(_MARGIN), px(y), px(_MARGIN + 14), px(y + 10)], one.color)
        draw.text((px(_MARGIN + 20), px(y - 1)), one.name.replace("_", " "), ink, font)
    told = BytesIO()
    image.save(told, "PNG")
    return told.getvalue()


def _fitted(draw: Any, title: str, unit: str, font: Any, width: int) -> str:
    """The title and unit, cut where they are too long."""
    if draw.textlength(title + unit, font) <= width:
        return title + unit
    while title and draw.textlength(f"{title}…{unit}", font) > width:
        title = title[:-1].rstrip()
    return f"{title}…{unit}"


def _hex(colour: tuple[int, ...]) -> str:
    return "#" + "".join(f"{one:02x}" for one in colour[:3])
