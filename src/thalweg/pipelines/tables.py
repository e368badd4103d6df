"""Where the hexagon tables of a workspace lie, and what was left out of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from thalweg.catalog.ledger import Artifact, Catalog, Ref
from thalweg.errors import NoTables, SettingsError
from thalweg.jobs.tasks import Document
from thalweg.pipelines.fields import BUILDINGS, H3_RESOLUTION, TABLE
from thalweg.pipelines.workspace import Workspace


@dataclass(frozen=True)
class Tables:
    """The current tables, as the ledger knows them: older ones stay in their folder.

    `cells` are all tables of H3 cells; `exposed` those of them that tell exposure, `areas` such
    tables by area. `refs` are their zones and keys.
    """

    cells: tuple[Path, ...]
    exposed: tuple[Path, ...]
    areas: tuple[Path, ...]
    refs: Mapping[Path, Ref]


def tables_of(workspace: Workspace, catalog: Catalog) -> Tables:
    """The tables of a workspace; raises `SettingsError` where they lie in an object store."""
    made = [one for one in catalog.artifacts(whole=False) if _is_of_cells(one) or _is_of_areas(one)]
    refs = dict(zip(_paths(workspace, made), (one.ref for one in made), strict=True))
    found = dict(zip(refs, made, strict=True))
    return Tables(
        tuple(path for path, one in found.items() if _is_of_cells(one)),
        tuple(path for path, one in found.items() if _is_of_cells(one) and _is_exposure(one)),
        tuple(path for path, one in found.items() if _is_of_areas(one)),
        refs,
    )


def hexagon_tables(workspace: Workspace) -> list[Path]:
    """The current tables of H3 cells; raises `NoTables`, and what `tables_of` raises."""
    with workspace.catalog() as catalog:
        found = tables_of(workspace, catalog).cells
    if not found:
        raise NoTables(
            hint="run a pipeline that has a step `hexagons`", where=str(workspace.folder)
        )
    return list(found)


def exposure_tables(workspace: Workspace) -> tuple[list[Path], list[Path]]:
    """The current tables of exposure by H3 cell, and those by area; raises as `hexagon_tables`."""
    with workspace.catalog() as catalog:
        found = tables_of(workspace, catalog)
    if not found.exposed:
        raise NoTables(
            "there is no table of exposure",
            hint="run a pipeline that has a step `exposure`",
            where=str(workspace.folder),
        )
    return list(found.exposed), list(found.areas)


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


def _is_exposure(artifact: Artifact) -> bool:
    return artifact.operator == "exposure"


def _is_of_areas(artifact: Artifact) -> bool:
    return _is_exposure(artifact) and artifact.coordinates.get(TABLE, BUILDINGS) != BUILDINGS


def _is_of_cells(artifact: Artifact) -> bool:
    by_cell = _is_exposure(artifact) and H3_RESOLUTION in artifact.coordinates
    return by_cell or artifact.operator.startswith("hexagons")


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
