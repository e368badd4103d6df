"""Where the hexagon tables of a workspace lie, and what was left out of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from thalweg.catalog.ledger import Artifact
from thalweg.errors import NoTables, SettingsError
from thalweg.jobs.tasks import Document
from thalweg.pipelines.fields import BUILDINGS, H3_RESOLUTION, TABLE
from thalweg.pipelines.workspace import Workspace


def hexagon_tables(workspace: Workspace) -> list[Path]:
    """The current tables, as the ledger knows them: older ones stay in their folder.

    Raises `NoTables`, and `SettingsError` where they lie in an object store.
    """
    with workspace.catalog() as catalog:
        made = [one for one in catalog.artifacts(whole=False) if _is_of_cells(one)]
    if not made:
        raise NoTables(
            hint="run a pipeline that has a step `hexagons`", where=str(workspace.folder)
        )
    return _paths(workspace, made)


def exposure_tables(workspace: Workspace) -> tuple[list[Path], list[Path]]:
    """The current tables of exposure by H3 cell, and those by area; raises as `hexagon_tables`."""
    with workspace.catalog() as catalog:
        made = [one for one in catalog.artifacts(whole=False) if one.operator == "exposure"]
    cells = [one for one in made if _is_of_cells(one)]
    areas = [one for one in made if one.coordinates.get(TABLE, BUILDINGS) != BUILDINGS]
    if not cells:
        raise NoTables(
            "there is no table of exposure",
            hint="run a pipeline that has a step `exposure`",
            where=str(workspace.folder),
        )
    return _paths(workspace, cells), _paths(workspace, areas)


def _paths(workspace: Workspace, made: Iterable[Artifact]) -> list[Path]:
    refs = [one.ref for one in made]
    for zone in sorted({ref.zone for ref in refs}):
        if workspace.zone(zone).folder is None:
            raise SettingsError(
                "hexagon tables are read from a folder so far",
                hint=f"copy them here, and set THALWEG_ZONES__{zone.upper()} to that folder",
                where=workspace.zone_urls[zone],
            )
    return [Path(workspace.zone(zone).href(key)) for zone, key in refs]


def _is_of_cells(artifact: Artifact) -> bool:
    is_exposure = artifact.operator == "exposure" and H3_RESOLUTION in artifact.coordinates
    return is_exposure or artifact.operator.startswith("hexagons")


def reported_rows(workspace: Workspace) -> dict[str, Document]:
    """What was wrong with rows of vector files, by pipeline and step, as `Faults.to_json` has it.

    Raises `NoTables`.
    """
    with workspace.catalog() as catalog:
        reports = {
            f"{one.pipeline}/{one.kind}": one.facts["faults"]
            for one in catalog.artifacts()
            if one.operator == "hexagons_vector"
        }
    if not reports:
        raise NoTables(
            "there is no table of vector files",
            hint="run a pipeline that has a step `hexagons_vector`",
            where=str(workspace.folder),
        )
    return reports
