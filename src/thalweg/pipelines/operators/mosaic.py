"""The operator `mosaic`: the tiles of a grid cell become one COG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from thalweg.catalog.ledger import Input
from thalweg.domain.coordinates import Coordinates
from thalweg.errors import ArtifactNotFound
from thalweg.jobs.tasks import Document, Missing
from thalweg.pipelines.choice import cell_of
from thalweg.pipelines.plan import Planned, Situation, StepPlan
from thalweg.pipelines.raster_plans import planned_raster
from thalweg.pipelines.schema import PixelsModel
from thalweg.pipelines.steps import MosaicStep
from thalweg.pipelines.workspace import Workspace

if TYPE_CHECKING:
    from thalweg.raster.made import Made

MEMORY = 700 << 20


class Mosaic:
    """Merges the tiles of each cell of which no tile is missing; the others are named and left."""

    version = 1

    def plan(
        self, step: MosaicStep, situation: Situation, before: Mapping[str, StepPlan]
    ) -> StepPlan:
        dimensions = situation.pipeline.domain_dimensions
        cells: dict[Coordinates, list[Planned]] = defaultdict(list)
        for tile in before[step.of].planned:
            cells[cell_of(tile.coordinates, step)].append(tile)
        zone = getattr(before[step.of].step, "zone", "")
        return StepPlan(
            step,
            tuple(
                self._planned(step, coordinates, cells[coordinates], zone, situation)
                for coordinates in sorted(cells, key=dimensions.sort_key)
            ),
        )

    def _planned(
        self,
        step: MosaicStep,
        coordinates: Coordinates,
        tiles: Sequence[Planned],
        zone: str,
        situation: Situation,
    ) -> Planned:
        reached = any(
            situation.choice.reaches(situation.pipeline, one)
            for one in (coordinates, *(tile.coordinates for tile in tiles))
        )
        lacking = [
            tile
            for tile in tiles
            if not tile.done and (tile.obstacles or tile.deferred or not situation.rehearsal)
        ]
        obstacles = tuple(_obstacles(lacking, step))
        if obstacles:
            return Planned(coordinates, obstacles=obstacles, deferred=not reached)
        inputs = tuple(Input(zone, tile.key, tile.fingerprint) for tile in tiles)
        return planned_raster(
            step,
            self.version,
            situation,
            coordinates,
            inputs,
            {},
            deferred=not reached,
            memory=MEMORY,
            size=sum(tile.size for tile in tiles),
        )

    def run(self, payload: Document, workspace: Workspace) -> Document:
        from thalweg.pipelines.making import make_raster

        return make_raster(
            payload,
            workspace,
            self.version,
            lambda path: _write(payload, workspace, path),
            tiles=_local_tiles(payload, workspace),
        )


def _local_tiles(payload: Document, workspace: Workspace) -> list[Path] | None:
    """The files of the tiles, or None where they are not on this machine."""
    folders = {zone: workspace.zone(zone).folder for zone, _, _ in payload["inputs"]}
    if None in folders.values():
        return None
    return [Path(workspace.zone(zone).href(key)) for zone, key, _ in payload["inputs"]]


def _write(payload: Document, workspace: Workspace, path: Path) -> Made:
    from thalweg.raster.layout import Layout
    from thalweg.raster.made import Made
    from thalweg.raster.mosaic import Tile, mosaic
    from thalweg.raster.overviews import Resampling

    tiles = []
    with workspace.catalog() as catalog:
        for zone, key, _ in payload["inputs"]:
            artifact = catalog.find(zone, key)
            if artifact is None:
                raise ArtifactNotFound(where=f"{zone}:{key}", hint="run again")
            facts = Made.from_json(artifact.facts)
            tiles.append(Tile(workspace.zone(zone).gdal_path(key), key, facts.bands))
    return mosaic(
        tiles,
        path,
        rules=PixelsModel(**payload["pixels"]).domain().made(),
        layout=Layout(payload["layout"]),
        resampling=Resampling(payload["resampling"]),
    )


def _obstacles(lacking: Sequence[Planned], step: MosaicStep) -> Iterator[Missing]:
    """Why a cell cannot be made: tiles that lack files, and tiles that failed."""
    incomplete = [tile.id for tile in lacking if tile.obstacles]
    if incomplete:
        says = "is incomplete" if len(incomplete) == 1 else "are incomplete"
        reason = f"its {step.of} {', '.join(incomplete)} {says}"
        yield Missing(incomplete[0], reason, "see what is missing there")
    failed = [tile.id for tile in lacking if not tile.obstacles]
    if failed:
        says = "was not made" if len(failed) == 1 else "were not made"
        yield Missing(failed[0], f"its {step.of} {', '.join(failed)} {says}", "see why")
