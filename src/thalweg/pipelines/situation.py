"""Looks at the world once, so that planning need not: listing, ledger and items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from thalweg.catalog.ledger import Artifact, Catalog, Source
from thalweg.domain.coordinates import Coordinates
from thalweg.errors import CollectionNotFound, from_json
from thalweg.jobs.tasks import Document
from thalweg.pipelines.choice import Choice
from thalweg.pipelines.plan import Situation
from thalweg.pipelines.schema import Pipeline
from thalweg.pipelines.steps import CatalogStep
from thalweg.pipelines.survey import RawFile, source_prefix, survey
from thalweg.pipelines.vectors import vector_files
from thalweg.pipelines.workspace import Workspace
from thalweg.storage.folders import StoredObject


def gather(
    workspace: Workspace,
    pipeline: Pipeline,
    choice: Choice,
    *,
    live: bool,
    rehearsal: bool = False,
    vectors: bool = True,
) -> Situation:
    """The situation of a pipeline in a workspace.

    `live` lists the source zone as it is now; else the delivery is as it was last inventoried.
    Vector files, which no inventory looks at, are listed either way if `vectors` are wanted.
    """
    prefix = source_prefix(pipeline, choice)
    zone = workspace.zone(pipeline.source.zone)
    with workspace.catalog() as catalog:
        recorded = {
            source.key: source
            for source in catalog.sources(pipeline.name, zone.name, f"{prefix}/" if prefix else "")
        }
        artifacts = _present_artifacts(workspace, pipeline, catalog)
        items = _items(pipeline, catalog)
    live = live and pipeline.grammar is not None
    of_steps = vector_files(pipeline, zone, prefix) if vectors else {}
    taken = {one.key for files in of_steps.values() for one in files}
    listing = [one for one in zone.list(prefix) if one.key not in taken] if live else []
    files = _merged(listing, recorded) if live else [_as_recorded(s) for s in recorded.values()]
    seen = survey(pipeline, files, choice)
    concerned = seen.named.keys() | seen.unnamed.keys()
    return Situation(
        pipeline=pipeline,
        choice=choice,
        survey=seen,
        fresh=tuple(
            sorted(
                (
                    one
                    for one in listing
                    if one.key in concerned
                    and _is_reached(one, seen.named.get(one.key), pipeline, choice, recorded)
                    and _is_to_inspect(one, recorded, choice)
                ),
                key=lambda one: one.key,
            )
        ),
        gone=tuple(sorted(recorded.keys() - {one.key for one in listing})) if live else (),
        vectors=of_steps,
        artifacts=artifacts,
        items=items,
        zones={name: workspace.zone(name) for name in workspace.zone_urls},
        rehearsal=rehearsal,
    )


def _present_artifacts(
    workspace: Workspace, pipeline: Pipeline, catalog: Catalog
) -> dict[str, Artifact]:
    """The current artifacts by fingerprint, but for those whose object is gone or cut short."""
    recorded = list(catalog.artifacts(pipeline.name))
    present = {
        (name, one.key, one.size)
        for name in {artifact.zone for artifact in recorded}
        for one in workspace.zone(name).list(pipeline.name)
    }
    return {
        artifact.fingerprint: artifact
        for artifact in recorded
        if (artifact.zone, artifact.key, artifact.size) in present
    }


def _items(pipeline: Pipeline, catalog: Catalog) -> dict[str, dict[str, Document]]:
    items: dict[str, dict[str, Document]] = {}
    for step in pipeline.steps:
        if isinstance(step, CatalogStep):
            try:
                documents = catalog.items(step.collection)
                items[step.collection] = {one["id"]: one for one in documents}
            except CollectionNotFound:
                items[step.collection] = {}
    return items


def _merged(listing: Iterable[StoredObject], recorded: Mapping[str, Source]) -> list[RawFile]:
    """The files that are there, with what is known of those that have not changed."""
    return [
        _as_recorded(known)
        if (known := recorded.get(one.key)) is not None and known.etag == one.etag
        else RawFile(one.key, one.size, one.etag)
        for one in listing
    ]


def _as_recorded(source: Source) -> RawFile:
    problem = from_json(source.problem) if source.problem else None
    return RawFile(source.key, source.size, source.etag, source.facts, problem)


def _is_reached(
    one: StoredObject,
    coordinates: Coordinates | None,
    pipeline: Pipeline,
    choice: Choice,
    recorded: Mapping[str, Source],
) -> bool:
    """Whether a run that is limited to what failed before has to do with a file."""
    if coordinates is None:
        return choice.only is None or one.key in recorded
    return choice.reaches(pipeline, coordinates)


def _is_to_inspect(one: StoredObject, recorded: Mapping[str, Source], choice: Choice) -> bool:
    known = recorded.get(one.key)
    if known is None or known.etag != one.etag or choice.force:
        return True
    return choice.only is not None and known.status == "rejected"
