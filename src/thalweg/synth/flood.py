"""Flood depths over a terrain: each pixel's height above the water's way, less the flood's stage.

The height is worked out once for a tile and hazard; a layer is then one subtraction a pixel. Depth
so never falls as the stage rises, and the stage never falls with the return period, the year or the
scenario.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.synth.noise import fractal_noise, gradient_noise, kernel
from thalweg.synth.presets import BASELINE_YEAR, PERILS, WARMING, Hazard, Preset, corner
from thalweg.synth.terrain import (
    REACH,
    Grid,
    Network,
    Terrain,
    Window,
    bank_distance,
    bilinear,
    build_terrain,
    tile_window,
)

NODATA = -32768
PERMANENT_WATER = -32767
SMALLEST_DEPTH = 5  # centimetres: anything shallower is written as dry

CALIBRATION_SIZE = 128  # pixels a tile, whatever the size delivered, so that stages agree
CURVE_SHARES = 400

# One degree makes a flood return about this many times as often (in logarithm).
FREQUENCY_PER_DEGREE = 0.35

Centimetres = NDArray[np.int16]


class Roughness(NamedTuple):
    """Relief finer than the landscape's: metres high, `features` a degree."""

    height: float
    features: float


ROUGHNESS = {
    "fluvial": Roughness(0.25, 100.0),
    "pluvial": Roughness(1.6, 120.0),
    "coastal": Roughness(1.2, 260.0),
}


@dataclass(frozen=True)
class StageCurve:
    """What makes a peril's wet share and mean depth come out as declared.

    `heights` (metres) are the quantiles of the height above drainage at the wet shares `shares`;
    `scale` turns metres of height into centimetres of depth.
    """

    shares: tuple[float, ...]
    heights: tuple[float, ...]
    scale: float


@dataclass(frozen=True)
class Region:
    """A preset's terrain and the stage curves of its perils: all that a worker needs."""

    preset: Preset
    terrain: Terrain
    curves: dict[str, StageCurve]


class Ground(NamedTuple):
    """A tile's pixels: where they lie, nodes to the nearest river's bank, and two masks.

    `west` and `north` (degrees) are the edges of the tile's pixels, half a pixel off its name.
    """

    west: float
    north: float
    window: Window
    river: Grid
    water: NDArray[np.bool_]
    land: NDArray[np.bool_]


class Statistics(NamedTuple):
    """Counts of pixels, and depths in centimetres over the wet ones."""

    wet: int
    sum_cm: int
    max_cm: int


def build_region(preset: Preset, seed: int) -> Region:
    """Terrain and stage curves; every tile of the preset counts, whatever is delivered of it."""
    terrain = build_terrain(preset, seed)
    curves = {
        peril: _stage_curve(terrain, peril, _tiles_of(preset, peril))
        for peril in sorted({hazard.peril for hazard in preset.hazards})
    }
    return Region(preset, terrain, curves)


def effective_return_period(return_period: int, year: int, scenario: str | None) -> float:
    """Return period today of the flood that returns as often in that year and scenario."""
    if year == BASELINE_YEAR or scenario is None:
        return float(return_period)
    return return_period * math.exp(FREQUENCY_PER_DEGREE * WARMING[scenario][year])


def stage(
    region: Region, hazard: Hazard, return_period: int, year: int, scenario: str | None
) -> int:
    """Height of the water in centimetres, to take each pixel's height from."""
    peril, curve = PERILS[hazard.peril], region.curves[hazard.peril]
    rarity = effective_return_period(return_period, year, scenario) / 100
    share = peril.wet_share * rarity**peril.growth
    height = float(np.interp(share, curve.shares, curve.heights))
    return round(height * curve.scale) + SMALLEST_DEPTH


def tile_ground(terrain: Terrain, tile: str, size: int) -> Ground:
    """What every hazard of a tile has in common, at `size` pixels a degree."""
    west, north = tile_origin(tile, size)
    window = tile_window(terrain, west, north, size)
    land = bilinear(terrain.shore, window) > 0
    river = bank_distance(terrain.rivers, window)
    water = land & ((river < 0) | (bilinear(terrain.lake, window) > terrain.lake_level))
    return Ground(west, north, window, river, water, land)


def peril_heights(region: Region, peril: str, ground: Ground) -> Grid:
    """(size, size) centimetres above the water's way, without defences."""
    heights = _heights(region.terrain, peril, ground)
    heights *= np.float32(region.curves[peril].scale)
    return heights


