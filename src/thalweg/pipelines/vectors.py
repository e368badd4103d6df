"""The vector files of a delivery: those that steps name by path or glob."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from pathlib import PurePosixPath

from thalweg.pipelines.schema import Pipeline, VectorStep
from thalweg.storage.folders import StoredObject
from thalweg.storage.zones import Zone

SIDECARS = (".shx", ".dbf", ".prj", ".cpg")


def vector_files(
    pipeline: Pipeline, zone: Zone, prefix: str
) -> dict[str, tuple[StoredObject, ...]]:
    """The files of each step that reads some, sorted by key; of a Shapefile all its parts."""
    return {
        step.name: tuple(sorted(_found(step.source, zone, prefix), key=lambda one: one.key))
        for step in pipeline.steps
        if isinstance(step, VectorStep)
    }


def main_files(keys: list[str]) -> list[str]:
    """The files to open: those that are not part of a Shapefile beside them."""
    shapefiles = {_stem(key) for key in keys if _suffix(key) == ".shp"}
    return [key for key in keys if _suffix(key) not in SIDECARS or _stem(key) not in shapefiles]


def _found(pattern: str, zone: Zone, prefix: str) -> Iterator[StoredObject]:
    whole = PurePosixPath(prefix, pattern)
    # Only an absolute pattern is matched from its beginning.
    anchored = [str(PurePosixPath("/", whole))]
    if whole.suffix.lower() == ".shp":
        anchored += [anchored[0][: -len(".shp")] + suffix for suffix in SIDECARS]
    for one in zone.list(_folder(whole)):
        path = PurePosixPath("/", one.key)
        if any(path.match(wanted) for wanted in anchored):
            yield one


def _folder(pattern: PurePosixPath) -> str:
    """The folder that everything which the pattern can match lies in."""
    plain = takewhile(lambda part: not any(sign in part for sign in "*?["), pattern.parent.parts)
    return "/".join(plain)


def _stem(key: str) -> str:
    return str(PurePosixPath(key).with_suffix(""))


def _suffix(key: str) -> str:
    return PurePosixPath(key).suffix.lower()
