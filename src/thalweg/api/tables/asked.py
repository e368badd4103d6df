"""What is asked of tables: the parameters that all their paths take."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import h3.api.numpy_int as h3
from fastapi import Query, Request

from thalweg.api.parameters import known_parameters, unknown_parameter
from thalweg.domain.tiles import BoundingBox
from thalweg.errors import InvalidRequest, NothingSelected, RequestTooLarge, UnknownCoordinate
from thalweg.hexagons.queries import Key, Where, coordinates_of
from thalweg.hexagons.tables import Described

type Format = Literal["json", "geojson", "csv", "parquet", "arrow"]

DEFAULT_LIMIT = 10_000
DIMENSIONS = (
    "Any dimension of the tables may be given by its name, such as `peril`, `defence`, `year` or "
    "`scenario`, and so may `series` and `dataset`: one value, or several with commas between. "
    "`/layers` tells which there are; `none` is where there is no value."
)
_COUNTRY = re.compile(r"[A-Za-z]{3}")
# The least length of a cell's edge on the screen, and the width of a tile at zoom 0, in pixels.
_EDGE, _TILE = 8, 512
_THRESHOLD = 0.5
_EQUATOR_M = 40_075_016.686

Resolution = Annotated[
    int | None, Query(ge=0, le=15, description="The H3 resolution; `/layers` tells those held.")
]
Zoom = Annotated[
    float | None,
    Query(
        ge=0,
        le=30,
        description="In place of a resolution: the zoom of a map with tiles of 512 pixels. Takes "
        "the finest resolution held whose cells have edges of 8 pixels or more.",
    ),
]
Bbox = Annotated[
    str | None,
    Query(
        description="west,south,east,north in degrees: cells with their centre there; "
        "west > east is over the antimeridian.",
        examples=["29.5,-2.5,30.5,-1.5"],
    ),
]
Country = Annotated[
    str | None,
    Query(description="ISO 3166-1 alpha-3 codes, commas between.", examples=["RWA"]),
]
ReturnPeriod = Annotated[
    str | None,
    Query(description="Return periods in years, commas between.", examples=["100", "5,20,100"]),
]
Statistic = Annotated[
    str | None,
    Query(description="Statistics, commas between; `/layers` tells them.", examples=["mean"]),
]
Threshold = Annotated[
    float | None,
    Query(
        ge=0,
        allow_inf_nan=False,
        description="A depth in metres: buildings that stand deeper are exposed. 0.5 if that was "
        "measured, else the least that was.",
        examples=[0.5],
    ),
]
Limit = Annotated[int, Query(ge=1, description="The most rows on a page.")]
Token = Annotated[str | None, Query(description="Where the next page begins: from a link.")]
Answer = Annotated[
    Format,
    Query(
        alias="format",
        description="`parquet` is GeoParquet with outlines, `csv` has centres, `arrow` is an IPC "
        "stream; the link to the next page is in the header `Link` too.",
    ),
]


@dataclass(frozen=True)
class Wanted:
    """The rows that are asked for, of whichever tables."""

    resolution: int | None = None
    zoom: float | None = None
    bbox: BoundingBox | None = None
    countries: tuple[str, ...] = ()
    periods: tuple[float, ...] = ()
    statistics: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        resolution: Resolution = None,
        zoom: Zoom = None,
        bbox: Bbox = None,
        country: Country = None,
        return_period: ReturnPeriod = None,
        statistic: Statistic = None,
    ) -> Wanted:
        """From the parameters of a request; raises `InvalidRequest` and `UsageError`."""
        return cls(
            resolution,
            zoom,
            None if bbox is None else BoundingBox.parse(bbox),
            countries_of(country),
            tuple(_number(one) for one in listed(return_period)),
            listed(statistic),
        )

    def at_resolution(self, tables: Sequence[Described]) -> list[Described]:
        """The tables of the resolution that is asked for.

        Raises `UnknownCoordinate` for one that is not held, `InvalidRequest` where several are and
        none is asked for, and `NothingSelected` where no table is.
        """
        held = sorted({one.resolution for one in tables})
        if not held:
            raise NothingSelected("there are no such tables")
        wanted = self.resolution
        if wanted is None and self.zoom is not None:
            wanted = resolution_for(self.zoom, held)
        if wanted is None and len(held) == 1:
            wanted = held[0]
        there = f"there are {', '.join(map(str, held))}"
        if wanted is None:
            raise InvalidRequest("say a resolution, or a zoom", hint=there)
        if wanted not in held:
            raise UnknownCoordinate(f"no table has resolution {wanted}", hint=there)
        return [one for one in tables if one.resolution == wanted]


def resolution_for(zoom: float, held: Sequence[int]) -> int:
    """The finest of some resolutions whose cells are large enough at a zoom, at the equator; else
    the coarsest."""
    pixel = _EQUATOR_M / _TILE / 2**zoom
    large = [one for one in held if h3.average_hexagon_edge_length(one, unit="m") >= _EDGE * pixel]
    return max(large, default=held[0])


def where_of(request: Request, tables: Sequence[Described]) -> Where:
    """The values of dimensions that a request asks for, beside the parameters of its path.

    Raises `UnknownParameter` for what is neither.
    """
    names = {name for one in tables for name in coordinates_of(one)}
    declared = known_parameters(request) or ()
    found = {}
    for name in request.query_params:
        if name in declared:
            continue
        if name not in names:
            raise unknown_parameter(name, [*declared, *sorted(names)])
        found[name] = listed(",".join(request.query_params.getlist(name)))
    return found


def countries_of(text: str | None) -> tuple[str, ...]:
    """The codes in upper case; raises `InvalidRequest`."""
    codes = listed(text)
    for code in codes:
        if not _COUNTRY.fullmatch(code):
            raise InvalidRequest(
                f"{code[:40]!r} is no code of a country",
                hint="give ISO 3166-1 alpha-3 codes such as RWA",
            )
    return tuple(code.upper() for code in codes)


def check_limit(limit: int, most: int) -> None:
    """Raises `RequestTooLarge`."""
    if limit > most:
        raise RequestTooLarge(
            f"limit is {limit}; {most:,} rows are the most of one answer",
            hint="ask for pages by the link `next`, or raise serve.max_cells",
        )


def to_token(key: Key) -> str:
    return f"{key[0]}:{key[1]}"


def of_token(token: str | None) -> Key | None:
    """The cell and series at which a page of cells begins; raises `InvalidRequest`."""
    place, series = _parts(token)
    if token is None:
        return None
    if not (place.isdecimal() and place.isascii() and int(place) < 1 << 64):
        raise _wrong_token()
    return int(place), series


def of_area_token(token: str | None) -> Key | None:
    """The area and series at which a page of areas begins; raises `InvalidRequest`."""
    return None if token is None else _parts(token)


def _parts(token: str | None) -> tuple[str, str]:
    # No series has a colon in its id; areas may have one in theirs.
    place, colon, series = (token or ":").rpartition(":")
    if not colon:
        raise _wrong_token()
    return place, series


def _wrong_token() -> InvalidRequest:
    return InvalidRequest("token is none of this service's", hint="take it from a link `next`")


def listed(text: str | None) -> tuple[str, ...]:
    """The values between commas."""
    return tuple(one.strip() for one in (text or "").split(",") if one.strip())


def threshold_of(tables: Sequence[Described], wanted: float | None) -> float:
    """The depth in metres that is asked for; raises `UnknownCoordinate` if it was not measured."""
    known = sorted({depth for one in tables for depth in one.notes["exposure"]["thresholds_m"]})
    if wanted is None:
        return _THRESHOLD if _THRESHOLD in known else float(known[0])
    if wanted not in known:
        raise UnknownCoordinate(
            f"no exposure was measured at {wanted:g} m",
            hint=f"there are {', '.join(f'{one:g}' for one in known)} m",
        )
    return wanted


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidRequest(f"{text[:40]!r} is no number of years", hint="such as 100")
    return number


def example(**body: Any) -> dict[int | str, dict[str, Any]]:
    """The example of an answer, as a route's `responses`."""
    return {200: {"content": {"application/json": {"example": body}}}}
