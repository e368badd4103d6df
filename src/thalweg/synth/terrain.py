"""A fractal landscape with drainage, made once for a region and sampled at any pixel size.

The landscape is a lattice of nodes `CELL` degrees apart. Its valleys come from the routing of
water: a priority flood from the outlets (R. Barnes, C. Lehman, D. Mulla, "Priority-flood",
Computers & Geosciences 62, 2014) gives each node the neighbour that it drains to, and with it the
catchment area, the rivers and the height above the nearest drainage (HAND; A. D. Nobre et al.,
Journal of Hydrology 404, 2011).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import rasterio.features
from affine import Affine
from numpy.typing import NDArray

from thalweg.synth.noise import fractal_noise, gradient_noise, kernel, lattice_hash
from thalweg.synth.presets import Preset, corner

CELL = 1 / 240  # degrees between nodes
MARGIN = 0.25  # degrees around the tiles, so that rivers do not begin at their edge

RELIEF = 900.0  # metres between typical high and low ground
COAST = 11.0  # nodes between its bays and headlands
RISE_INLAND = 1.5  # metres a node, away from the sea
LEAST_FALL = 0.6  # metres a node: even a plain drains, so that its rivers have a course
LAKE_SHARE = 0.012
REACH = 1.6  # nodes over which a valley rises from its river to the land around

MEANDER = 0.9  # nodes
MEANDERS_PER_NODE = 0.19
FARTHEST = 1.4 * MEANDER  # no displacement is longer, along either axis

Grid = NDArray[np.float32]


class Network(NamedTuple):
    """Channels of at least some catchment area.

    `hand`: metres above the nearest channel, by node. `links`: (5, n) of row, column (from), row,
    column (to), half the channel's width; all in nodes.
    """

    hand: Grid
    links: NDArray[np.float32]


@dataclass(frozen=True)
class Terrain:
    """A region's landscape; every grid has its node (0, 0) at (`west`, `north`).

    `shore`: nodes to the edge of the land, negative outside it. `lake`: metres of standing water.
    """

    west: float
    north: float
    seed: int
    shore: Grid
    lake: Grid
    lake_level: float
    rivers: Network
    streams: Network


class Window(NamedTuple):
    """A tile's pixels in the landscape: row and column, in nodes, of each pixel's centre."""

    row: Grid
    col: Grid


def build_terrain(preset: Preset, seed: int) -> Terrain:
    """The landscape under all tiles of a preset; the same for the same seed."""
    corners = [corner(tile) for tile in preset.tiles]
    west = min(lon for lon, _ in corners) - MARGIN
    north = max(lat for _, lat in corners) + 1 + MARGIN
    rows = round((north - min(lat for _, lat in corners) + MARGIN) / CELL)
    cols = round((max(lon for lon, _ in corners) + 1 + MARGIN - west) / CELL)
    shore = _signed_distance(_land(preset, west, north, rows, cols))
    _indent(shore, west, north, seed)
    ground = _ground(west, north, shore, seed)
    level, order, drains_to = _priority_flood(ground, shore, seed)
    area = _catchment_area(order, drains_to)
    lake = level - ground
    return Terrain(
        west,
        north,
        seed,
        shore,
        lake,
        float(np.quantile(lake[shore > 0], 1 - LAKE_SHARE)),
        _network(level, order, drains_to, area, least=300, navigable=900),
        _network(level, order, drains_to, area, least=14, navigable=900),
    )


def tile_window(terrain: Terrain, west: float, north: float, size: int) -> Window:
    """Where the `size` x `size` pixels of a one-degree tile lie; its corner is in degrees.

    The pixels are displaced by smooth noise: what is straight in the landscape meanders.
    """
    window = Window(*np.empty((2, size, size), np.float32))
    down, right = (terrain.north - north) / CELL, (west - terrain.west) / CELL
    _displace(window.row, window.col, down, right, terrain.seed)
    return window


def bilinear(grid: Grid, window: Window) -> Grid:
    """`grid` at each pixel of the window."""
    out = np.empty_like(window.row)
    _interpolate(grid, window.row, window.col, out)
    return out


def bank_distance(network: Network, window: Window) -> Grid:
    """Nodes from each pixel to the nearest channel's bank, at most `REACH`; negative within."""
    out = np.full_like(window.row, REACH)
    row, col, width = network.links[0], network.links[1], network.links[4]
    slack = REACH + np.sqrt(2) + width.max(initial=0)
    near = (row > window.row.min() - slack) & (row < window.row.max() + slack)
    near &= (col > window.col.min() - slack) & (col < window.col.max() + slack)
    _draw_channels(network.links[:, near], window.row, window.col, out)
    return out


