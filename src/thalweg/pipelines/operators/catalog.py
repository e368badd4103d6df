"""The operator `catalog`: validated STAC items in a collection, published as a file too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping

from thalweg.catalog.ledger import Artifact, Catalog, Input, Ref
from thalweg.domain.coordinates import Coordinates
from thalweg.domain.fingerprints import fingerprint, immutable_key
from thalweg.errors import ArtifactNotFound
from thalweg.jobs.tasks import Document
from thalweg.pipelines.item_plans import item_plan
from thalweg.pipelines.plan import Planned, Situation, StepPlan
from thalweg.pipelines.schema import CatalogStep, Pipeline
from thalweg.pipelines.workspace import Workspace

MEMORY = 600 << 20
PARQUET = "application/vnd.apache.parquet"


class CatalogOperator:
    """Brings the items of a collection up to date, validates them, and publishes the collection.

    Items are recorded with their file when it is made; here come those that are missing or say
    something else than they would today.
    """

    version = 1

    def plan(
        self, step: CatalogStep, situation: Situation, before: Mapping[str, StepPlan]
    ) -> StepPlan:
        from thalweg.pipelines.items import collection_of

        recorded = situation.items.get(step.collection, {})
        known = {name: _digest(document) for name, document in recorded.items()}
        members = dict(known)
        stale: list[Ref] = []
        sources: list[Input] = []
        for planned in before[step.of].planned:
            artifact = situation.artifacts.get(planned.fingerprint) if planned.done else None
            if artifact is not None:
                document = _item(situation, step, artifact)
                members[planned.id] = _digest(document)
                sources.append(Input(artifact.zone, artifact.key, artifact.fingerprint))
                if members[planned.id] != known.get(planned.id):
                    stale.append(artifact.ref)
            elif situation.rehearsal and planned.to_make:
                members[planned.id] = planned.fingerprint
        if not members:
            return StepPlan(step)
        pipeline = situation.pipeline
        digest = fingerprint(
            "catalog",
            self.version,
            collection_of(pipeline, step, ()),
            sorted(members.items()),
        )
        collection = Planned(
            Coordinates((("collection", step.collection),)),
            tuple(sources),
            digest,
            immutable_key(f"{pipeline.name}/{step.name}/{step.collection}", digest, "parquet"),
            done=digest in situation.artifacts and not stale,
            again=situation.choice.force,
            payload={
                "pipeline": pipeline.name,
                "definition": pipeline.model_dump(mode="json"),
                "stale": [list(ref) for ref in stale],
            },
            memory=MEMORY,
            size=len(members),
        )
        return StepPlan(step, (collection,))

    def run(self, payload: Document, workspace: Workspace) -> Document:
        from thalweg.catalog.validate import validate_collection, validate_item
        from thalweg.pipelines.items import collection_of

        pipeline = Pipeline.model_validate(payload["definition"])
        step = pipeline.step(payload["step"])
        assert isinstance(step, CatalogStep)
        with workspace.catalog() as catalog:
            catalog.record_items(_stale_items(payload, pipeline, step, catalog, workspace))
            items = list(catalog.items(step.collection))
            collection = collection_of(pipeline, step, items)
            for item in items:
                validate_item(item)
            validate_collection(collection)
            catalog.put_collection(collection)
            artifact = self._published(payload, collection, items, workspace)
            catalog.record(artifact)
        return {"items": len(items), "key": artifact.key}

    def _published(
        self,
        payload: Document,
        collection: Document,
        items: list[Document],
        workspace: Workspace,
    ) -> Artifact:
        from thalweg.catalog.export import write_geoparquet
        from thalweg.pipelines.making import artifact_of, publish_once

        zone = workspace.zone(payload["zone"])
        (output,) = payload["outputs"]
        with zone.staging() as area:
            written = area / "items.parquet"
            write_geoparquet(collection, items, written)
            published = publish_once(zone, written, output["key"])
        facts = {"items": len(items)}
        return artifact_of(payload, output, self.version, published, PARQUET, facts)


def _item(situation: Situation, step: CatalogStep, artifact: Artifact) -> Document:
    from thalweg.pipelines.items import item_of

    coordinates = situation.pipeline.coordinates(artifact.coordinates)
    plan = item_plan(situation.pipeline, step.of, coordinates)
    assert plan is not None
    return item_of(artifact, plan, situation.zones[artifact.zone])


def _stale_items(
    payload: Document,
    pipeline: Pipeline,
    step: CatalogStep,
    catalog: Catalog,
    workspace: Workspace,
) -> Iterator[tuple[Document, Ref]]:
    from thalweg.pipelines.items import item_of

    for zone, key in payload["stale"]:
        artifact = catalog.find(zone, key)
        if artifact is None:
            raise ArtifactNotFound(where=f"{zone}:{key}", hint="run again")
        plan = item_plan(pipeline, step.of, pipeline.coordinates(artifact.coordinates))
        assert plan is not None
        yield item_of(artifact, plan, workspace.zone(zone)), artifact.ref


def _digest(document: Document) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
