"""`thalweg doctor`: what is installed, how the workspace is, and how to mend what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from thalweg.cli.options import DEFAULT_WORKSPACE, JsonOption, SourceOption, WorkspaceOption
from thalweg.errors import ThalwegError

if TYPE_CHECKING:
    from thalweg.pipelines.workspace import Workspace
    from thalweg.settings import Settings

EXAMPLES = """
Examples:

  thalweg doctor

  thalweg doctor --workspace demo --source s3://bucket/floods --json

Exit code 1 says that something is wrong.
"""
PACKAGES = (
    "thalweg",
    "rasterio",
    "numpy",
    "numba",
    "imagecodecs",
    "obstore",
    "dbos",
    "sqlalchemy",
    "pystac",
    "rio-cogeo",
    "stac-geoparquet",
)


_UNUSED = {"bronze": "is not set: runs need --source", "silver": "is made by the first run"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `mend` says what to do where it is wrong."""

    what: str
    said: str
    sound: bool = True
    mend: str = ""


def doctor(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    source: SourceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is installed, how the workspace is, and how to mend what is wrong."""
    findings = [*_installed(), *_outlines(), *_machine(), *_workspace(workspace, source)]
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print(findings)
    raise typer.Exit(0 if all(finding.sound for finding in findings) else 1)


def _print(findings: list[Finding]) -> None:
    from thalweg.cli.report import print_table, table

    rows = table("", "", "")
    rows.show_header = False
    for finding in findings:
        rows.add_row("ok" if finding.sound else "WRONG", finding.what, finding.said)
        if finding.mend:
            rows.add_row("", "", f"-> {finding.mend}")
    print_table(rows)


def _installed() -> Iterator[Finding]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    import rasterio

    yield Finding("Python", platform.python_version())
    for package in PACKAGES:
        try:
            yield Finding(package, version(package))
        except PackageNotFoundError:
            yield Finding(package, "not installed", sound=False, mend="run script/bootstrap")
    yield Finding("GDAL", str(rasterio.__gdal_version__))


def _outlines() -> Iterator[Finding]:
    from thalweg.hexagons.outlines import SCALES, outlines_file

    here = [scale for scale in SCALES if outlines_file(scale).exists()]
    missing = (
        "are not here: hexagons have no country codes (script/bootstrap, with npm, makes them)"
    )
    scales = " and ".join(f"1:{scale.removesuffix('m')} million" for scale in here)
    yield Finding("country outlines", scales or missing)


def _machine() -> Iterator[Finding]:
    from thalweg.jobs.machine import memory_limit, processors

    yield Finding("processors", str(processors()))
    yield Finding("memory for tasks", f"{memory_limit() / 1e9:.1f} GB")


def _workspace(folder: Path, source: str | None) -> Iterator[Finding]:
    from thalweg.pipelines.workspace import Workspace, is_workspace

    try:
        workspace, settings = Workspace.at(folder, source=source)
    except ThalwegError as error:
        yield _fault("workspace", error)
        return
    made = is_workspace(folder)
    yield Finding(
        "workspace", f"{folder}" + ("" if made else " is none yet: the first run makes it")
    )
    yield from _settings(settings)
    for check in (_catalog, _runs, _zones, _disk) if made else (_zones,):
        yield from _guarded(check, workspace)


def _guarded(
    check: Callable[[Workspace], Iterator[Finding]], workspace: Workspace
) -> Iterator[Finding]:
    try:
        yield from check(workspace)
    except ThalwegError as error:
        yield _fault(check.__name__.strip("_"), error)


def _fault(what: str, error: ThalwegError) -> Finding:
    return Finding(what, f"{error.where} {error.message}".strip(), sound=False, mend=error.hint)


def _settings(settings: Settings) -> Iterator[Finding]:
    for group, values in settings.model_dump(exclude_unset=True).items():
        for name, value in values.items():
            yield Finding(f"setting {group}.{name}", str(value))


def _catalog(workspace: Workspace) -> Iterator[Finding]:
    with workspace.catalog() as catalog:
        collections = catalog.collections()
        artifacts = sum(1 for _ in catalog.artifacts())
    yield Finding("catalogue", f"{len(collections)} collections, {artifacts} artifacts")


def _runs(workspace: Workspace) -> Iterator[Finding]:
    from thalweg.jobs.engine import open_runs

    with open_runs(workspace.jobs_folder) as record:
        runs = record.runs()
    unfinished = [run for run in runs if not run.ended]
    yield Finding("runs", f"{len(runs)} recorded, {len(unfinished)} unfinished")
    for run in unfinished:
        yield Finding(
            f"run {run.id}",
            f"{run.name}, {run.state}",
            mend="the command that began it goes on with it; `thalweg runs cancel` gives it up",
        )


def _zones(workspace: Workspace) -> Iterator[Finding]:
    for name in workspace.zone_urls:
        if _is_unused(workspace, name):
            yield Finding(f"zone {name}", _UNUSED[name])
            continue
        try:
            first = next(workspace.zone(name).list(), None)
        except ThalwegError as error:
            yield _fault(f"zone {name}", error)
            continue
        holds = "holds data" if first else "is empty"
        yield Finding(f"zone {name}", f"{workspace.zone_urls[name]} {holds}")


def _is_unused(workspace: Workspace, zone: str) -> bool:
    """Whether the zone is in its default place, and nobody put anything there."""
    folder = workspace.zone(zone).folder
    return folder == workspace.folder / zone and not folder.exists()


def _disk(workspace: Workspace) -> Iterator[Finding]:
    import shutil

    free = shutil.disk_usage(workspace.folder).free
    yield Finding(
        "free disk",
        f"{free / 1e9:.1f} GB",
        sound=free > 1e9,
        mend="" if free > 1e9 else "free some space",
    )
