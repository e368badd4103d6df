"""The operator `catalog`: validated STAC items in a collection, published as a file too."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping

from thalweg.catalog.ledger import PARQUET_MEDIA_TYPE, Artifact, Catalog, Input, Ref
from thalweg.domain.coordinates import Coordinates
from thalweg.domain.fingerprints import fingerprint, immutable_key
from thalweg.domain.layers import Layer
from thalweg.errors import ArtifactNotFound
from thalweg.jobs.tasks import Document
from thalweg.pipelines.item_plans import item_id, item_plan
from thalweg.pipelines.plan import Planned, Situation, StepPlan
from thalweg.pipelines.schema import Pipeline
from thalweg.pipelines.steps import CatalogStep
from thalweg.pipelines.workspace import Workspace

MEMORY = 600 << 20
_LOG = logging.getLogger(__name__)


class CatalogOperator:
    """Brings the items of a collection up to date, validates them, and publishes the collection.

    Items are recorded with their file when it is made; here come those that are missing or say
    something else than they would today. The layers of the pipeline's rasters are registered too.
    """

    version = 2

    def plan(
        self, step: CatalogStep, situation: Situation, before: Mapping[str, StepPlan]
    ) -> StepPlan:
        from thalweg.pipelines.items import collection_of
        from thalweg.pipelines.layers import declared_layers

        recorded = situation.items.get(step.collection, {})
        known = {name: _digest(document) for name, document in recorded.items()}
        members = dict(known)
        stale: list[Ref] = []
        sources: list[Input] = []
        for planned in before[step.of].planned:
            artifact = situation.artifacts.get(planned.fingerprint) if planned.done else None
            if artifact is not None:
                document = _item(situation, step, artifact)
                if document is None:
                    continue
                name = document["id"]
                members[name] = _digest(document)
                sources.append(Input(artifact.zone, artifact.key, artifact.fingerprint))
                if members[name] != known.get(name):
                    stale.append(artifact.ref)
            elif (
                situation.rehearsal
                and planned.to_make
                and item_plan(situation.pipeline, step.of, planned.coordinates)
            ):
                members[item_id(planned.coordinates)] = planned.fingerprint
        if not members:
            return StepPlan(step)
        pipeline = situation.pipeline
        layers = [
            layer.to_json() for layer in declared_layers(pipeline, situation.artifacts.values())
        ]
        digest = fingerprint(
            "catalog",
            self.version,
            {
                "collection": collection_of(pipeline, step, ()),
                "theme": pipeline.theme.model_dump(),
                "layers": layers,
            },
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
                "layers": layers,
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
            unchecked = {schema for item in items for schema in validate_item(item)}
            unchecked.update(validate_collection(collection))
            _warn_of(unchecked)
            catalog.put_collection(collection)
            layers = [Layer.from_json(one) for one in payload["layers"]]
            catalog.put_layers(layers, [pipeline.theme.domain()], pipeline=pipeline.name)
            artifact = self._published(payload, collection, items, sorted(unchecked), workspace)
            catalog.record(artifact)
        return {"key": artifact.key, "layers": len(layers), **artifact.facts}

    def _published(
        self,
        payload: Document,
        collection: Document,
        items: list[Document],
        unchecked: list[str],
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
        facts = {"items": len(items), "unchecked": unchecked}
        return artifact_of(payload, output, self.version, published, PARQUET_MEDIA_TYPE, facts)


def _warn_of(unchecked: Iterable[str]) -> None:
    for schema in sorted(unchecked):
        _LOG.warning("not checked, as no copy of it is here: %s", schema)


def _item(situation: Situation, step: CatalogStep, artifact: Artifact) -> Document | None:
    """The item of an artifact; None for what is not catalogued."""
    from thalweg.pipelines.items import item_of

    coordinates = situation.pipeline.coordinates(artifact.coordinates)
    plan = item_plan(situation.pipeline, step.of, coordinates)
    return plan and item_of(artifact, plan, situation.zones[artifact.zone])


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
