"""Where people build in a preset's region: towns, the roads between them, and the land besides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from thalweg.synth.presets import Preset, corner

type Floats = NDArray[np.float64]

TOWNS = 60
TOWN_SHARE, ROAD_SHARE = 0.68, 0.25  # the rest stands alone
LARGEST_TOWN = 0.045  # degrees: the standard deviation of its buildings
ROADSIDE = 0.0012
BEND = 0.02


@dataclass(frozen=True)
class Settlements:
    """`towns` and the ends of `roads` in degrees, [n, 2] and [n, 2, 2]; `weights` add up to 1."""

    land: BaseGeometry
    towns: Floats
    weights: Floats
    roads: Floats

    def places(self, count: int, random: np.random.Generator) -> Floats:
        """So many places on land, [count, 2] in degrees."""
        found = [np.empty((0, 2))]
        while (lacking := count - sum(map(len, found))) > 0:
            drawn = self._drawn(int(lacking * 1.2) + 16, random)
            found.append(drawn[shapely.contains_xy(self.land, drawn)][:lacking])
        return np.concatenate(found)

    def _drawn(self, count: int, random: np.random.Generator) -> Floats:
        in_towns, on_roads = (int(count * share) for share in (TOWN_SHARE, ROAD_SHARE))
        west, south, east, north = self.land.bounds
        town = random.choice(len(self.towns), in_towns, p=self.weights)
        spread = LARGEST_TOWN * np.sqrt(self.weights[town] / self.weights[0])
        road = self.roads[random.choice(len(self.roads), on_roads)]
        along = random.random((on_roads, 1))
        bend = BEND * np.sin(along * 3 * np.pi) * np.array([1.0, -1.0])
        places = np.concatenate(
            [
                self.towns[town] + random.standard_normal((in_towns, 2)) * spread[:, None],
                road[:, 0]
                + along * (road[:, 1] - road[:, 0])
                + bend
                + random.standard_normal((on_roads, 2)) * ROADSIDE,
                random.uniform((west, south), (east, north), (count - in_towns - on_roads, 2)),
            ]
        )
        # What is left out at the end must not be of one kind.
        return places[random.permutation(count)]


def settle(preset: Preset, seed: int) -> Settlements:
    """The settlements of a preset; the same for the same seed."""
    random = np.random.default_rng([seed, 0])
    tiles = shapely.union_all(
        [shapely.box(at.lon, at.lat, at.lon + 1, at.lat + 1) for at in map(corner, preset.tiles)]
    )
    land = shapely.intersection(tiles, shapely.Polygon(preset.land))
    shapely.prepare(land)
    west, south, east, north = land.bounds
    drawn = random.uniform((west, south), (east, north), (TOWNS * 50, 2))
    towns = drawn[shapely.contains_xy(land, drawn)][:TOWNS]
    weights = 1 / np.arange(1, len(towns) + 1)
    return Settlements(land, towns, weights / weights.sum(), _roads(towns))


def _roads(towns: Floats) -> Floats:
    """A road from each town to the nearest of the larger ones."""
    ends = []
    for index in range(1, len(towns)):
        away = np.hypot(*(towns[:index] - towns[index]).T)
        ends.append((towns[index], towns[np.argmin(away)]))
    return np.array(ends)
