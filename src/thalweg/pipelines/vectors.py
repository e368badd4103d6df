"""The vector files of a delivery: those that steps name by path or glob."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import PurePosixPath

from thalweg.pipelines.schema import Pipeline
from thalweg.pipelines.steps import FilesStep
from thalweg.storage.folders import StoredObject
from thalweg.storage.zones import Zone

SIDECARS = (".shx", ".dbf", ".prj", ".cpg")


def vector_files(
    pipeline: Pipeline, zone: Zone, prefix: str
) -> dict[str, tuple[StoredObject, ...]]:
    """The files of each step that reads some, sorted by key; of a Shapefile all its parts."""
    return {
        step.name: tuple(_all_found(step.patterns, zone, prefix))
        for step in pipeline.steps
        if isinstance(step, FilesStep)
    }


def matching(files: Iterable[StoredObject], pattern: str, prefix: str) -> tuple[StoredObject, ...]:
    """Those of a step's files that one of its patterns names."""
    wanted = _anchored(PurePosixPath(prefix, pattern))
    return tuple(one for one in files if _is_one_of(one, wanted))


def main_files(keys: list[str]) -> list[str]:
    """The files to open: those that are not part of a Shapefile beside them."""
    shapefiles = {_stem(key) for key in keys if _suffix(key) == ".shp"}
    return [key for key in keys if _suffix(key) not in SIDECARS or _stem(key) not in shapefiles]


def _all_found(patterns: Iterable[str], zone: Zone, prefix: str) -> list[StoredObject]:
    found = {one.key: one for pattern in patterns for one in _found(pattern, zone, prefix)}
    return [found[key] for key in sorted(found)]


def _found(pattern: str, zone: Zone, prefix: str) -> Iterator[StoredObject]:
    whole = PurePosixPath(prefix, pattern)
    wanted = _anchored(whole)
    return (one for one in zone.list(_folder(whole)) if _is_one_of(one, wanted))


def _anchored(whole: PurePosixPath) -> list[str]:
    """Absolute patterns, as only these are matched from their beginning."""
    anchored = [str(PurePosixPath("/", whole))]
    if whole.suffix.lower() == ".shp":
        anchored += [anchored[0][: -len(".shp")] + suffix for suffix in SIDECARS]
    return anchored


def _is_one_of(one: StoredObject, wanted: Iterable[str]) -> bool:
    path = PurePosixPath("/", one.key)
    return any(path.match(pattern) for pattern in wanted)


def _folder(pattern: PurePosixPath) -> str:
    """The folder that everything which the pattern can match lies in."""
    plain = takewhile(lambda part: not any(sign in part for sign in "*?["), pattern.parent.parts)
    return "/".join(plain)


def _stem(key: str) -> str:
    return str(PurePosixPath(key).with_suffix(""))


def _suffix(key: str) -> str:
    return PurePosixPath(key).suffix.lower()