def _land(preset: Preset, west: float, north: float, rows: int, cols: int) -> NDArray[np.uint8]:
    ring = {"type": "Polygon", "coordinates": [[*preset.land, preset.land[0]]]}
    transform = Affine(CELL, 0, west - CELL / 2, 0, -CELL, north + CELL / 2)
    land: NDArray[np.uint8] = rasterio.features.rasterize(
        [(ring, 1)], out_shape=(rows, cols), transform=transform, dtype="uint8"
    )
    return land


def _signed_distance(land: NDArray[np.uint8]) -> Grid:
    return _chamfer(land == 1) - _chamfer(land == 0)


def _network(
    level: Grid,
    order: NDArray[np.int32],
    drains_to: NDArray[np.int32],
    area: NDArray[np.float32],
    *,
    least: float,
    navigable: float,
) -> Network:
    """Channels of at least `least` nodes of catchment; from `navigable` on they have a width."""
    channel = area >= least
    start = np.flatnonzero(channel & (drains_to >= 0))
    end = drains_to[start]
    width = 0.05 * np.maximum(area[start] / navigable, 0) ** 0.4
    width[area[start] < navigable] = 0
    cols = level.shape[1]
    links = np.stack([start // cols, start % cols, end // cols, end % cols, width])
    hand = _height_above_drainage(level.ravel(), order, drains_to, channel)
    return Network(hand.reshape(level.shape), links.astype(np.float32))


@kernel
def _indent(shore: Grid, west: float, north: float, seed: int) -> None:
    """Gives a straight edge of the land its bays and headlands."""
    for row in range(shore.shape[0]):
        for col in range(shore.shape[1]):
            x, y = west + col * CELL, north - row * CELL
            shore[row, col] += COAST * fractal_noise(x * 5.0, y * 5.0, seed + 31, 5, 0.5)


@kernel
def _ground(west: float, north: float, shore: Grid, seed: int) -> Grid:
    """Metres above the sea: fractal relief that sinks towards the edge of the land."""
    rows, cols = shore.shape
    out = np.empty((rows, cols), np.float32)
    for row in range(rows):
        for col in range(cols):
            x, y = west + col * CELL, north - row * CELL
            relief = fractal_noise(x * 1.3, y * 1.3, seed, 8, 0.52)
            out[row, col] = RELIEF * relief + RISE_INLAND * shore[row, col]
    return out


@kernel
def _chamfer(inside: NDArray[np.bool_]) -> Grid:
    """Distance to the nearest node that is not `inside`, in nodes, by two sweeps (3-4 chamfer)."""
    rows, cols = inside.shape
    out = np.where(inside, np.float32(1e6), np.float32(0))
    for row in range(rows):
        for col in range(cols):
            _relax(out, row, col, -1)
    for row in range(rows - 1, -1, -1):
        for col in range(cols - 1, -1, -1):
            _relax(out, row, col, 1)
    return out


@kernel
def _relax(out: Grid, row: int, col: int, step: int) -> None:
    rows, cols = out.shape
    nearest = out[row, col]
    if 0 <= col + step < cols:
        nearest = min(nearest, out[row, col + step] + np.float32(1))
    if 0 <= row + step < rows:
        for side in range(-1, 2):
            if 0 <= col + side < cols:
                length = np.float32(1) if side == 0 else np.float32(4 / 3)
                nearest = min(nearest, out[row + step, col + side] + length)
    out[row, col] = nearest


@kernel
def _priority_flood(
    ground: Grid, shore: Grid, seed: int
) -> tuple[Grid, NDArray[np.int32], NDArray[np.int32]]:
    """(level, order, drains_to): the drained surface, nodes from outlets upwards, and each one's
    receiver (-1 for an outlet). Outlets are the nodes off the land and on the lattice's edge.
    """
    rows, cols = ground.shape
    level = ground.copy()
    order = np.empty(rows * cols, np.int32)
    drains_to = np.full(rows * cols, -1, np.int32)
    seen = np.zeros(rows * cols, np.bool_)
    heap = [(np.float32(0), np.int32(0)) for _ in range(0)]
    for row in range(rows):
        for col in range(cols):
            edge = row in (0, rows - 1) or col in (0, cols - 1)
            if edge or shore[row, col] <= 0:
                seen[row * cols + col] = True
                heapq.heappush(heap, (level[row, col], np.int32(row * cols + col)))
    done = 0
    while heap:
        height, node = heapq.heappop(heap)
        order[done] = node
        done += 1
        row, col = node // cols, node % cols
        for down in range(max(row - 1, 0), min(row + 2, rows)):
            for right in range(max(col - 1, 0), min(col + 2, cols)):
                upstream = np.int32(down * cols + right)
                if seen[upstream]:
                    continue
                seen[upstream] = True
                drains_to[upstream] = node
                # An uneven fall keeps the courses over a plain from running in parallel.
                fall = LEAST_FALL * (lattice_hash(down, right, seed) & np.uint64(255)) / 128.0
                level[down, right] = max(level[down, right], height + np.float32(fall))
                heapq.heappush(heap, (level[down, right], upstream))
    return level, order, drains_to


@kernel
def _catchment_area(order: NDArray[np.int32], drains_to: NDArray[np.int32]) -> NDArray[np.float32]:
    """Nodes that drain through each node, itself included."""
    area = np.ones(order.size, np.float32)
    for node in order[::-1]:
        if drains_to[node] >= 0:
            area[drains_to[node]] += area[node]
    return area


@kernel
def _height_above_drainage(
    level: NDArray[np.float32],
    order: NDArray[np.int32],
    drains_to: NDArray[np.int32],
    channel: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Metres of each node above the channel or outlet that it drains to."""
    out = np.zeros(level.size, np.float32)
    for node in order:
        receiver = drains_to[node]
        if receiver >= 0 and not channel[node]:
            out[node] = out[receiver] + level[node] - level[receiver]
    return out


@kernel
def _displace(row: Grid, col: Grid, down: float, right: float, seed: int) -> None:
    """Fills in the place of each pixel, for a tile whose corner is node (`down`, `right`)."""
    size = row.shape[0]
    nodes = 1.0 / (CELL * size)
    for i in range(size):
        y = down + (i + 0.5) * nodes
        for j in range(size):
            x = right + (j + 0.5) * nodes
            u, v = x * MEANDERS_PER_NODE, y * MEANDERS_PER_NODE
            row[i, j] = y + MEANDER * (
                gradient_noise(u, v, seed + 11) + 0.4 * gradient_noise(3 * u, 3 * v, seed + 12)
            )
            col[i, j] = x + MEANDER * (
                gradient_noise(u, v, seed + 13) + 0.4 * gradient_noise(3 * u, 3 * v, seed + 14)
            )


@kernel
def _interpolate(grid: Grid, row: Grid, col: Grid, out: Grid) -> None:
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            top, left = int(row[i, j]), int(col[i, j])
            down, right = row[i, j] - top, col[i, j] - left
            upper = grid[top, left] * (1 - right) + grid[top, left + 1] * right
            lower = grid[top + 1, left] * (1 - right) + grid[top + 1, left + 1] * right
            out[i, j] = upper * (1 - down) + lower * down


@kernel
def _draw_channels(links: NDArray[np.float32], row: Grid, col: Grid, out: Grid) -> None:
    """Lowers `out` to the distance from each link's bank, around that link."""
    size = out.shape[0]
    pixels = size * CELL
    for link in range(links.shape[1]):
        r0, c0, r1, c1, width = links[:, link]
        # A pixel lies at most two displacements from where the first one's place would put it.
        slack = REACH + width + 2 * FARTHEST
        top = max(0, int((min(r0, r1) - row[0, 0] - slack) * pixels))
        bottom = min(size, int((max(r0, r1) - row[0, 0] + slack) * pixels) + 2)
        left = max(0, int((min(c0, c1) - col[0, 0] - slack) * pixels))
        right = min(size, int((max(c0, c1) - col[0, 0] + slack) * pixels) + 2)
        along_row, along_col = r1 - r0, c1 - c0
        scale = np.float32(1) / (along_row * along_row + along_col * along_col)
        for i in range(top, bottom):
            for j in range(left, right):
                down, across = row[i, j] - r0, col[i, j] - c0
                along = (down * along_row + across * along_col) * scale
                along = min(max(along, np.float32(0)), np.float32(1))
                down -= along * along_row
                across -= along * along_col
                out[i, j] = min(out[i, j], np.sqrt(down * down + across * across) - width)
