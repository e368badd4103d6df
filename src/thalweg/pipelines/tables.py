"""Where the hexagon tables of a workspace lie, and what was left out of them."""

from __future__ import annotations

from pathlib import Path

from thalweg.errors import NoTables, SettingsError
from thalweg.jobs.tasks import Document
from thalweg.pipelines.workspace import Workspace


def hexagon_tables(workspace: Workspace) -> list[Path]:
    """The current tables, as the ledger knows them: older ones stay in their folder.

    Raises `NoTables`, and `SettingsError` where they lie in an object store.
    """
    with workspace.catalog() as catalog:
        made = catalog.artifacts(whole=False)
        refs = [one.ref for one in made if one.operator.startswith("hexagons")]
    if not refs:
        raise NoTables(
            hint="run a pipeline that has a step `hexagons`", where=str(workspace.folder)
        )
    for zone in sorted({ref.zone for ref in refs}):
        if workspace.zone(zone).folder is None:
            raise SettingsError(
                "hexagon tables are read from a folder so far",
                hint=f"copy them here, and set THALWEG_ZONES__{zone.upper()} to that folder",
                where=workspace.zone_urls[zone],
            )
    return [Path(workspace.zone(zone).href(key)) for zone, key in refs]


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
