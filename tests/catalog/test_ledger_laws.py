"""The ledger against a model of it: dictionaries that any reader can check."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from ledger_samples import make_artifact, make_item

from thalweg.catalog.ledger import Artifact, Document
from thalweg.catalog.sqlite import open_catalog
from thalweg.errors import ArtifactNotFound, ArtifactSuperseded

slots = st.sampled_from(["a", "b", "c"])
versions = st.integers(0, 3)


class Ledger(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, "catalog.db")
        self.runs = 0
        self.recorded: dict[tuple[str, int], Artifact] = {}
        self.current: dict[str, int] = {}
        self.items: dict[str, Document] = {}

    @initialize()
    def begin(self) -> None:
        self.catalog = open_catalog(self.path)
        self.catalog.put_collection({"id": "flood"})

    def teardown(self) -> None:
        self.catalog.close()
        self.folder.cleanup()

    @rule(slot=slots, version=versions, with_item=st.booleans())
    def record(self, slot: str, version: int, with_item: bool) -> None:
        self.runs += 1
        artifact = make_artifact(slot, version, run_id=f"run-{self.runs}")
        item = make_item(slot, version) if with_item else None
        self.catalog.record(artifact, item)
        self.recorded.setdefault((slot, version), artifact)
        self.current[slot] = version
        if item is not None:
            self.items[slot] = item

    @rule(slot=slots, version=versions)
    def record_item(self, slot: str, version: int) -> None:
        pair = (make_item(slot, version), make_artifact(slot, version).ref)
        if (slot, version) not in self.recorded:
            with pytest.raises(ArtifactNotFound):
                self.catalog.record_items([pair])
        elif self.current[slot] != version:
            with pytest.raises(ArtifactSuperseded):
                self.catalog.record_items([pair])
        else:
            self.catalog.record_items([pair])
            self.items[slot] = pair[0]

    @rule()
    def open_again(self) -> None:
        self.catalog.close()
        self.catalog = open_catalog(self.path)

    @invariant()
    def holds_what_was_recorded(self) -> None:
        everything = sorted(self.recorded.values(), key=lambda artifact: artifact.ref)
        current = [self.recorded[pair] for pair in self.current.items()]
        assert list(self.catalog.artifacts(current=None)) == everything
        assert list(self.catalog.artifacts()) == sorted(current, key=lambda a: a.ref)
        assert {item["id"]: item for item in self.catalog.items("flood")} == self.items


Ledger.TestCase.settings = settings(max_examples=20, stateful_step_count=12, deadline=None)
TestLedger = Ledger.TestCase
