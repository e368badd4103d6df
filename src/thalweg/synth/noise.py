"""Fractal gradient noise as a pure function of longitude, latitude and seed.

Nothing is stored and nothing depends on a raster's extent, so neighbouring tiles meet without a
seam at any pixel size. Method: K. Perlin, "Improving Noise", SIGGRAPH 2002, with hashed gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import numba
import numpy as np


def kernel[F: Callable[..., object]](function: F) -> F:
    """`function` compiled to machine code, kept on disk for the next process."""
    return cast(F, numba.njit(cache=True, nogil=True)(function))


@kernel
def lattice_hash(ix: int, iy: int, seed: int) -> np.uint64:
    """64 well mixed bits for a lattice point (the finaliser of SplitMix64)."""
    h = np.uint64(ix) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h += np.uint64(iy) * np.uint64(0xC2B2AE3D27D4EB4F)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@kernel
def _slope_towards(ix: int, iy: int, seed: int, dx: float, dy: float) -> float:
    h = lattice_hash(ix, iy, seed)
    gx = float(h & np.uint64(0xFFFF)) / 32767.5 - 1.0
    gy = float((h >> np.uint64(16)) & np.uint64(0xFFFF)) / 32767.5 - 1.0
    return gx * dx + gy * dy


@kernel
def gradient_noise(x: float, y: float, seed: int) -> float:
    """Smooth noise in -1..1 with features one unit wide and mean 0."""
    ix, iy = math.floor(x), math.floor(y)
    dx, dy = x - ix, y - iy
    sx = dx * dx * dx * (dx * (dx * 6.0 - 15.0) + 10.0)
    sy = dy * dy * dy * (dy * (dy * 6.0 - 15.0) + 10.0)
    south: float = _slope_towards(ix, iy, seed, dx, dy) * (1.0 - sx)
    south += _slope_towards(ix + 1, iy, seed, dx - 1.0, dy) * sx
    north: float = _slope_towards(ix, iy + 1, seed, dx, dy - 1.0) * (1.0 - sx)
    north += _slope_towards(ix + 1, iy + 1, seed, dx - 1.0, dy - 1.0) * sx
    return south * (1.0 - sy) + north * sy


@kernel
def fractal_noise(x: float, y: float, seed: int, octaves: int, gain: float) -> float:
    """Sum of `octaves` noises, each half as wide and `gain` times as high as the one before."""
    total, height, frequency = 0.0, 1.0, 1.0
    for octave in range(octaves):
        # Gradient noise is zero on its lattice: the shift keeps the octaves' zeros apart.
        shift = 0.37 * octave
        total += height * gradient_noise(
            x * frequency + shift, y * frequency + shift, seed + octave * 7919
        )
        height *= gain
        frequency *= 2.0
    return total
