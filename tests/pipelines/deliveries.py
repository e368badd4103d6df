"""Small deliveries of real GeoTIFFs, and the chain run on them in this process.

The engine has tests of its own; here a stage is planned and its tasks are run one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

from thalweg.domain.tiles import Tile
from thalweg.errors import ThalwegError
from thalweg.jobs.tasks import StagePlan
from thalweg.pipelines.choice import Choice, choose
from thalweg.pipelines.loader import find, load
from thalweg.pipelines.runner import plan_stages, prepare, run_request, run_task
from thalweg.pipelines.schema import Pipeline
from thalweg.pipelines.workspace import Workspace

SIZE = 48
PERIODS = (5, 10, 20, 50, 100, 200, 500, 1000)
NODATA, WATER = -32768, -32767


def rasters_of_fathom() -> str:
    """The built-in pipeline without the steps that it leaves out unless asked for."""
    return find("fathom").read_text().partition("  - {operator: hexagons")[0]


def depth(seed: int, period: int, size: int = SIZE) -> NDArray[np.int16]:
    """Depths in centimetres, deeper with longer return periods, with both special values."""
    ground = np.random.default_rng(seed).integers(-400, 60, (size, size))
    made = np.maximum(ground + 40 * np.log2(period), 0).astype(np.int16)
    made[0, :] = NODATA
    made[1, :3] = WATER
    return made


def write_tif(
    path: Path,
    pixels: NDArray[Any],
    *,
    west: float,
    north: float,
    pixel: float,
    crs: str = "EPSG:4326",
    nodata: float | None = NODATA,
    unit: str | None = None,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = pixels.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=height,
        width=width,
        count=1,
        dtype=pixels.dtype,
        crs=crs,
        nodata=nodata,
        transform=from_origin(west, north, pixel, pixel),
        compress="deflate",
    ) as dataset:
        dataset.write(pixels, 1)
        if unit:
            dataset.set_band_unit(1, unit)
    return path


@dataclass
class Delivery:
    """Files in the folders and names of `fathom`, on a grid shifted by half a pixel."""

    folder: Path
    region: str = "rwa"

    def path(
        self, tile: str, period: int, hazard: str = "FLUVIAL_DEFENDED", epoch: str = "2020"
    ) -> Path:
        year, _, scenario = epoch.partition("/")
        name = f"1in{period}-{hazard.replace('_', '-')}-{year}{'-' if scenario else ''}{scenario}"
        return self.folder / self.region / hazard / epoch / f"1in{period}" / f"{name}_{tile}.tif"

    def add(
        self,
        tiles: Iterable[str],
        hazards: Iterable[str] = ("FLUVIAL_DEFENDED",),
        epochs: Iterable[str] = ("2020",),
        periods: Sequence[int] = PERIODS,
        size: int = SIZE,
    ) -> Delivery:
        for number, (tile, hazard, epoch) in enumerate(product(tiles, hazards, epochs)):
            for period in periods:
                self.write(tile, period, depth(number, period, size), hazard=hazard, epoch=epoch)
        return self

    def write(
        self,
        tile: str,
        period: int,
        pixels: NDArray[Any],
        *,
        hazard: str = "FLUVIAL_DEFENDED",
        epoch: str = "2020",
        **options: Any,
    ) -> Path:
        corner = Tile.parse(tile)
        pixel = 1 / pixels.shape[0]
        placed = {
            "west": corner.west - pixel / 2,
            "north": corner.south + 1 + pixel / 2,
            "pixel": pixel,
            **options,
        }
        return write_tif(self.path(tile, period, hazard, epoch), pixels, **placed)


@dataclass
class Outcome:
    """What each stage did, by its name."""

    made: dict[str, list[str]] = field(default_factory=dict)
    already: dict[str, int] = field(default_factory=dict)
    missing: dict[str, dict[str, str]] = field(default_factory=dict)
    failed: dict[str, ThalwegError] = field(default_factory=dict)
    results: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return not self.failed and not any(self.missing.values())


@dataclass
class Chain:
    """A pipeline in a workspace, on a delivery."""

    folder: Path
    source: Path
    pipeline: str = "fathom"

    @property
    def workspace(self) -> Workspace:
        return Workspace.open(self.folder, source=str(self.source))[0]

    def chosen(self, *settings: str) -> tuple[Pipeline, Choice]:
        return choose(load(find(self.pipeline)), settings)

    def run(self, *settings: str, **limits: Any) -> Outcome:
        from dataclasses import replace

        pipeline, choice = self.chosen(*settings)
        prepare(pipeline, self.workspace)
        request = run_request(pipeline, replace(choice, **limits), self.workspace)
        outcome = Outcome()
        for stage in request.stages:
            plan = StagePlan.from_json(plan_stages(request.payload, stage)[0])
            outcome.made[stage] = []
            outcome.already[stage] = plan.already
            outcome.missing[stage] = {lost.key: lost.reason for lost in plan.missing}
            outcome.results[stage] = []
            for task in plan.tasks:
                try:
                    result = run_task({**task.payload, "run": "test"})
                except ThalwegError as error:
                    outcome.failed[task.key] = error
                else:
                    outcome.made[stage].append(task.key)
                    outcome.results[stage].append(result)
        return outcome

    def silver(self) -> dict[str, bytes]:
        """Every published object by key."""
        root = self.folder / "silver"
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    def items(self, collection: str = "fathom-flood-depth") -> dict[str, Any]:
        with self.workspace.catalog() as catalog:
            return {item["id"]: item for item in catalog.items(collection)}
