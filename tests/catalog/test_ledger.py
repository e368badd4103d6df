from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from thalweg.catalog.ledger import Artifact, Input, Source

names = st.text(max_size=8)
facts = st.dictionaries(names, st.integers() | st.none() | st.lists(names, max_size=3), max_size=3)
coordinates = st.dictionaries(names, names, max_size=3)

artifacts = st.builds(
    Artifact,
    fingerprint=st.text("0123456789abcdef", min_size=64, max_size=64),
    coordinates=coordinates,
    facts=facts,
    inputs=st.lists(st.builds(Input), max_size=3).map(tuple),
)
sources = st.builds(
    Source, coordinates=coordinates | st.none(), facts=facts, problem=facts | st.none()
)


@given(artifacts)
def test_an_artifact_survives_json(artifact: Artifact) -> None:
    assert Artifact.from_json(json.loads(json.dumps(artifact.to_json()))) == artifact


@given(sources)
def test_a_source_survives_json(source: Source) -> None:
    assert Source.from_json(json.loads(json.dumps(source.to_json()))) == source
