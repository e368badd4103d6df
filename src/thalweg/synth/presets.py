"""What can be delivered: regions with their tiles and layers, perils, and ways to name files."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

from thalweg.errors import UnknownPreset, UsageError

DEFAULT_SEED = 20200101


class Corner(NamedTuple):
    """South-west corner of a one-degree tile, degrees in EPSG:4326."""

    lon: int
    lat: int


@dataclass(frozen=True)
class Peril:
    """How one kind of water floods.

    `wet_share` of the land, `mean_depth` (cm) of what is wet and the power `growth` of the wet
    share with the return period hold for 1 in 100 years today. `cap` (cm) is the deepest value
    written, `defence` (cm) the height of the best defences.
    """

    wet_share: float
    mean_depth: float
    growth: float
    cap: int
    defence: float


PERILS = {
    "fluvial": Peril(0.021, 149.0, 0.13, 32000, 250.0),
    "pluvial": Peril(0.167, 50.0, 0.15, 1000, 0.0),
    "coastal": Peril(0.0004, 34.0, 0.25, 32000, 80.0),
}


@dataclass(frozen=True)
class Hazard:
    """A peril with or without defences, over the tiles that it is delivered for."""

    name: str
    peril: str
    defended: bool
    tiles: tuple[str, ...]


@dataclass(frozen=True)
class Preset:
    """A delivery: `land` is a ring of (longitude, latitude), with nodata outside it.

    `scenarios` belong to every year but the first, which is the baseline and has none.
    """

    name: str
    region: str
    hazards: tuple[Hazard, ...]
    land: tuple[tuple[float, float], ...]
    years: tuple[int, ...] = (2020, 2030, 2050, 2080)
    scenarios: tuple[str, ...] = ("SSP1_2.6", "SSP2_4.5", "SSP3_7.0", "SSP5_8.5")
    return_periods: tuple[int, ...] = (5, 10, 20, 50, 100, 200, 500, 1000)

    @property
    def tiles(self) -> tuple[str, ...]:
        """Every tile that some hazard is delivered for, in order of name."""
        return tuple(sorted({tile for hazard in self.hazards for tile in hazard.tiles}))

    @property
    def epochs(self) -> tuple[tuple[int, str | None], ...]:
        """(year, scenario) of each layer, the baseline with `None` first."""
        return tuple(
            (year, scenario)
            for year in self.years
            for scenario in ((None,) if year == BASELINE_YEAR else self.scenarios)
        )


BASELINE_YEAR = 2020

# Degrees of global warming since the baseline, after IPCC AR6 WG1, table SPM.1, rounded; they
# only need to rise with the year and with the scenario.
WARMING = {
    "SSP1_2.6": {2030: 0.30, 2050: 0.55, 2080: 0.65},
    "SSP2_4.5": {2030: 0.35, 2050: 0.85, 2080: 1.45},
    "SSP3_7.0": {2030: 0.40, 2050: 1.00, 2080: 2.15},
    "SSP5_8.5": {2030: 0.45, 2050: 1.25, 2080: 2.90},
}


class Variant(NamedTuple):
    """Path templates of a naming variant, for the baseline and for futures."""

    baseline: str
    future: str


_FOLDER = "{HAZARD}/{year}/{rp}/"
_FUTURE_FOLDER = "{HAZARD}/{year}/{scenario}/{rp}/"
_FILE = "{rp}-{hazard}-{year}_{tile}.tif"
_FUTURE_FILE = "{rp}-{hazard}-{year}-{scenario}_{tile}.tif"
_VENDOR = "FLOOD_MAP-1ARCSEC-NW_OFFSET-{rp}-{hazard}-DEPTH-{year}{epoch}-PERCENTILE50-v3.1/"

VARIANTS = {
    "region": Variant("{region}/" + _FOLDER + _FILE, "{region}/" + _FUTURE_FOLDER + _FUTURE_FILE),
    "root": Variant(_FOLDER + _FILE, _FUTURE_FOLDER + _FUTURE_FILE),
    "flat-future": Variant(_FOLDER + _FILE, "{HAZARD}/{year}/{scenario}/" + _FUTURE_FILE),
    "bare": Variant(_FOLDER + "{tile}.tif", _FUTURE_FOLDER + "{tile}.tif"),
    "vendor": Variant(
        _VENDOR.replace("{epoch}", "") + "{tile}.tif",
        _VENDOR.replace("{epoch}", "-{scenario}") + "{tile}.tif",
    ),
}


def corner(tile: str) -> Corner:
    """South-west corner of a tile name: `corner("s01e030") == Corner(lon=30, lat=-1)`."""
    match = re.fullmatch(r"([ns])(\d{2})([ew])(\d{3})", tile)
    if match is None:
        raise UsageError(
            f"'{tile}' is no tile name", hint="a tile is named like n04w006, by its corner"
        )
    lat, lon = int(match[2]), int(match[4])
    return Corner(-lon if match[3] == "w" else lon, -lat if match[1] == "s" else lat)


def _hazard(name: str, tiles: str) -> Hazard:
    peril, defence = name.lower().split("_")
    return Hazard(name, peril, defence == "defended", tuple(tiles.split()))


_RWANDA_TILES = "s01e030 s02e029 s02e030 s03e028 s03e029 s03e030"
_RWANDA_LAND = ((28.3, -3.5), (28.75, -1.6), (28.2, 0.5), (30.5, 0.5), (31.5, -0.55), (31.5, -3.5))

_CIV_INLAND = (
    "n04w006 n04w007 n04w008 n04w009 "
    "n05w003 n05w004 n05w005 n05w006 n05w007 n05w008 n05w009 "
    "n06w003 n06w004 n06w005 n06w006 n06w007 n06w008 n06w009 "
    "n07w003 n07w004 n07w005 n07w006 n07w007 n07w008 n07w009 "
    "n08w003 n08w004 n08w005 n08w006 n08w007 n08w008 n08w009 "
    "n09w003 n09w004 n09w005 n09w006 n09w007 n09w008 n09w009 "
    "n10w005 n10w006 n10w007 n10w008 n10w009"
)
_CIV_COAST = "n04w006 n04w007 n04w008 n04w009 n05w003 n05w004 n05w005 n05w006"
_CIV_LAND = (
    *((-9.6, 5.3), (-9.0, 4.93), (-8.4, 4.66), (-7.9, 4.47), (-7.5, 4.36), (-7.0, 4.56)),
    *((-6.6, 4.74), (-6.1, 4.93), (-5.5, 5.08), (-5.0, 5.16), (-4.0, 5.27), (-3.0, 5.16)),
    *((-2.4, 5.07), (-1.5, 5.05), (-1.5, 11.6), (-9.6, 11.6)),
)

PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            name="rwanda",
            region="rwa",
            hazards=(
                _hazard("FLUVIAL_DEFENDED", _RWANDA_TILES),
                _hazard("FLUVIAL_UNDEFENDED", _RWANDA_TILES),
                _hazard("PLUVIAL_DEFENDED", _RWANDA_TILES),
            ),
            land=_RWANDA_LAND,
        ),
        Preset(
            name="civ",
            region="civ",
            hazards=(
                _hazard("COASTAL_DEFENDED", _CIV_COAST),
                _hazard("COASTAL_UNDEFENDED", _CIV_COAST),
                _hazard("FLUVIAL_DEFENDED", _CIV_INLAND),
                _hazard("FLUVIAL_UNDEFENDED", _CIV_INLAND),
                _hazard("PLUVIAL_DEFENDED", _CIV_INLAND),
            ),
            land=_CIV_LAND,
        ),
        Preset(
            name="tiny",
            region="tny",
            hazards=(_hazard("FLUVIAL_UNDEFENDED", "s03e028 s03e029"),),
            land=_RWANDA_LAND,
            years=(2020, 2050),
            scenarios=("SSP2_4.5",),
        ),
    )
}


def find_preset(name: str) -> Preset:
    """The preset of that name; `UnknownPreset` where there is none."""
    if name not in PRESETS:
        raise UnknownPreset(f"no preset is named '{name}'", hint=f"one of {', '.join(PRESETS)}")
    return PRESETS[name]


@dataclass(frozen=True)
class Selection:
    """The part of a preset to make; an empty tuple selects all."""

    tiles: tuple[str, ...] = ()
    hazards: tuple[str, ...] = ()
    years: tuple[int, ...] = ()
    scenarios: tuple[str, ...] = ()
    return_periods: tuple[int, ...] = ()

    def of(self, preset: Preset) -> Preset:
        """`preset` cut down to the selection; `UsageError` for a value that it does not hold."""
        tiles = _chosen("tile", self.tiles, preset.tiles)
        names = _chosen("hazard", self.hazards, tuple(hazard.name for hazard in preset.hazards))
        return replace(
            preset,
            hazards=tuple(
                replace(hazard, tiles=tuple(tile for tile in hazard.tiles if tile in tiles))
                for hazard in preset.hazards
                if hazard.name in names
            ),
            years=_chosen("year", self.years, preset.years),
            scenarios=_chosen("scenario", self.scenarios, preset.scenarios),
            return_periods=_chosen("return period", self.return_periods, preset.return_periods),
        )


EVERYTHING = Selection()


def _chosen[T](what: str, wanted: tuple[T, ...], held: tuple[T, ...]) -> tuple[T, ...]:
    for value in wanted:
        if value not in held:
            raise UsageError(
                f"the preset holds no {what} '{value}'", hint=f"one of {', '.join(map(str, held))}"
            )
    return tuple(value for value in held if value in wanted) if wanted else held
