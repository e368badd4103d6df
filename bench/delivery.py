"""Flood-like source tiles for the benchmarks: seeded, so that each run measures the same data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.transform import from_origin

RETURN_PERIODS = (5, 10, 20, 50, 100, 200, 500, 1000)
WET_SHARES = (0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.105)
NODATA, WATER = -32768, -32767


def tile_path(folder: Path, row: int, column: int, return_period: int) -> Path:
    return folder / f"r{row}c{column}_1in{return_period}.tif"


def make(folder: Path, *, size: int = 3600, rows: int = 2, columns: int = 3) -> None:
    """Write int16 centimetre tiles of one degree, DEFLATE in 256-pixel blocks, 3-10 % wet."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in range(rows):
        for column in range(columns):
            height = _height_above_drainage(size, seed=row * columns + column)
            transform = from_origin(28 + column, -1 - row, 1 / size, 1 / size)
            for period, share in zip(RETURN_PERIODS, WET_SHARES, strict=True):
                depth = _depth(height, share)
                if column == 0:
                    depth[:, : size // 8] = NODATA
                depth[size // 2 : size // 2 + size // 90, size // 3 : size // 2] = WATER
                _write(tile_path(folder, row, column, period), depth, transform)


def _depth(height: npt.NDArray[np.float32], share: float) -> npt.NDArray[np.int16]:
    stage = np.quantile(height[::7, ::7], share)
    depth = np.clip(stage - height, 0, 100)
    depth[depth < 0.05] = 0
    return np.round(depth * 100).astype(np.int16)


def _height_above_drainage(size: int, seed: int) -> npt.NDArray[np.float32]:
    """Metres above the nearest channel: the zero lines of smooth noise, on rough ground."""
    rivers = _noise(size, seed * 5 + 1, 0, 1 / 300, 3.2)
    rivers += 0.05 * _noise(size, seed * 5 + 2, 1 / 300, 1 / 12, 2.6)
    ground = 0.6 * _noise(size, seed * 5 + 3, 0, 0.5, 2.4)
    hills = np.clip(_noise(size, seed * 5 + 4, 0, 1 / 500, 3.0) - 0.15, 0, None)
    grain = np.random.default_rng(seed * 5 + 5).standard_normal((size, size), dtype=np.float32)
    return (22 * np.abs(rivers) + ground + 14 * hills + 0.06 * grain).astype(np.float32)


def _noise(size: int, seed: int, low: float, high: float, slope: float) -> npt.NDArray[np.float32]:
    """Noise of power spectrum k^-slope between two frequencies in cycles a pixel, variance one."""
    white = np.random.default_rng(seed).standard_normal((size, size), dtype=np.float32)
    spectrum = np.fft.rfft2(white)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequency[0, 0] = 1
    spectrum *= np.where((frequency < low) | (frequency > high), 0, frequency ** (-slope / 2))
    field = np.fft.irfft2(spectrum, s=(size, size)).astype(np.float32)
    return field / field.std()


def _write(path: Path, depth: npt.NDArray[np.int16], transform: rasterio.Affine) -> None:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=depth.shape[1],
        height=depth.shape[0],
        count=1,
        dtype="int16",
        crs="EPSG:4326",
        transform=transform,
        nodata=NODATA,
        compress="deflate",
        predictor=2,
        tiled=True,
        blockxsize=256,
        blockysize=256,
    ) as dataset:
        dataset.write(depth, 1)