def hazard_heights(region: Region, hazard: Hazard, ground: Ground, heights: Grid) -> Centimetres:
    """The peril's heights with the hazard's defences, or `NODATA` or `PERMANENT_WATER`."""
    defence = PERILS[hazard.peril].defence
    if hazard.defended and defence:
        heights = heights.copy()
        _defend(heights, ground.west, ground.north, defence, region.terrain.seed)
    out = np.clip(np.rint(heights), -32000, 32000).astype(np.int16)
    out[ground.water] = PERMANENT_WATER
    out[~ground.land] = NODATA
    return out


def tile_origin(tile: str, size: int) -> tuple[float, float]:
    """(west, north) edge of a tile's pixels: half a pixel north-west of its name's corner."""
    lon, lat = corner(tile)
    half = 0.5 / size
    return lon - half, lat + 1 + half


@kernel
def fill_depth(
    heights: Centimetres, stage: int, cap: int, out: Centimetres
) -> tuple[int, int, int]:
    """Writes the depths of one layer to `out`; (wet pixels, sum, maximum) in centimetres."""
    wet, total, deepest = 0, 0, 0
    for row in range(heights.shape[0]):
        for col in range(heights.shape[1]):
            height = heights[row, col]
            depth = min(stage - height, cap)
            if height <= PERMANENT_WATER:
                out[row, col] = height
            elif depth < SMALLEST_DEPTH:
                out[row, col] = 0
            else:
                out[row, col] = depth
                wet += 1
                total += depth
                deepest = max(deepest, depth)
    return wet, total, deepest


def depth_layer(heights: Centimetres, hazard: Hazard, stage: int, out: Centimetres) -> Statistics:
    """One layer's pixels into `out` and what they hold."""
    return Statistics(*fill_depth(heights, stage, PERILS[hazard.peril].cap, out))


def _tiles_of(preset: Preset, peril: str) -> list[str]:
    hazards = [hazard for hazard in preset.hazards if hazard.peril == peril]
    return sorted({tile for hazard in hazards for tile in hazard.tiles})


def _stage_curve(terrain: Terrain, peril: str, tiles: list[str]) -> StageCurve:
    """Quantiles of the undefended height over the land, and the scale of its depths."""
    samples = []
    for tile in tiles:
        ground = tile_ground(terrain, tile, CALIBRATION_SIZE)
        samples.append(_heights(terrain, peril, ground)[ground.land & ~ground.water])
    ordered = np.sort(np.concatenate(samples))
    declared = PERILS[peril]
    shares = declared.wet_share * np.geomspace(0.1, 3.0, CURVE_SHARES)
    heights_at = np.quantile(ordered, shares)
    today = float(np.interp(declared.wet_share, shares, heights_at))
    mean = float((today - ordered[ordered <= today]).mean())
    scale = (declared.mean_depth - SMALLEST_DEPTH) / mean
    return StageCurve(tuple(shares.tolist()), tuple(heights_at.tolist()), scale)


def _heights(terrain: Terrain, peril: str, ground: Ground) -> Grid:
    """Metres above the water's way, or for the sea nodes inland: the scale makes up for it."""
    if peril == "coastal":
        heights = bilinear(terrain.shore, ground.window)
    elif peril == "fluvial":
        heights = _above_channels(terrain.rivers, ground.window, ground.river)
    else:
        stream = bank_distance(terrain.streams, ground.window)
        heights = _above_channels(terrain.streams, ground.window, stream)
    _roughen(heights, ground.west, ground.north, *ROUGHNESS[peril], terrain.seed)
    return heights


def _above_channels(network: Network, window: Window, bank: Grid) -> Grid:
    """Metres above the nearest channel: a flat valley floor, then the slopes."""
    rise: Grid = np.square(np.clip(bank / np.float32(REACH), 0, 1))
    return bilinear(network.hand, window) * rise


@kernel
def _roughen(
    heights: Grid, west: float, north: float, metres: float, features: float, seed: int
) -> None:
    size = heights.shape[0]
    for row in range(size):
        y = (north - (row + 0.5) / size) * features
        for col in range(size):
            x = (west + (col + 0.5) / size) * features
            heights[row, col] += np.float32(metres * fractal_noise(x, y, seed + 101, 3, 0.5))


@kernel
def _defend(heights: Grid, west: float, north: float, defence: float, seed: int) -> None:
    """Raises the places that are defended, by at most `defence` centimetres."""
    size = heights.shape[0]
    for row in range(size):
        y = (north - (row + 0.5) / size) * 6.0
        for col in range(size):
            x = (west + (col + 0.5) / size) * 6.0
            protected = min(max(3.0 * gradient_noise(x, y, seed + 211), 0.0), 1.0)
            heights[row, col] += np.float32(defence * protected)
